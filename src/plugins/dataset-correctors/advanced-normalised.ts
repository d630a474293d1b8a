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

/** `advanced` with the whole error where it was found: ô_i += E·w_i/w(t₁), w(t) = σ_m² + σ_p² + (σ_d·(t − t₀))². */
@plugin({
  kind: 'dataset-corrector',
  name: 'advanced-normalised',
  summary: 'As advanced, with the whole error at the measurement',
  options: Options,
})
export class AdvancedNormalisedDatasetCorrector implements DatasetCorrector {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  revise(trajectory: readonly TrajectoryPoint[], occasion: Occasion): readonly TrajectoryPoint[] {
    const { sigmaOffset, sigmaDrift } = this.options;
    const sigmaM = occasion.measurement.uncertainty;
    const weight = (d: number): number => sigmaM ** 2 + sigmaOffset ** 2 + (sigmaDrift * d) ** 2;
    return reviseInterval(trajectory, occasion, ({ error, length }) => (point, d) => ({
      ...point,
      offset: point.offset + (error * weight(d)) / weight(length),
    }));
  }
}
