import { inject } from 'inversify';
import { z } from 'zod';
import type { DatasetCorrector, Occasion, TrajectoryPoint } from '../../core/contracts/index.js';
import { reviseInterval } from '../../core/pipeline/revision.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { ratio, time } from '../../core/quantity.js';

const Options = z.strictObject({
  sigmaOffset: time('σ_offset of a prediction.', { above: 0 }).prefault('1 ms'),
  sigmaDrift: ratio('σ_drift of a prediction.', { min: 0 }).prefault(1e-4),
});

/**
 * w = σ_o²/(σ_o² + (σ_d·D)²): the offset took w·E, the drift the rest: ô += w·E + (1 − w)·E·d/D, drift += (1 − w)·E/D. The
 * measurement counts as exact; `drift-aware-weighted` lets it be wrong.
 */
@plugin({
  kind: 'dataset-corrector',
  name: 'drift-aware',
  summary: 'The error shared between offset and drift by their variances',
  options: Options,
})
export class DriftAwareDatasetCorrector implements DatasetCorrector {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  revise(trajectory: readonly TrajectoryPoint[], occasion: Occasion): readonly TrajectoryPoint[] {
    const { sigmaOffset, sigmaDrift } = this.options;
    return reviseInterval(trajectory, occasion, ({ error, length }) => {
      const w = sigmaOffset ** 2 / (sigmaOffset ** 2 + (sigmaDrift * length) ** 2);
      return (point, d) => ({
        ...point,
        offset: point.offset + w * error + ((1 - w) * error * d) / length,
        drift: point.drift + ((1 - w) * error) / length,
      });
    });
  }
}
