import type { Exchange } from '../contracts/index.js';

/** What a recording knows of an exchange of which only the result was kept. SI units. */
export interface RecordedOffset {
  readonly source: string;
  /** When the answer came, on the local clock, seconds since the recording's epoch. */
  readonly arrived: number;
  /** θ; positive: the local clock is behind. */
  readonly offset: number;
  /** δ, 0 or more. */
  readonly delay: number;
  readonly leap?: number;
  readonly stratum?: number;
  readonly precision?: number;
  readonly rootDelay?: number;
  readonly rootDispersion?: number;
  readonly referenceId?: number;
}

/** The precision that is assumed where a recording does not say: a microsecond. */
const PRECISION = 1e-6;

/**
 * An exchange that measures exactly this offset and delay (but for the rounding of its time stamps): sent δ before it
 * arrived, answered at once, half way. Both axes read the one clock that was recorded.
 */
export function exchangeOf(recorded: RecordedOffset): Exchange {
  const { source, arrived, offset, delay } = recorded;
  const sent = arrived - delay;
  const answered = (sent + arrived) / 2 + offset;
  return {
    source,
    sent: { wall: sent, counter: sent },
    arrived: { wall: arrived, counter: arrived },
    receive: answered,
    transmit: answered,
    leap: recorded.leap ?? 0,
    stratum: recorded.stratum ?? 1,
    precision: recorded.precision ?? PRECISION,
    rootDelay: recorded.rootDelay ?? 0,
    rootDispersion: recorded.rootDispersion ?? 0,
    referenceId: recorded.referenceId ?? 0,
  };
}

/** The source that events belong to where the recording does not name one. */
export const TRACE = 'trace';
