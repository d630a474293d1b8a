import type { SourceEvent } from './exchange.js';

/** One line of a recording, in the order in which things became known. */
export interface RecordedEvent {
  /** Name of the source that asked. */
  readonly group: string;
  readonly event: SourceEvent;
  /** Questions still open after the event, by group, where the recording says so; groups that are left out have none. */
  readonly open?: Readonly<Record<string, number>>;
  /** True time of the event, seconds since the recording's epoch: orders and scores; no plugin sees it. */
  readonly trueTime?: number;
  /** clock − true at the event, seconds: scores; no plugin sees it. */
  readonly truth?: { readonly wall: number; readonly counter: number };
}

/** What a file of exchanges held. */
export interface Recording {
  /** Unix time of the recording's epoch, seconds, a whole number; 0 where unknown. */
  readonly epoch: number;
  readonly events: readonly RecordedEvent[];
  /** True: its stamps are of one clock, which it calls the wall clock and the counter alike. */
  readonly oneClock?: boolean;
  /** Answers that another program gave at the time, by its name, in order of time. */
  readonly answers?: Readonly<Record<string, readonly RecordedAnswer[]>>;
  /** For people, in sentences: what was left out and why, and what the figures are not. */
  readonly notes: readonly string[];
}

/** What another program said of the wall clock. */
export interface RecordedAnswer {
  /** Instant on the wall clock, seconds since the recording's epoch. */
  readonly at: number;
  /** Seconds; positive: the local clock is behind. */
  readonly offset: number;
  /** One standard deviation, seconds; undefined where it gave none. */
  readonly uncertainty: number | undefined;
}

/**
 * Packets that went one way only, from one machine to another: no exchanges, so no pipeline can take them. What a
 * packet took by both machines' clocks is its delay plus receiver's clock − sender's.
 */
export interface OneWayRecording {
  /** When a packet was received, seconds, in ascending order. */
  readonly t: Float64Array;
  /** Receiver's stamp − sender's stamp, seconds. */
  readonly latency: Float64Array;
}

/** The local clock's error against truth, on a grid of true time. */
export interface RecordedTruth {
  /** Ascending, seconds since the recording's epoch. */
  readonly t: Float64Array;
  /** clock − true, seconds. */
  readonly wall: Float64Array;
  readonly counter: Float64Array;
}

/**
 * A plugin of kind `format`: reads one kind of recording.
 *
 * What an implementer owes: `recognises` is cheap and certain (it sees the first lines, without line ends, and no two
 * formats claim the same file); `read` gives events in the order in which they became known, with everything that is no
 * input left out of them, and throws an `InputError` that names `file:line`, what was expected and what was found.
 */
export interface Format {
  recognises(head: readonly string[]): boolean;
  /** `lines` come without line ends, and can be gone through once. */
  read(lines: Iterable<string>, file: string): Recording | OneWayRecording;
}

export function isOneWay(recording: Recording | OneWayRecording): recording is OneWayRecording {
  return 'latency' in recording;
}
