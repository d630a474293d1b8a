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
 * ô_i −= (w_i/Σw)·(N/2)·(ô_i − E·d_i/D), N points, w_i as in `advanced`. The target is a ramp of the error and not of the
 * offset, so a clock with an offset is pulled towards zero; `advance-absolute-line` has the target that was meant.
 */
@plugin({
  kind: 'dataset-corrector',
  name: 'advance-absolute',
  summary: 'Points pulled towards a ramp of the error',
  options: Options,
})
export class AdvanceAbsoluteDatasetCorrector implements DatasetCorrector {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  revise(trajectory: readonly TrajectoryPoint[], occasion: Occasion): readonly TrajectoryPoint[] {
    const { sigmaOffset, sigmaDrift } = this.options;
    const sigmaM = occasion.measurement.uncertainty;
    const weight = (d: number): number => sigmaM ** 2 + sigmaOffset ** 2 + (sigmaDrift * d) ** 2;
    return reviseInterval(trajectory, occasion, ({ error, length, distances }) => {
      const total = distances.reduce((sum, d) => sum + weight(d), 0);
      return (point, d) => {
        const pull = (weight(d) / total) * (distances.length / 2);
        return { ...point, offset: point.offset - pull * (point.offset - (error * d) / length) };
      };
    });
  }
}
