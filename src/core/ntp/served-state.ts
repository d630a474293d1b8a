import type { Answer, Measurement, ServerState, Verdict } from '../contracts/index.js';
import { type TrustLimits, whyUnknown } from '../serving/trust.js';
import { UNSYNCHRONISED } from './server.js';

/** NTP's short format counts in these, seconds. */
const UNIT = 2 ** -16;
/** The highest stratum that is synchronised. */
const MAX_STRATUM = 15;

/** From what the served pipeline took last: its best source. */
export interface Upstream {
  readonly measurement: Measurement;
  /** The 32 bits by which the source is known, for clients that look for loops. */
  readonly referenceId: number;
  /** 0, or 1 or 2 where a leap second is announced. */
  readonly leap: number;
}

/** The measurements of a round that were used. */
export function usedIn(measurements: readonly Measurement[], verdicts: readonly Verdict[]): readonly Measurement[] {
  const used = new Set(verdicts.filter(verdict => verdict.used).map(({ source }) => source));
  return measurements.filter(({ source }) => used.has(source));
}

/** The leap second that more than half of some measurements announce: 1 or 2 as on the wire, or 0. */
export function announcedLeap(used: readonly Measurement[]): number {
  const votes = (leap: number): number => used.filter(({ exchange }) => exchange.leap === leap).length;
  return [1, 2].find(leap => votes(leap) * 2 > used.length) ?? 0;
}

/**
 * What a server may say of itself that tells this answer. Its root delay is the best source's and the way to it, and its
 * root dispersion all the rest of the maximum error told, rounded up: a client computes root delay / 2 + root dispersion
 * (RFC 5905 section 11.2) and gets a bound that holds.
 */
export function stateOf(
  answer: Answer,
  upstream: Upstream | undefined,
  limits: TrustLimits,
  precision: number,
): ServerState {
  const { told, estimate, reading } = answer;
  const stratum = (upstream?.measurement.exchange.stratum ?? MAX_STRATUM) + 1;
  if (upstream === undefined || stratum > MAX_STRATUM || whyUnknown(answer, limits) !== undefined) {
    return { ...UNSYNCHRONISED, precision };
  }
  const { delay, exchange } = upstream.measurement;
  const maxError = told.maxError!;
  const rootDelay = Math.floor(Math.min(exchange.rootDelay + Math.abs(delay), 2 * maxError) / UNIT) * UNIT;
  const updated = (estimate!.anchor?.at ?? estimate!.at).counter;
  return {
    leap: upstream.leap,
    stratum,
    precision,
    rootDelay,
    rootDispersion: Math.ceil((maxError - rootDelay / 2) / UNIT) * UNIT,
    referenceId: upstream.referenceId,
    reference: told.time - (reading.counter - updated),
  };
}

/** log2 of the smallest step that a clock is seen to make, seconds, as servers tell their precision (RFC 5905 section 7.3). */
export function precisionOf(read: () => number): number {
  let smallest = 1;
  for (let last = read(), i = 0; i < 100; i++) {
    const now = read();
    if (now > last && now - last < smallest) smallest = now - last;
    last = now;
  }
  return Math.min(0, Math.max(-30, Math.ceil(Math.log2(smallest))));
}
