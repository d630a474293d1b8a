import type { RandomStream } from '../contracts/index.js';

/** At most this part of an interval. */
const LARGEST_SHARE = 1 / 50;
/** Turns that are remembered; servers that are asked together ask for the same turn at about the same time. */
const REMEMBERED = 64;

/**
 * How much later than its turn a question is asked, so that clients of one server do not keep step. Servers whose turn is
 * the same are asked together all the same: they make one round. Turns are spaced by the most that may be added, so
 * that two questions are never nearer to each other than the interval.
 */
export class TurnJitter {
  private readonly drawn = new Map<number, number>();

  constructor(
    /** Seconds. */
    private readonly limit: number,
    private readonly random: RandomStream,
  ) {}

  /** The most that may be added to a turn of this interval, seconds. */
  most(interval: number): number {
    return Math.min(this.limit, interval * LARGEST_SHARE);
  }

  /** Seconds to add to this turn: the same whoever asks. */
  at(turn: number, most: number): number {
    let share = this.drawn.get(turn);
    if (share === undefined) {
      share = this.random.uniform();
      this.drawn.set(turn, share);
      const [oldest] = this.drawn.keys();
      if (this.drawn.size > REMEMBERED && oldest !== undefined) this.drawn.delete(oldest);
    }
    return share * most;
  }
}
