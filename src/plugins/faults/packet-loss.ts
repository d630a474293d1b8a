import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { probability } from '../../core/quantity.js';

const Options = z.strictObject({
  servers: z.array(z.string()).min(1).optional().meta({ description: 'Which servers; left out: all.' }),
  directions: z
    .array(z.enum(['out', 'back']))
    .min(1)
    .optional()
    .meta({ description: 'Left out: both ways.' }),
  probability: probability('That a packet is lost, each by itself.').prefault('10 %'),
});

/** Packets are lost independently of each other. */
@plugin({
  kind: 'fault',
  name: 'packet-loss',
  summary: 'Loses packets at random',
  options: Options,
  chaos: random => ({ probability: 0.1 + 0.8 * random.uniform() }),
})
export class PacketLoss implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    return target.disturb(this.options, { lost: random => random.uniform() < this.options.probability });
  }
}
