import type { Stateful } from './state.js';

/** What a poller may decide by. Seconds, on the local counter. */
export interface PollState {
  /** Questions so far to this server; one that could not be sent for want of an address counts. */
  readonly sent: number;
  /** Consecutive questions without a usable answer. */
  readonly missed: number;
  /** RFC 5905's reach register: the last eight questions, the newest in bit 0. */
  readonly reach: number;
  /** The interval that was used last; undefined before the second question. */
  readonly interval: number | undefined;
  /** The shortest interval that the server has agreed to (raised by a RATE kiss). */
  readonly floor: number;
  /** Offset and delay of the last usable answer, seconds, and what the counter read then; undefined before it. */
  readonly last: { readonly offset: number; readonly delay: number; readonly at: number } | undefined;
}

/**
 * A plugin of kind `poller`: how long to wait between two questions to one server. One instance for each association.
 *
 * What an implementer owes: a positive number of seconds, never under `floor`. It is measured from question to
 * question, not from the answer.
 */
export interface Poller extends Stateful {
  next(state: PollState): number;
  /** Seconds from a failure to the next try, where that is to come before the next turn. Not asked after a kiss. */
  retry?(state: PollState): number | undefined;
}
