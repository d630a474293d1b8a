import type { Axis, ClockReading } from './clock.js';

/**
 * What is believed of the local clock at one reading of it. SI units: seconds and seconds per second.
 *
 * The offset at a later time t on the axis is offset + drift·τ with τ = t − at, its variance
 * p00 + 2τ·p01 + τ²·p11 + whiteFm·τ + randomWalkFm·τ³/3, its maximum error maxError + maxErrorRate·τ. An estimate with
 * a `settling` bends: its drift goes to a long-term mean (see {@link offsetAfter}).
 */
export interface Estimate {
  readonly at: ClockReading;
  readonly axis: Axis;
  /** Positive: the local clock is behind; add it. */
  readonly offset: number;
  /** Rate at which the offset changes per second of the axis. */
  readonly drift: number;
  /** Variance of the offset (s²), covariance (s²/s) and variance of the drift (s²/s²). Flat: cannot be asymmetric. */
  readonly p00: number;
  readonly p01: number;
  readonly p11: number;
  /** Spectral densities of the oscillator's own noise: s²/s and s²/s³. 0 leaves them out. */
  readonly whiteFm: number;
  readonly randomWalkFm: number;
  /** Holds for any path asymmetry, seconds, and how fast it grows, s/s. */
  readonly maxError: number;
  readonly maxErrorRate: number;
  /** What produced it: the name of a predictor or corrector. */
  readonly by: string;
  /** Sizes of the error, in standard deviations, that hold 68, 80 and 95 % of it, where it is not normal (1, 1.28, 1.96). */
  readonly quantiles?: { readonly at68: number; readonly at80?: number; readonly at95: number };
  /** Where the drift comes from, if it is not from what `by` names: e.g. "regression of 10 measurements". */
  readonly driftBy?: string;
  /** Seconds of the axis after which it is too old to tell from: then the bare clock is told. Left out: never. */
  readonly goodFor?: number;
  /** The last measurement taken, for timekeepers that walk from it. Set by the pipeline. */
  readonly anchor?: Anchor;
  /** Where the drift is expected to go while nothing is heard; left out, it stays. */
  readonly settling?: Settling;
}

/** Where a drift goes by itself: d(τ) = drift + (d₀ − drift)·e^(−τ/relaxation), with this variance about it in the end. */
export interface Settling {
  readonly drift: number;
  /** Seconds. */
  readonly relaxation: number;
  readonly variance: number;
}

/** A measurement as a place to walk from: what the clocks read, and the true time that was measured then. */
export interface Anchor {
  readonly at: ClockReading;
  readonly time: number;
}

/** The answer to "what time is it". All instants in seconds since the run's epoch. */
export interface CorrectedTime {
  readonly time: number;
  /** What was added to the axis that the timekeeper walked on; exact where `time` minus a reading would round. */
  readonly offset: number;
  readonly axis: Axis;
  /**
   * The interval at `level`, statistical: assumes symmetric minimum paths, judged by calibration. Half-width in
   * seconds about `time`; undefined while nothing is known.
   */
  readonly uncertainty: number | undefined;
  readonly level: number;
  /** Holds for any asymmetry, seconds either side of `time`: earliest = time − maxError. Undefined while unknown. */
  readonly maxError: number | undefined;
  readonly by: string;
}

/** The earliest and the latest that true time can be; undefined while nothing is known. */
export function bounds(told: CorrectedTime): { readonly earliest: number; readonly latest: number } | undefined {
  if (told.maxError === undefined) return undefined;
  return { earliest: told.time - told.maxError, latest: told.time + told.maxError };
}

/** The offset at τ seconds after the estimate. See {@link Estimate} and {@link Settling}. */
export function offsetAfter(estimate: Estimate, tau: number): number {
  const { offset, drift, settling } = estimate;
  return offset + (settling === undefined || tau <= 0 ? drift * tau : walked(drift, settling, tau));
}

function walked(drift: number, settling: Settling, tau: number): number {
  const { relaxation } = settling;
  return settling.drift * tau + (drift - settling.drift) * relaxation * -Math.expm1(-tau / relaxation);
}

/** Variance of the offset at τ seconds after the estimate, s². See {@link Estimate}. */
export function varianceAfter(estimate: Estimate, tau: number): number {
  const age = tau < 0 ? -tau : tau;
  const { settling } = estimate;
  // What the drift does about its mean, the integral of an Ornstein–Uhlenbeck process.
  const settled =
    settling === undefined
      ? 0
      : 2 *
        settling.variance *
        settling.relaxation *
        (age + settling.relaxation * Math.expm1(-age / settling.relaxation));
  return (
    settled +
    estimate.p00 +
    tau * (2 * estimate.p01 + tau * estimate.p11) +
    age * (estimate.whiteFm + (estimate.randomWalkFm * age * age) / 3)
  );
}
