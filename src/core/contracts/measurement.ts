import { type Axis, type ClockReading, timeOn } from './clock.js';
import type { Exchange } from './exchange.js';

/** What one exchange says of the local clock on one axis. */
export interface Measurement {
  readonly source: string;
  /** The instant it speaks of: half way between departure and arrival, on both axes. */
  readonly at: ClockReading;
  /** θ = ((T2 − T1) + (T3 − T4)) / 2, seconds; positive: the local clock is behind, add it. */
  readonly offset: number;
  /** δ = (T4 − T1) − (T3 − T2), seconds. */
  readonly delay: number;
  /** One standard deviation of `offset`, seconds. Until a filter knows better: δ/2 as a uniform bound, δ/√12. */
  readonly uncertainty: number;
  /** Largest error that the protocol admits at `at`: root distance, RFC 5905 section 11.2, seconds. */
  readonly rootDistance: number;
  readonly exchange: Exchange;
}

/** Frequency tolerance that RFC 5905 grants every clock (PHI), s/s. */
export const PHI = 15e-6;

/** RFC 5905's smallest root distance increment (MINDISP), seconds. */
const MIN_DISPERSION = 0.005;

/**
 * Offset and delay by RFC 5905 section 8, root distance by section 11.2 (without jitter, which filters know):
 * max(MINDISP, Δ + δ)/2 + E + ε, where ε is both precisions and PHI times the round trip.
 */
export function measure(exchange: Exchange, axis: Axis): Measurement {
  const { sent, arrived, receive, transmit, precision } = exchange;
  const t1 = timeOn(axis, sent);
  const t4 = timeOn(axis, arrived);
  const offset = (receive - t1 + (transmit - t4)) / 2;
  const delay = t4 - t1 - (transmit - receive);
  const dispersion = precision + PHI * Math.max(0, t4 - t1);
  const noise = Math.max(Math.abs(delay) / Math.sqrt(12), precision, 1e-9);
  return {
    source: exchange.source,
    at: { wall: (sent.wall + arrived.wall) / 2, counter: (sent.counter + arrived.counter) / 2 },
    offset,
    delay,
    uncertainty: noise,
    rootDistance:
      Math.max(MIN_DISPERSION, exchange.rootDelay + Math.abs(delay)) / 2 + exchange.rootDispersion + dispersion,
    exchange,
  };
}

/** The measurement with another deviation. (A spread costs microseconds here.) */
export function withUncertainty(measurement: Measurement, uncertainty: number): Measurement {
  const { source, at, offset, delay, rootDistance, exchange } = measurement;
  return { source, at, offset, delay, uncertainty, rootDistance, exchange };
}

/** Measurements in order of arrival, the oldest forgotten. */
export interface MeasurementLog {
  readonly length: number;
  /** From the oldest kept (0) or, negative, from the newest (−1). */
  at(index: number): Measurement | undefined;
  /** The last `n`, oldest first. */
  last(n: number): readonly Measurement[];
}
