import { inject } from 'inversify';
import { z } from 'zod';
import type { DelayLaw, RandomStream } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  scale: time('σ: where the tail begins.', { above: 0 }).prefault('1 ms'),
  shape: z
    .number()
    .min(0.1)
    .max(100)
    .default(1.5)
    .meta({ description: 'α: of x⁻ᵅ in the tail; at 2 and under the variance is infinite but for the cap.' }),
  cap: time('The longest wait: the law is cut off here and what lies beyond is drawn anew.', { above: 0 }).prefault(
    '1 s',
  ),
});

/**
 * Heavy-tailed queueing delay: the Lomax law (Pareto of the second kind, from 0), P(X > x) = (1 + x/σ)^−α, truncated at
 * the cap. Drawn by inversion of the truncated law.
 */
@plugin({
  kind: 'delay',
  name: 'pareto',
  summary: 'Heavy-tailed (Pareto, Lomax) queueing delay with a cap',
  options: Options,
})
export class ParetoDelay implements DelayLaw {
  /** P(X ≤ cap) before truncation. */
  private readonly kept: number;

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {
    const { scale, shape, cap } = options;
    this.kept = -Math.expm1(-shape * Math.log1p(cap / scale));
  }

  draw(random: RandomStream): number {
    const { scale, shape, cap } = this.options;
    const x = scale * Math.expm1(-Math.log1p(-this.kept * random.uniform()) / shape);
    return x > cap ? cap : x;
  }
}
