import type { PowerLaw } from '../../world/power-law.js';
import { chiSquaredQuantile } from '../chi-squared.js';
import { termCount, termSpan, termStride, type VarianceEstimator } from './estimators.js';
import { type Differences, differenceCovariance, differencesOf } from './fractional-noise.js';

/**
 * Equivalent degrees of freedom of the square of a deviation: 2·mean²/variance of the mean square of M Gaussian terms
 * with covariance R, which is M·R(0)² / (R(0)² + 2·Σ (1 − j/M)·R(j)²), j = 1 … M − 1 (Greenhall and Riley, PTTI 2003,
 * equation 10; NIST SP 1065, section 5.4). The covariance is that of the sampled noise, see `differenceCovariance`.
 *
 * The terms of `totdev` are not alike, so it has formulas of its own. For α ≤ 0 it is b·T/τ − c (D. A. Howe, "Total
 * variance explained", Joint EFTF/IFCS 1999; NIST SP 1065, section 5.4), which holds for a dense series; what a coarse
 * one (m of a few) lacks of it is taken to be what overlapping ADEV lacks. For α > 0, which that leaves out, it is our
 * own approximation: each of the m terms that reach over an end holds the end itself twice, two thirds of an ordinary
 * term's variance, common to them all, and ten sixths of its variance in all. With r = τ/T and the bias β this turns
 * 1/edf of the ordinary terms into (1/edf + 8r²/9)/(1 + β)².
 *
 * @param alpha the noise: exponent of S_y(f)
 * @param samples samples of phase in the series
 * @param m averaging factor
 * @throws RangeError if the series is too short for one term
 */
export function equivalentDegreesOfFreedom(
  estimator: VarianceEstimator,
  alpha: PowerLaw,
  samples: number,
  m: number,
): number {
  const differences = differencesOf(estimator);
  const count = termCount(estimator, samples, m);
  if (!(count >= 1)) {
    const needed = termSpan(estimator, m);
    throw new RangeError(
      `equivalentDegreesOfFreedom.samples: expected at least ${needed} for ${estimator} at m = ${m}, found ${samples}`,
    );
  }
  const degrees = meanSquareDegrees(alpha, differences, m, termStride(estimator, m), count);
  if (estimator !== 'totdev') return degrees;
  const part = m / (samples - 1);
  if (alpha === 2 || alpha === 1) {
    return (1 + totalVarianceBias(alpha, samples, m)) ** 2 / (1 / degrees + (8 / 9) * part ** 2);
  }
  const { b, c } = TOTAL[alpha];
  const refined = Math.ceil(DENSE / m);
  const dense = meanSquareDegrees(alpha, differences, m * refined, 1, count * refined);
  return (b / part - c) * (degrees / dense);
}

/**
 * How much the mean of the total variance exceeds the Allan variance, as a part of it. For α ≤ 0 it is −a·τ/T (NIST SP
 * 1065, section 5.4, with T the length of the series); for α > 0 it follows from the terms over the ends, see
 * `equivalentDegreesOfFreedom`.
 */
export function totalVarianceBias(alpha: PowerLaw, samples: number, m: number): number {
  const part = m / (samples - 1);
  if (alpha === 2) return (4 / 3) * part;
  // Means over those terms of their variance, with ψ(k + ½) ≈ ln k for the lags that they span.
  if (alpha === 1) return (2 * part * (4 * Math.log(m) - 0.92)) / (6 * Math.log(m) + 10.4);
  return -TOTAL[alpha].a * part;
}

/**
 * The interval that holds the true deviation with probability `level`, as far as the variance is distributed as
 * chi-squared (NIST SP 1065, section 5.3.2): equal tails, each of (1 − level)/2.
 *
 * @param deviation the estimate, in any unit, non-negative
 * @param degrees equivalent degrees of freedom, positive
 * @param level within (0, 1)
 */
export function confidenceInterval(
  deviation: number,
  degrees: number,
  level: number,
): { readonly low: number; readonly high: number } {
  return {
    low: deviation * Math.sqrt(degrees / chiSquaredQuantile((1 + level) / 2, degrees)),
    high: deviation * Math.sqrt(degrees / chiSquaredQuantile((1 - level) / 2, degrees)),
  };
}

/** a of the bias of total variance, b and c of its degrees of freedom. */
const TOTAL = {
  '0': { a: 0, b: 3 / 2, c: 0 },
  '-1': { a: 1 / (3 * Math.LN2), b: (24 * Math.LN2 ** 2) / Math.PI ** 2, c: 0.222 },
  '-2': { a: 3 / 4, b: 140 / 151, c: 0.358 },
} as const;

/** Averaging factor from which a series is as good as continuous. */
const DENSE = 64;
/** Lags, in units of m, past which the covariance of every noise is 0 or too small to count. */
const REACH = 6;
/** Lags that the sum takes one by one. */
const MOST_LAGS = 2048;

function meanSquareDegrees(
  alpha: PowerLaw,
  differences: Differences,
  m: number,
  stride: number,
  count: number,
): number {
  const lags = Math.min(count - 1, Math.floor((REACH * m) / stride));
  // Only unsmoothed phase noises tell the sample from the averaging time; all others look alike on any fine grid.
  if (stride === 1 && lags > MOST_LAGS && (alpha <= 0 || differences.smoothed)) {
    const coarse = Math.floor((m * MOST_LAGS) / lags);
    return meanSquareDegrees(alpha, differences, coarse, 1, (count * coarse) / m);
  }
  const variance = differenceCovariance(alpha, differences, m, 0);
  let sum = 1;
  for (let j = 1; j <= lags; j++) {
    sum += 2 * (1 - j / count) * (differenceCovariance(alpha, differences, m, j * stride) / variance) ** 2;
  }
  return count / sum;
}
