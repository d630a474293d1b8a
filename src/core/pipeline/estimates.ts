import {
  type Anchor,
  type Axis,
  type ClockReading,
  type Estimate,
  type Measurement,
  offsetAfter,
  PHI,
  type Settling,
  timeOn,
} from '../contracts/index.js';

/** Deviations of the drift that count as the most that it can be wrong by. */
const DRIFT_DEVIATIONS = 5;

/**
 * How fast the maximum error grows with age, s/s: RFC 5905's PHI, which is meant for a clock whose frequency is known,
 * and what is not known of the drift yet. `p11` is the drift's variance.
 */
export function maxErrorRate(p11: number): number {
  return PHI + DRIFT_DEVIATIONS * Math.sqrt(p11);
}

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
    maxErrorRate: maxErrorRate(driftDeviation ** 2),
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
  const { axis, offset, drift, p00, p01, p11, maxError, maxErrorRate: rate, settling, quantiles } = estimate;
  const { whiteFm, randomWalkFm } = noise;
  const tau = timeOn(axis, at) - timeOn(axis, estimate.at);
  const age = Math.abs(tau);
  const carried: Draft = {
    at,
    axis,
    offset: settling === undefined ? offset + drift * tau : offsetAfter(estimate, tau),
    drift:
      settling === undefined ? drift : settling.drift + (drift - settling.drift) * Math.exp(-age / settling.relaxation),
    p00: p00 + tau * (2 * p01 + tau * p11) + age * (whiteFm + (randomWalkFm * age * age) / 3),
    p01: p01 + p11 * tau + (randomWalkFm * age * tau) / 2,
    p11: p11 + randomWalkFm * age,
    whiteFm,
    randomWalkFm,
    maxError: maxError + rate * age,
    maxErrorRate: rate,
    by,
  };
  if (settling !== undefined) carried.settling = settling;
  if (quantiles !== undefined) carried.quantiles = quantiles;
  return carried;
}

/** An estimate in the making: a spread costs a microsecond, and each measurement makes several estimates. */
type Draft = { -readonly [key in keyof Estimate]: Estimate[key] };

/** The same belief at another reading, under the same names. */
export function carry(estimate: Estimate, at: ClockReading): Estimate {
  if (at === estimate.at) return estimate;
  const { axis, by, driftBy, goodFor } = estimate;
  const carried: Draft = propagate(estimate, at, by);
  if (driftBy !== undefined) carried.driftBy = driftBy;
  if (goodFor !== undefined) carried.goodFor = goodFor - (timeOn(axis, at) - timeOn(axis, estimate.at));
  return carried;
}

/** The estimate when every offset counts `by` seconds more, give or take `deviation`: UTC has leapt. */
export function shifted(estimate: Estimate, by: number, deviation = 0): Estimate {
  const { offset, p00, maxError, anchor } = estimate;
  return {
    ...estimate,
    offset: offset + by,
    p00: p00 + deviation ** 2,
    maxError: maxError + deviation,
    ...(anchor && { anchor: { at: anchor.at, time: anchor.time + by } }),
  };
}

/** The estimate with the measurement that timekeepers may walk from. */
export function anchorAt(estimate: Estimate, anchor: Anchor): Estimate {
  const copied = copyOf(estimate);
  copied.anchor = anchor;
  return copied;
}

/** The estimate with where its drift goes by itself, and with the wander that has been found. */
export function settlingTo(estimate: Estimate, settling: Settling | undefined, randomWalkFm: number): Estimate {
  if (settling === undefined && randomWalkFm === estimate.randomWalkFm) return estimate;
  const copied = copyOf(estimate);
  copied.randomWalkFm = randomWalkFm;
  if (settling !== undefined) copied.settling = settling;
  return copied;
}

function copyOf(estimate: Estimate): Draft {
  const { at, axis, offset, drift, p00, p01, p11, whiteFm, randomWalkFm, maxError, maxErrorRate, by } = estimate;
  const { quantiles, driftBy, goodFor, anchor, settling } = estimate;
  const copied: Draft = { at, axis, offset, drift, p00, p01, p11, whiteFm, randomWalkFm, maxError, maxErrorRate, by };
  if (settling !== undefined) copied.settling = settling;
  if (quantiles !== undefined) copied.quantiles = quantiles;
  if (driftBy !== undefined) copied.driftBy = driftBy;
  if (goodFor !== undefined) copied.goodFor = goodFor;
  if (anchor !== undefined) copied.anchor = anchor;
  return copied;
}
