import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { logUniform, signed } from '../../core/plugin/chaos-draws.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { duration, ratio } from '../../core/quantity.js';

const Options = z.strictObject({
  by: z.number().meta({ description: 'Change of temperature, kelvin.' }).default(10),
  lag: duration('Time constant with which the crystal follows.').prefault('10 min'),
  linear: ratio('Change of frequency per kelvin.').prefault('0.1 ppm'),
  quadratic: ratio('Change of frequency per kelvin squared (a crystal away from its turning point).').prefault(0),
});

/** The machine's temperature changes by ΔT, with its thermal lag τ, and the crystal follows: y = k₁·δ + k₂·δ², with
 * δ(t) = ΔT·(1 − e^(−t/τ)). Ended, the frequency is at once what it was. */
@plugin({
  kind: 'fault',
  name: 'temperature-event',
  summary: 'The machine warms up or cools down',
  options: Options,
  chaos: random => ({ by: signed(random, 1, 30), lag: logUniform(random, 60, 3600) }),
})
export class TemperatureEvent implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject({ clock }: FaultTarget): () => void {
    const { by, lag, linear, quadratic } = this.options;
    const a = linear * by;
    const b = quadratic * by * by;
    return clock.disturbFrequency({
      frequency: elapsed => {
        const followed = -Math.expm1(-elapsed / lag);
        return a * followed + b * followed * followed;
      },
      // The integrals of (1 − e) and (1 − e)².
      phase: elapsed => {
        const first = -Math.expm1(-elapsed / lag);
        const second = -Math.expm1((-2 * elapsed) / lag);
        return a * (elapsed - lag * first) + b * (elapsed - 2 * lag * first + (lag / 2) * second);
      },
    });
  }
}
