import { type Axis, type Estimate, type Measurement, timeOn } from '../contracts/index.js';
import { maxErrorRate } from '../pipeline/estimates.js';

/** A line θ(t) = offset + drift·t through points in time, with its covariance. Seconds; `offset` is that at t = 0. */
export interface Line {
  readonly offset: number;
  readonly drift: number;
  readonly p00: number;
  readonly p01: number;
  readonly p11: number;
}

export interface Point {
  readonly t: number;
  readonly offset: number;
}

/** Least variance of a residual, s²: a line through noiseless points is not known for certain. */
const LEAST_VARIANCE = 1e-18;
/** What the median of normal residuals loses to their mean, and Theil's slope to that of least squares (Sen 1968). */
const MEDIAN_LOSS = Math.PI / 2;
const SLOPE_LOSS = Math.PI / 3;

/**
 * Least squares: drift = Σ(tᵢ − t̄)(θᵢ − θ̄)/Σ(tᵢ − t̄)². Covariance from the residuals, s² = Σrᵢ²/(n − 2); with two points
 * there are none and `claimed`, the variance that the points themselves claim, stands in. Undefined where all points
 * share one instant.
 */
export function leastSquares(points: readonly Point[], claimed: number): Line | undefined {
  const n = points.length;
  const { meanTime, spread } = momentsOf(points);
  if (n < 2 || spread === 0) return undefined;
  const meanOffset = points.reduce((sum, { offset }) => sum + offset, 0) / n;
  const drift = points.reduce((sum, { t, offset }) => sum + (t - meanTime) * (offset - meanOffset), 0) / spread;
  const offset = meanOffset - drift * meanTime;
  const squares = points.reduce((sum, point) => sum + (point.offset - offset - drift * point.t) ** 2, 0);
  const variance = n > 2 ? Math.max(squares / (n - 2), LEAST_VARIANCE) : claimed;
  return withCovariance(offset, drift, variance / n, variance / spread, meanTime);
}

/**
 * Theil and Sen: drift = median of the slopes between all pairs, offset = median of θᵢ − drift·tᵢ. Up to 29 % of the
 * points may be wrong. Covariance from the median absolute residual (1.4826·MAD is σ for normal residuals), larger than
 * that of least squares by what medians lose on normal noise.
 */
export function theilSen(points: readonly Point[], claimed: number): Line | undefined {
  const n = points.length;
  const { meanTime, spread } = momentsOf(points);
  if (n < 2 || spread === 0) return undefined;
  const slopes: number[] = [];
  points.forEach((a, i) => {
    for (const b of points.slice(i + 1)) if (b.t !== a.t) slopes.push((b.offset - a.offset) / (b.t - a.t));
  });
  const drift = median(slopes);
  const offset = median(points.map(point => point.offset - drift * point.t));
  const sizes = points.map(point => Math.abs(point.offset - offset - drift * point.t));
  const variance = n > 2 ? Math.max((1.4826 * median(sizes)) ** 2 * (n / (n - 2)), LEAST_VARIANCE) : claimed;
  return withCovariance(offset, drift, (MEDIAN_LOSS * variance) / n, (SLOPE_LOSS * variance) / spread, meanTime);
}

export type LineMethod = 'least-squares' | 'theil-sen';

/** The line through measurements as an estimate at the last of them; undefined where it takes more of them. */
export function estimateOfLine(
  measurements: readonly Measurement[],
  axis: Axis,
  method: LineMethod,
  by: string,
): Estimate | undefined {
  const last = measurements.at(-1);
  const line = last && lineOf(measurements, axis, method);
  if (line === undefined) return undefined;
  return {
    at: last!.at,
    axis,
    ...line,
    whiteFm: 0,
    randomWalkFm: 0,
    maxError: last!.rootDistance + Math.abs(line.offset - last!.offset),
    maxErrorRate: maxErrorRate(line.p11),
    by,
  };
}

/** The line through measurements at their own times, t = 0 at the last of them. */
export function lineOf(measurements: readonly Measurement[], axis: Axis, method: LineMethod): Line | undefined {
  const last = measurements.at(-1);
  if (last === undefined) return undefined;
  const origin = timeOn(axis, last.at);
  const points = measurements.map(({ at, offset }) => ({ t: timeOn(axis, at) - origin, offset }));
  const claimed = measurements.reduce((sum, { uncertainty }) => sum + uncertainty ** 2, 0) / measurements.length;
  return method === 'theil-sen' ? theilSen(points, claimed) : leastSquares(points, claimed);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

function momentsOf(points: readonly Point[]): { readonly meanTime: number; readonly spread: number } {
  const meanTime = points.reduce((sum, { t }) => sum + t, 0) / points.length;
  return { meanTime, spread: points.reduce((sum, { t }) => sum + (t - meanTime) ** 2, 0) };
}

/** The mean of the points and the slope are independent: the covariance at t = 0 follows. */
function withCovariance(offset: number, drift: number, ofMean: number, p11: number, meanTime: number): Line {
  return { offset, drift, p00: ofMean + meanTime ** 2 * p11, p01: -meanTime * p11, p11 };
}
