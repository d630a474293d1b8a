import {
  type Anchor,
  type Axis,
  type ClockReading,
  type Estimate,
  type Measurement,
  PHI,
  timeOn,
} from '../contracts/index.js';

/** How fast the maximum error grows with age: RFC 5905's frequency tolerance. */
export const MAX_ERROR_RATE = PHI;

/** What a first measurement alone says: its offset, and a drift of 0 known to ±`driftDeviation`. */
export function firstEstimate(
  measurement: Measurement,
  axis: Axis,
  driftDeviation: number,
  noise: { readonly whiteFm: number; readonly randomWalkFm: number },
  by: string,
): Estimate {
  return {
    at: measurement.at,
    axis,
    offset: measurement.offset,
    drift: 0,
    p00: measurement.uncertainty ** 2,
    p01: 0,
    p11: driftDeviation ** 2,
    ...noise,
    maxError: measurement.rootDistance,
    maxErrorRate: Math.max(MAX_ERROR_RATE, 2 * driftDeviation),
    by,
  };
}

/**
 * The same belief at another reading: state and covariance propagated, maximum error grown. `noise` replaces the
 * oscillator noise that the estimate carries.
 */
export function propagate(
  estimate: Estimate,
  at: ClockReading,
  by: string,
  noise: { readonly whiteFm: number; readonly randomWalkFm: number } = estimate,
): Estimate {
  const { axis, offset, drift, p00, p01, p11, maxError, maxErrorRate } = estimate;
  const { whiteFm, randomWalkFm } = noise;
  const tau = timeOn(axis, at) - timeOn(axis, estimate.at);
  const age = Math.abs(tau);
  return {
    at,
    axis,
    offset: offset + drift * tau,
    drift,
    p00: p00 + tau * (2 * p01 + tau * p11) + age * (whiteFm + (randomWalkFm * age * age) / 3),
    p01: p01 + p11 * tau + (randomWalkFm * age * tau) / 2,
    p11: p11 + randomWalkFm * age,
    whiteFm,
    randomWalkFm,
    maxError: maxError + maxErrorRate * age,
    maxErrorRate,
    by,
  };
}

/** The estimate with the measurement that timekeepers may walk from. (A spread costs microseconds here.) */
export function anchorAt(estimate: Estimate, anchor: Anchor): Estimate {
  const { at, axis, offset, drift, p00, p01, p11, whiteFm, randomWalkFm, maxError, maxErrorRate, by } = estimate;
  return { at, axis, offset, drift, p00, p01, p11, whiteFm, randomWalkFm, maxError, maxErrorRate, by, anchor };
}
