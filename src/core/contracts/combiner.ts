import type { Measurement } from './measurement.js';
import type { Stateful } from './state.js';

/** For every source of the round: whether it was used, and why or why not. */
export interface Verdict {
  readonly source: string;
  readonly used: boolean;
  readonly reason: string;
}

export interface Combination {
  /** What the corrector takes, in order. Empty if the round agrees on nothing. */
  readonly measurements: readonly Measurement[];
  readonly verdicts: readonly Verdict[];
  /** Median absolute deviation of the offsets in the round, seconds, where it was computed. */
  readonly mad?: number;
}

/**
 * A plugin of kind `combiner`: selects and combines the measurements of one round.
 *
 * What an implementer owes: one verdict for each measurement given; a pure function of its input unless it documents
 * its state; never an empty answer to a round of one, unless a quorum is asked for. A round is never empty.
 *
 * `others` are the latest measurements of sources that are not in the round, brought forward to it: sources that are
 * not asked in step give rounds of one, and only beside the others a falseticker is seen. They may decide what of the
 * round is believed, but are never handed on: each measurement is taken once.
 */
export interface Combiner extends Stateful {
  combine(round: readonly Measurement[], others: readonly Measurement[]): Combination;
}
