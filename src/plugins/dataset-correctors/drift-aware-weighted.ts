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
 * `drift-aware` with a measurement that may be wrong: of E the offset takes w_o = σ_o²/S, the drift w_d = (σ_d·D)²/S and
 * the measurement the rest, S = σ_o² + (σ_d·D)² + σ_NTP². ô += w_o·E + w_d·E·d/D, drift += w_d·E/D.
 */
@plugin({
  kind: 'dataset-corrector',
  name: 'drift-aware-weighted',
  summary: 'As drift-aware, with the noise of the measurement in the weights',
  options: Options,
})
export class DriftAwareWeightedDatasetCorrector implements DatasetCorrector {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  revise(trajectory: readonly TrajectoryPoint[], occasion: Occasion): readonly TrajectoryPoint[] {
    const { sigmaOffset, sigmaDrift } = this.options;
    const sigmaNtp = occasion.measurement.uncertainty;
    return reviseInterval(trajectory, occasion, ({ error, length }) => {
      const total = sigmaOffset ** 2 + (sigmaDrift * length) ** 2 + sigmaNtp ** 2;
      const byOffset = (sigmaOffset ** 2 / total) * error;
      const byDrift = ((sigmaDrift * length) ** 2 / total) * error;
      return (point, d) => ({
        ...point,
        offset: point.offset + byOffset + (byDrift * d) / length,
        drift: point.drift + byDrift / length,
      });
    });
  }
}
