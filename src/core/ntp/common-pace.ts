import type { WorldScheduler } from '../contracts/index.js';

/** What the members of one turn call for, until all of them have been heard. */
interface Council {
  interval: number;
  readonly waiting: Taker[];
}

/** Told the interval, and whether it begins at the turn that the others wait for. */
type Taker = (interval: number, leads: boolean) => void;

/** A turn that comes, and those after it at the same interval. Seconds. */
interface Beat {
  readonly next: number;
  readonly step: number;
}

/**
 * Servers that are asked together stay together: of those that have the same turn, the one that calls for the shortest
 * interval sets it for all (RFC 5905 has one poll exponent of the system, too). One that has fallen out of step, for want
 * of answers or by a RATE kiss, waits for the others' next turn. So a round holds all servers, and one cannot be left alone
 * with a falseticker.
 */
export class CommonPace {
  private readonly councils = new Map<number, Council>();
  private beat: Beat | undefined;

  constructor(private readonly scheduler: WorldScheduler) {}

  /** Tells the interval from this turn to the next, once all who have this turn have proposed theirs. */
  propose(turn: number, interval: number, take: Taker): void {
    const council = this.councils.get(turn);
    if (council !== undefined) {
      council.interval = Math.min(council.interval, interval);
      council.waiting.push(take);
      return;
    }
    this.councils.set(turn, { interval, waiting: [take] });
    this.scheduler.at(this.scheduler.time, () => this.close(turn));
  }

  /** The first turn of the others that is not before `turn`; that itself where there are none. */
  align(turn: number): number {
    if (this.beat === undefined) return turn;
    const { next, step } = this.beat;
    return turn <= next ? next : next + Math.ceil((turn - next) / step) * step;
  }

  /** What the members of a turn have agreed on. */
  follow(next: number, step: number): void {
    this.beat = { next, step };
  }

  private close(turn: number): void {
    const { interval, waiting } = this.councils.get(turn)!;
    this.councils.delete(turn);
    const leads = this.beat === undefined || turn >= this.beat.next || waiting.length > 1;
    for (const take of waiting) take(interval, leads);
  }
}
