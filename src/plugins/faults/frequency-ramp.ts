import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { logUniform, signed } from '../../core/plugin/chaos-draws.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { duration, ratio } from '../../core/quantity.js';

const Options = z.strictObject({
  by: ratio("Added to the oscillator's fractional frequency in the end: positive, faster."),
  over: duration('How long the change takes.').prefault('1 h'),
});

/** The oscillator's frequency moves steadily to another value over `over`, and stays there; it returns at once when the fault
 * ends. */
@plugin({
  kind: 'fault',
  name: 'frequency-ramp',
  summary: 'The frequency changes steadily',
  options: Options,
  example: { by: '1 ppm' },
  chaos: random => ({ by: signed(random, 1e-8, 5e-5), over: logUniform(random, 60, 14400) }),
})
export class FrequencyRamp implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject({ clock }: FaultTarget): () => void {
    const { by, over } = this.options;
    return clock.disturbFrequency({
      frequency: elapsed => by * Math.min(1, elapsed / over),
      phase: elapsed => (elapsed < over ? (by * elapsed * elapsed) / (2 * over) : by * (elapsed - over / 2)),
    });
  }
}
