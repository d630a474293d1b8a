import { z } from 'zod';
import type { Combination, Combiner, Measurement } from '../../core/contracts/index.js';
import { combined } from '../../core/pipeline/combined.js';
import { plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({});

/**
 * The mean of a round weighted by inverse variance: θ = Σ wᵢθᵢ / Σ wᵢ with wᵢ = 1/σᵢ², σ² = 1/Σ wᵢ. Best for sources
 * with independent, unbiased errors; a falseticker pulls it away.
 */
@plugin({
  kind: 'combiner',
  name: 'inverse-variance',
  summary: 'Mean of a round weighted by inverse variance',
  options: Options,
})
export class InverseVarianceCombiner implements Combiner {
  combine(round: readonly Measurement[]): Combination {
    const weights = round.map(({ uncertainty }) => 1 / uncertainty ** 2);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const offset = round.reduce((sum, measurement, i) => sum + weights[i]! * measurement.offset, 0) / total;
    return {
      measurements: [round.length === 1 ? round[0]! : combined(round, offset, Math.sqrt(1 / total))],
      verdicts: round.map(({ source }, i) => ({
        source,
        used: true,
        reason: `weight ${Math.round((100 * weights[i]!) / total)} %`,
      })),
    };
  }
}
