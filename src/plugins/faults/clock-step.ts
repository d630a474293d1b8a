import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { signed } from '../../core/plugin/chaos-draws.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({ by: time('Added to the wall clock: positive, forward.') });

/** Steps the wall clock, as an operator or another daemon would. The counter does not notice. */
@plugin({
  kind: 'fault',
  name: 'clock-step',
  summary: 'Steps the wall clock',
  options: Options,
  example: { by: '1 s' },
  chaos: random => ({ by: signed(random, 1e-3, 100) }),
})
export class ClockStep implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject({ clock }: FaultTarget): () => void {
    clock.stepWall(this.options.by);
    return () => clock.stepWall(-this.options.by);
  }
}
