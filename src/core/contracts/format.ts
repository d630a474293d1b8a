import type { SourceEvent } from './exchange.js';

/** One line of a recording, in the order in which things became known. */
export interface RecordedEvent {
  /** Name of the source that asked. */
  readonly group: string;
  readonly event: SourceEvent;
  /** Questions of this source still open after the event, where the recording says so. */
  readonly outstanding?: number;
  /** True time of the event, seconds since the recording's epoch: orders and scores; no plugin sees it. */
  readonly trueTime?: number;
  /** clock − true at the event, seconds: scores; no plugin sees it. */
  readonly truth?: { readonly wall: number; readonly counter: number };
}

/** What a file held. */
export interface Recording {
  /** Which format it was read as, for people. */
  readonly format: string;
  /** Unix time of the recording's epoch, seconds, a whole number; 0 where unknown. */
  readonly epoch: number;
  readonly events: readonly RecordedEvent[];
  /** Answers that another program gave at the time, by its name: time on the local clock, offset, standard deviation. */
  readonly answers?: Readonly<Record<string, readonly RecordedAnswer[]>>;
  /** Lines that could not be read, with the reason, where the format tolerates some. */
  readonly skipped: readonly string[];
}

export interface RecordedAnswer {
  readonly at: number;
  readonly offset: number;
  readonly uncertainty: number | undefined;
}

/** The local clock's error against truth, on a grid of true time. */
export interface RecordedTruth {
  readonly t: Float64Array;
  /** clock − true, seconds. */
  readonly wall: Float64Array;
  readonly counter: Float64Array;
}

/**
 * A plugin of kind `format`: reads one kind of recording.
 *
 * What an implementer owes: `recognises` is cheap and certain (it sees the first lines); `read` throws an `InputError`
 * that names the line, what was expected and what was found.
 */
export interface Format {
  recognises(head: readonly string[]): boolean;
  read(lines: readonly string[], file: string): Recording;
}
