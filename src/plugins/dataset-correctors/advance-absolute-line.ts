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
 * `advance-absolute` with the line between the two measurements as its target:
 * ô_i −= (w_i/Σw)·(N/2)·(ô_i − (o₀ + (o₁ − o₀)·d_i/D)).
 */
@plugin({
  kind: 'dataset-corrector',
  name: 'advance-absolute-line',
  summary: 'Points pulled towards the line between the measurements',
  options: Options,
})
export class AdvanceAbsoluteLineDatasetCorrector implements DatasetCorrector {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  revise(trajectory: readonly TrajectoryPoint[], occasion: Occasion): readonly TrajectoryPoint[] {
    const { sigmaOffset, sigmaDrift } = this.options;
    const { measurement, earlier } = occasion;
    const weight = (d: number): number => measurement.uncertainty ** 2 + sigmaOffset ** 2 + (sigmaDrift * d) ** 2;
    return reviseInterval(trajectory, occasion, ({ length, distances }) => {
      const total = distances.reduce((sum, d) => sum + weight(d), 0);
      const from = earlier.at(-1)!.offset;
      return (point, d) => {
        const pull = (weight(d) / total) * (distances.length / 2);
        const target = from + ((measurement.offset - from) * d) / length;
        return { ...point, offset: point.offset - pull * (point.offset - target) };
      };
    });
  }
}
