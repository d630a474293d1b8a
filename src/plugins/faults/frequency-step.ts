import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { signed } from '../../core/plugin/chaos-draws.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { ratio } from '../../core/quantity.js';

const Options = z.strictObject({ by: ratio("Added to the oscillator's fractional frequency: positive, faster.") });

/** The oscillator's frequency jumps: a crystal that was touched, a VM that was moved. Both axes feel it. */
@plugin({
  kind: 'fault',
  name: 'frequency-step',
  summary: "Steps the oscillator's frequency",
  options: Options,
  example: { by: '1 ppm' },
  chaos: random => ({ by: signed(random, 1e-8, 5e-5) }),
})
export class FrequencyStep implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject({ clock }: FaultTarget): () => void {
    clock.stepFrequency(this.options.by);
    return () => clock.stepFrequency(-this.options.by);
  }
}
