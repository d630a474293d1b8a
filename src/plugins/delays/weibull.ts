import { inject } from 'inversify';
import { z } from 'zod';
import type { DelayLaw, RandomStream } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  scale: time('λ: 63 % of the packets wait less.', { min: 0 }).prefault('1 ms'),
  shape: z
    .number()
    .min(0.1)
    .max(100)
    .default(0.7)
    .meta({ description: 'k: 1 is exponential, less has a heavier tail, more gathers about the scale.' }),
});

/** Weibull queueing delay, P(X > x) = e^(−(x/λ)^k), drawn by inversion. */
@plugin({ kind: 'delay', name: 'weibull', summary: 'Weibull queueing delay', options: Options })
export class WeibullDelay implements DelayLaw {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  draw(random: RandomStream): number {
    return this.options.scale * random.exponential() ** (1 / this.options.shape);
  }
}
