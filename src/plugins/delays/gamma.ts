import { inject } from 'inversify';
import { z } from 'zod';
import type { DelayLaw, RandomStream } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  mean: time('Mean queueing delay.', { min: 0 }).prefault('1 ms'),
  shape: z
    .number()
    .min(0.05)
    .max(1000)
    .default(2)
    .meta({ description: 'k: 1 is exponential, n the sum of n exponential waits, under 1 bursty.' }),
});

/**
 * Gamma queueing delay, density x^(k−1)·e^(−x/θ)/(Γ(k)·θ^k) with θ = mean/k: a path of k hops with light traffic.
 *
 * Drawn by G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000): one
 * normal and one uniform value, and in one case of thirty or fewer another pair.
 */
@plugin({ kind: 'delay', name: 'gamma', summary: 'Gamma queueing delay: several exponential hops', options: Options })
export class GammaDelay implements DelayLaw {
  private readonly d: number;
  private readonly c: number;
  private readonly scale: number;

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {
    const { mean, shape } = options;
    // Shapes under 1 are drawn at shape + 1 and scaled down by U^(1/shape).
    this.d = (shape < 1 ? shape + 1 : shape) - 1 / 3;
    this.c = 1 / Math.sqrt(9 * this.d);
    this.scale = mean / shape;
  }

  draw(random: RandomStream): number {
    const { d, c, scale } = this;
    const { shape } = this.options;
    const less = shape < 1 ? (1 - random.uniform()) ** (1 / shape) : 1;
    for (;;) {
      const x = random.normal();
      const u = 1 - random.uniform();
      const cube = (1 + c * x) ** 3;
      if (cube > 0 && Math.log(u) < (x * x) / 2 + d - d * cube + d * Math.log(cube)) return scale * d * cube * less;
    }
  }
}
