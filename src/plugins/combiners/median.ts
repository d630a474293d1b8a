import { inject } from 'inversify';
import { z } from 'zod';
import type { Combination, Combiner, Measurement } from '../../core/contracts/index.js';
import { combined } from '../../core/pipeline/combined.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { formatTime, time } from '../../core/quantity.js';

const Options = z.strictObject({
  reject: z
    .number()
    .positive()
    .default(3)
    .meta({ description: 'Farther from the median than this many MAD: rejected.' }),
  floor: time('A MAD under this counts as this, so that good agreement rejects nobody.', { min: 0 }).prefault('100 us'),
  quorum: z.int().min(1).default(1).meta({ description: 'Fewer survivors than this: nothing is taken.' }),
});

/**
 * The median offset of a round (and of the other sources' latest, for comparison) after rejecting what lies farther than `reject` × MAD from it, MAD = median |θᵢ − median θ|.
 * Variance of the median of n: (π/2)·σ̄²/n, never less than the spread shows: (1.4826·MAD)²/n.
 */
@plugin({
  kind: 'combiner',
  name: 'median',
  summary: 'Median of a round, outliers rejected by MAD, with a quorum',
  options: Options,
})
export class MedianCombiner implements Combiner {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  combine(round: readonly Measurement[], others: readonly Measurement[]): Combination {
    const { reject, floor, quorum } = this.options;
    const heard = [...round, ...others];
    const middle = median(heard.map(measurement => measurement.offset));
    const mad = median(heard.map(measurement => Math.abs(measurement.offset - middle)));
    const limit = reject * Math.max(mad, floor);
    const agrees = (measurement: Measurement): boolean => Math.abs(measurement.offset - middle) <= limit;
    const kept = round.filter(agrees);
    const agreeing = heard.filter(agrees).length;
    const agreed = agreeing >= quorum && kept.length > 0;
    const n = `${agreeing}/${heard.length}`;
    return {
      measurements: agreed ? [this.merge(kept)] : [],
      mad,
      verdicts: round.map(measurement => {
        const distance = Math.abs(measurement.offset - middle);
        if (distance > limit) {
          const reason = `${formatTime(distance)} from the median, limit ${formatTime(limit)}`;
          return { source: measurement.source, used: false, reason };
        }
        return agreed
          ? { source: measurement.source, used: true, reason: `combined ${n}, MAD=${formatTime(mad)}` }
          : { source: measurement.source, used: false, reason: `no quorum: ${n}, expected ${quorum}` };
      }),
    };
  }

  private merge(kept: readonly Measurement[]): Measurement {
    if (kept.length === 1) return kept[0]!;
    const middle = median(kept.map(measurement => measurement.offset));
    const spread = 1.4826 * median(kept.map(measurement => Math.abs(measurement.offset - middle)));
    const mean = kept.reduce((sum, { uncertainty }) => sum + uncertainty ** 2, 0) / kept.length;
    const variance = Math.max((Math.PI / 2) * mean, spread ** 2) / kept.length;
    return combined(kept, middle, Math.sqrt(variance));
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
