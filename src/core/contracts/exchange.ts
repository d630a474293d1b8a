import type { ClockReading } from './clock.js';

/**
 * One question to a server and its answer, as RFC 5905 section 8 has it. T1 is `sent`, T2 `receive`, T3 `transmit`,
 * T4 `arrived`. T1 and T4 are stamped on both axes of the local clock; T2 and T3 are the server's time in seconds since
 * the run's epoch.
 */
export interface Exchange {
  /** The server's name in the scenario (or its host name). */
  readonly source: string;
  readonly sent: ClockReading;
  readonly arrived: ClockReading;
  readonly receive: number;
  readonly transmit: number;
  readonly leap: number;
  readonly stratum: number;
  /** The server's clock precision, in seconds. */
  readonly precision: number;
  /** Round-trip delay to the reference clock, in seconds. */
  readonly rootDelay: number;
  /** Dispersion to the reference clock, in seconds. */
  readonly rootDispersion: number;
  /** The 32-bit reference identifier. */
  readonly referenceId: number;
}

/** A question that was not answered as it should have been. */
export interface ExchangeFailure {
  readonly source: string;
  readonly sent: ClockReading;
  /** When it was given up. */
  readonly settled: ClockReading;
  /** For people and logs: "timeout", "kiss RATE", "stratum 16", … */
  readonly reason: string;
}

/** Why a datagram is no answer to the question that is open. It is dropped, counted, and ends nothing. */
export const DROPS = [
  /** No NTP packet. */
  'malformed',
  'wrongAddress',
  'wrongMode',
  /** Late, replayed or forged: the origin, or the unique identifier, is not the question's. */
  'wrongOrigin',
  /** It proves nothing where proof was asked for: forged, or from a server that does not know the key. */
  'unauthenticated',
  /** What it proves is wrong: forged, or tampered with. */
  'forged',
] as const;
export type Drop = (typeof DROPS)[number];

/** How many were dropped, by reason. */
export type DropCounts = Readonly<Record<Drop, number>>;

/** How a question ended. `dropped` counts the datagrams dropped while it was open; left out: none. */
export type SourceEvent =
  | { readonly type: 'exchange'; readonly exchange: Exchange; readonly dropped?: DropCounts }
  | { readonly type: 'failure'; readonly failure: ExchangeFailure; readonly dropped?: DropCounts };
