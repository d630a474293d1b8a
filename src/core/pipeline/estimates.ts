import {
  type Axis,
  type ClockReading,
  type Estimate,
  type Measurement,
  PHI,
  timeOn,
  varianceAfter,
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

/** The same belief at another reading, under the same name. */
export function carry(estimate: Estimate, at: ClockReading): Estimate {
  return at === estimate.at ? estimate : propagate(estimate, at, estimate.by);
}

/** The same belief at another reading: state and covariance propagated, maximum error grown. */
export function propagate(estimate: Estimate, at: ClockReading, by: string): Estimate {
  const { axis, offset, drift, p01, p11, randomWalkFm, maxError, maxErrorRate } = estimate;
  const tau = timeOn(axis, at) - timeOn(axis, estimate.at);
  const age = Math.abs(tau);
  return {
    ...estimate,
    at,
    offset: offset + drift * tau,
    p00: varianceAfter(estimate, tau),
    p01: p01 + p11 * tau + (randomWalkFm * age * tau) / 2,
    p11: p11 + randomWalkFm * age,
    maxError: maxError + maxErrorRate * age,
    by,
    drift,
  };
}
