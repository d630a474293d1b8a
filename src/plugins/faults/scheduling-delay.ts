import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { logUniform } from '../../core/plugin/chaos-draws.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { probability, time } from '../../core/quantity.js';

const Options = z.strictObject({
  mean: time('Mean of the delay of a timestamp, exponential.', { min: 0 }).prefault('5 ms'),
  share: probability('That a timestamp is late.').prefault(1),
});

/** The machine is busy: its timestamps are taken before a packet has left and after it has arrived, by an exponential time.
 * All servers feel it, in both directions. */
@plugin({
  kind: 'fault',
  name: 'scheduling-delay',
  summary: 'Timestamps are taken late because the machine is busy',
  options: Options,
  chaos: random => ({ mean: logUniform(random, 1e-4, 5e-2) }),
})
export class SchedulingDelay implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { mean, share } = this.options;
    return target.disturb(
      {},
      {
        delay: random => {
          const late = random.uniform() < share;
          const by = mean * random.exponential();
          return late ? by : 0;
        },
      },
    );
  }
}
