import { inject } from 'inversify';
import { z } from 'zod';
import type { ClockReading, Estimate, History, Predictor } from '../../core/contracts/index.js';
import { estimateOfLine } from '../../core/estimation/lines.js';
import { firstEstimate, propagate } from '../../core/pipeline/estimates.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { ratio } from '../../core/quantity.js';

const Options = z.strictObject({
  measurements: z
    .int()
    .min(2)
    .default(10)
    .meta({ description: 'How many of the last measurements the line goes through.' }),
  drift: ratio('Drift of a clock that nothing is known of, one standard deviation.', { min: 0 }).prefault('100 ppm'),
});

/**
 * The least-squares line through the last N measurements at their own times, extrapolated: θ(t) = θ̄ + d·(t − t̄) with
 * d = Σ(tᵢ − t̄)(θᵢ − θ̄)/Σ(tᵢ − t̄)². Covariance from the residuals: s² = Σrᵢ²/(n − 2), var d = s²/Σ(tᵢ − t̄)². With two
 * measurements the line between them, with one its offset.
 */
@plugin({
  kind: 'predictor',
  name: 'linear-regression',
  summary: 'Line through the last N measurements',
  options: Options,
})
export class LinearRegressionPredictor implements Predictor {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  predict(history: History, at: ClockReading): Estimate | undefined {
    const { axis } = history;
    const points = history.measurements.last(this.options.measurements);
    const last = points.at(-1);
    if (last === undefined) return undefined;
    const line = estimateOfLine(points, axis, 'least-squares', NAME);
    return propagate(line ?? firstEstimate(last, axis, this.options.drift, QUIET, NAME), at, NAME);
  }
}

const NAME = 'linear-regression';
const QUIET = { whiteFm: 0, randomWalkFm: 0 };
