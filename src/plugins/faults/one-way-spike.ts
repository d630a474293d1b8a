import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { logUniform, some } from '../../core/plugin/chaos-draws.js';
import { ServersOption } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { probability, time } from '../../core/quantity.js';

const Options = z.strictObject({
  servers: ServersOption,
  direction: z.enum(['out', 'back']).default('back').meta({ description: 'Which way.' }),
  delay: time('Extra delay of such a packet.', { min: 0 }).prefault('200 ms'),
  share: probability('That a packet is one.').prefault('20 %'),
});

/** Some packets of one direction take much longer than the others: what filters have to see through. */
@plugin({
  kind: 'fault',
  name: 'one-way-spike',
  summary: 'Some packets of one direction take much longer',
  options: Options,
  chaos: (random, scope) => ({
    delay: logUniform(random, 1e-3, 0.5),
    direction: random.uniform() < 0.5 ? 'out' : 'back',
    servers: some(random, scope.servers),
  }),
})
export class OneWaySpike implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { servers, direction, delay, share } = this.options;
    return target.disturb(
      { servers, directions: [direction] },
      { delay: random => (random.uniform() < share ? delay : 0) },
    );
  }
}
