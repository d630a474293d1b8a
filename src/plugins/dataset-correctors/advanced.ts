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
 * w_i = σ_m² + σ_p² + (σ_d·d_i)², σ_m of the measurement and σ_p = `sigmaOffset`; ô_i += E·w_i/Σw. The shares add up to E
 * over all points, so that each point moves by about E/N only; `advanced-normalised` moves the last one by E.
 */
@plugin({
  kind: 'dataset-corrector',
  name: 'advanced',
  summary: 'The error shared out over the points by their variance',
  options: Options,
})
export class AdvancedDatasetCorrector implements DatasetCorrector {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  revise(trajectory: readonly TrajectoryPoint[], occasion: Occasion): readonly TrajectoryPoint[] {
    const { sigmaOffset, sigmaDrift } = this.options;
    const sigmaM = occasion.measurement.uncertainty;
    const weight = (d: number): number => sigmaM ** 2 + sigmaOffset ** 2 + (sigmaDrift * d) ** 2;
    return reviseInterval(trajectory, occasion, ({ error, distances }) => {
      const total = distances.reduce((sum, d) => sum + weight(d), 0);
      return (point, d) => ({ ...point, offset: point.offset + (error * weight(d)) / total });
    });
  }
}
