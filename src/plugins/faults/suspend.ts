import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { signed } from '../../core/plugin/chaos-draws.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  error: time('How much the wall clock is off afterwards: positive, ahead.').prefault('20 ms'),
});

/** The machine sleeps while the fault lasts: nothing runs, packets are lost, the counter stops. When it wakes up the wall
 * clock is set from the hardware clock, which is a little off. */
@plugin({
  kind: 'fault',
  name: 'suspend',
  summary: 'The machine sleeps; the wall clock is set from hardware afterwards',
  options: Options,
  chaos: random => ({ error: signed(random, 1e-3, 1) }),
})
export class Suspend implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject({ clock }: FaultTarget): () => void {
    return clock.pause('suspend', this.options.error);
  }
}
