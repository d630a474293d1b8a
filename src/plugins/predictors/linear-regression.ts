import { inject } from 'inversify';
import { z } from 'zod';
import {
  type ClockReading,
  type Estimate,
  type History,
  type Measurement,
  type Predictor,
  timeOn,
} from '../../core/contracts/index.js';
import { firstEstimate, maxErrorRate, propagate } from '../../core/pipeline/estimates.js';
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
    const estimate = lineThrough(points, last, axis) ?? firstEstimate(last, axis, this.options.drift, QUIET, NAME);
    return propagate(estimate, at, NAME);
  }
}

const NAME = 'linear-regression';
const QUIET = { whiteFm: 0, randomWalkFm: 0 };

/** The line at the last point's instant; undefined where all points share one instant. */
function lineThrough(points: readonly Measurement[], last: Measurement, axis: History['axis']): Estimate | undefined {
  const n = points.length;
  const origin = timeOn(axis, last.at);
  const times = points.map(point => timeOn(axis, point.at) - origin);
  const meanTime = times.reduce((sum, t) => sum + t, 0) / n;
  const meanOffset = points.reduce((sum, { offset }) => sum + offset, 0) / n;
  const spread = times.reduce((sum, t) => sum + (t - meanTime) ** 2, 0);
  if (n < 2 || spread === 0) return undefined;
  const drift = points.reduce((sum, { offset }, i) => sum + (times[i]! - meanTime) * (offset - meanOffset), 0) / spread;
  const offset = meanOffset - drift * meanTime;
  const squares = points.reduce((sum, point, i) => sum + (point.offset - offset - drift * times[i]!) ** 2, 0);
  // With two points there is no residual: what the measurements themselves claim stands in.
  const claimed = points.reduce((sum, { uncertainty }) => sum + uncertainty ** 2, 0) / n;
  const variance = n > 2 ? Math.max(squares / (n - 2), 1e-18) : claimed;
  const p11 = variance / spread;
  return {
    at: last.at,
    axis,
    offset,
    drift,
    p00: variance / n + meanTime ** 2 * p11,
    p01: -meanTime * p11,
    p11,
    ...QUIET,
    maxError: last.rootDistance + Math.abs(offset - last.offset),
    maxErrorRate: maxErrorRate(p11),
    by: NAME,
  };
}
