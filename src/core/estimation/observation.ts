/** One completed NTP exchange, as an estimator sees it. SI units; nothing here knows the truth. */
export interface Observation {
  /** Name of the server (one path, one bias). */
  readonly source: string;
  /** Local counter at arrival (T4), s. */
  readonly at: number;
  /** Wall clock at arrival, s; informative only. */
  readonly wall?: number | undefined;
  /** ((T2 − T1) + (T3 − T4)) / 2, s; positive: the local clock is behind. */
  readonly offset: number;
  /** (T4 − T1) − (T3 − T2), s. */
  readonly delay: number;
  /** Server's root delay, s. */
  readonly rootDelay: number;
  /** Server's root dispersion, s. */
  readonly rootDispersion: number;
  /** Resolution of the stamps on both sides together, s. */
  readonly precision: number;
  readonly stratum: number;
}

/**
 * Posterior of the clock at the local reading `at`.
 *
 * The time told at local reading c, with t = c − at and τ = `relaxation`, is
 *
 *   c + offset + meanDrift·t + (drift − meanDrift)·τ·(1 − e^(−t/τ))
 *
 * that is, the drift relaxes exponentially from `drift` to `meanDrift`. Leaving the last two fields out
 * (told = c + offset + drift·t) is the same to first order and worse in holdover.
 *
 * Its variance is p00(t) = p00 + 2·t·p01 + t²·p11 + whiteFm·t + randomWalkFm·t³/3, and the statistical interval is
 * ± scale68·√p00(t) or ± scale95·√p00(t). The maximum error is maxError + maxErrorRate·t.
 */
export interface ClockEstimate {
  readonly at: number;
  readonly offset: number;
  readonly drift: number;
  readonly meanDrift: number;
  readonly relaxation: number;
  readonly p00: number;
  readonly p01: number;
  readonly p11: number;
  /** White frequency noise in force, s²/s. */
  readonly whiteFm: number;
  /** Random-walk frequency noise in force, (s/s)²/s. */
  readonly randomWalkFm: number;
  readonly scale68: number;
  readonly scale95: number;
  readonly maxError: number;
  readonly maxErrorRate: number;
}

/** The offset that the estimate tells `t` seconds of local counter after `estimate.at`, s. */
export function offsetAfter(estimate: ClockEstimate, t: number): number {
  const { offset, drift, meanDrift, relaxation } = estimate;
  if (!(relaxation > 0)) return offset + drift * t;
  return offset + meanDrift * t + (drift - meanDrift) * relaxation * -Math.expm1(-t / relaxation);
}

/** Variance of {@link offsetAfter}, s². */
export function varianceAfter(estimate: ClockEstimate, t: number): number {
  const { p00, p01, p11, whiteFm, randomWalkFm } = estimate;
  return p00 + 2 * t * p01 + t * t * p11 + whiteFm * t + (randomWalkFm * t * t * t) / 3;
}
