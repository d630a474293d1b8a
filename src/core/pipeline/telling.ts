import {
  type Axis,
  type ClockReading,
  type CorrectedTime,
  type Estimate,
  timeOn,
  varianceAfter,
} from '../contracts/index.js';

/** The bare wall clock with bounds that say "unknown": what a timekeeper tells while there is no estimate. */
export function bareTime(reading: ClockReading, level: number): CorrectedTime {
  return {
    time: reading.wall,
    offset: 0,
    axis: 'wall',
    uncertainty: undefined,
    level,
    maxError: undefined,
    by: 'bare-clock',
  };
}

/** A timekeeper's answer: `offset` added to `axis`, with the estimate's bounds grown by its age at the reading. */
export function timeWith(
  estimate: Estimate,
  reading: ClockReading,
  axis: Axis,
  offset: number,
  level: number,
): CorrectedTime {
  const age = timeOn(estimate.axis, reading) - timeOn(estimate.axis, estimate.at);
  // A negative covariance makes the variance shrink at first; the interval does not: it never narrows with age.
  const variance = Math.max(estimate.p00, varianceAfter(estimate, age));
  return {
    time: timeOn(axis, reading) + offset,
    offset,
    axis,
    uncertainty: quantileOf(estimate, level) * Math.sqrt(variance),
    level,
    maxError: estimate.maxError + estimate.maxErrorRate * Math.abs(age),
    by: estimate.by,
  };
}

/** The normal law's sizes at the levels that an estimate may know its own at. */
const NORMAL = { at68: 0.994457883209753, at80: 1.2815515655446004, at95: 1.959963984540054 };

/** How many standard deviations of an estimate hold its error at a level. */
export function quantileOf({ quantiles }: Estimate, level: number): number {
  const normal = normalQuantile(level);
  if (quantiles === undefined) return normal;
  const { at68, at80, at95 } = quantiles;
  if (at80 !== undefined && normal > NORMAL.at68 && normal < NORMAL.at95) {
    return normal < NORMAL.at80
      ? between(NORMAL.at68, at68, NORMAL.at80, at80, normal)
      : between(NORMAL.at80, at80, NORMAL.at95, at95, normal);
  }
  // How much wider than a normal law's, between the levels that are known (in the normal law's own deviations).
  return normal * between(NORMAL.at68, at68 / NORMAL.at68, NORMAL.at95, at95 / NORMAL.at95, normal);
}

/** On the straight line from (x0, y0) to (x1, y1), and at its ends beyond them. */
function between(x0: number, y0: number, x1: number, y1: number, x: number): number {
  return y0 + Math.min(1, Math.max(0, (x - x0) / (x1 - x0))) * (y1 - y0);
}

let lastLevel = 0.95;
let lastQuantile = NORMAL.at95;

/** z with P(|N(0, 1)| ≤ z) = level. The last level is remembered: a run asks for one. */
export function normalQuantile(level: number): number {
  if (level !== lastLevel) {
    lastQuantile = inverseNormal((1 + level) / 2);
    lastLevel = level;
  }
  return lastQuantile;
}

/** Acklam's rational approximation of the inverse normal distribution, relative error under 1.2e-9. */
export function inverseNormal(p: number): number {
  if (!(p > 0 && p < 1)) throw new RangeError(`a probability must lie between 0 and 1, found ${p}`);
  const tail = 0.02425;
  if (p < tail) return tailQuantile(Math.sqrt(-2 * Math.log(p)));
  if (p > 1 - tail) return -tailQuantile(Math.sqrt(-2 * Math.log(1 - p)));
  const q = p - 0.5;
  const r = q * q;
  return (
    ((((((-3.969683028665376e1 * r + 2.209460984245205e2) * r - 2.759285104469687e2) * r + 1.38357751867269e2) * r -
      3.066479806614716e1) *
      r +
      2.506628277459239) *
      q) /
    (((((-5.447609879822406e1 * r + 1.615858368580409e2) * r - 1.556989798598866e2) * r + 6.680131188771972e1) * r -
      1.328068155288572e1) *
      r +
      1)
  );
}

function tailQuantile(q: number): number {
  return (
    (((((-7.784894002430293e-3 * q - 3.223964580411365e-1) * q - 2.400758277161838) * q - 2.549732539343734) * q +
      4.374664141464968) *
      q +
      2.938163982698783) /
    ((((7.784695709041462e-3 * q + 3.224671290700398e-1) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1)
  );
}
