import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { logUniform } from '../../core/plugin/chaos-draws.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  servers: z.array(z.string()).min(1).optional().meta({ description: 'Which servers; left out: all.' }),
  directions: z
    .array(z.enum(['out', 'back']))
    .min(1)
    .optional()
    .meta({ description: 'Left out: both ways.' }),
  mean: time('Mean of the extra delay, exponential.', { min: 0 }).prefault('20 ms'),
  least: time('Extra delay of every packet.', { min: 0 }).prefault(0),
});

/** Congestion: every packet waits longer, by a constant and an exponential part. */
@plugin({
  kind: 'fault',
  name: 'delay-burst',
  summary: 'Congestion: packets wait longer',
  options: Options,
  chaos: random => ({ mean: logUniform(random, 1e-3, 0.2) }),
})
export class DelayBurst implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { mean, least } = this.options;
    return target.disturb(this.options, { delay: random => least + mean * random.exponential() });
  }
}
