import { insert, remove } from './sorted.js';

/** Delays that have to agree on a new route. */
const CONFIRM = 10;

export interface RouteChange {
  readonly by: number;
  readonly newest: number;
}

/**
 * What the delays of one path say about its queues, over the last `size` exchanges.
 *
 * Both directions queue: delay = base + u + d. For exponential queues of scale s the excess e = u + d has density
 * e/s²·exp(−e/s), median 1.678·s, and the least of n excesses is Rayleigh: mean s·√(π/2n), deviation s·√((4 − π)/2n).
 * So the base lies below the smallest delay seen, by an amount that shrinks only with √n and must not be ignored.
 */
export class PathStatistics {
  readonly #recent: number[] = [];
  readonly #sorted: number[] = [];
  readonly #size: number;

  constructor(size = 128) {
    this.#size = size;
  }

  get count(): number {
    return this.#recent.length;
  }

  /** Smallest delay in the window, s. */
  get minimum(): number {
    return this.#sorted[0] ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Queueing scale of one direction, s: (median − minimum) / (1.678 − √(π/2n)), drawn towards a prior of a few
   * per cent of the delay while there are few samples.
   */
  get scale(): number {
    return this.scaleAbove(this.minimum, Math.sqrt(Math.PI / (2 * Math.max(this.count, 1))));
  }

  /** The same, given a `base` of which `share` scales are still unaccounted for. */
  scaleAbove(base: number, share: number, quiet = 1): number {
    const n = this.#sorted.length;
    if (n === 0) return 0;
    const minimum = this.minimum;
    const prior = 0.1 * Math.max(minimum, 0) + 2e-5;
    if (n < 2) return prior;
    const place = (quiet * (n - 1)) / 2;
    const below = Math.floor(place);
    const middle =
      this.#sorted[below]! + (place - below) * (this.#sorted[Math.min(below + 1, n - 1)]! - this.#sorted[below]!);
    // A median of few samples may be far too small, which would make the likelihood far too sharp: lean upwards.
    const empirical = ((middle - base) / (1.678 - share)) * (1 + 2 / n);
    const weight = 6 / (n - 1);
    return Math.max((n * empirical + weight * prior) / (n + weight), 1e-8);
  }

  /** Expected distance of the true base below {@link minimum}, s. */
  get shortfall(): number {
    return this.scale * Math.sqrt(Math.PI / (2 * (this.count + 1)));
  }

  /** Standard deviation of that distance, s. */
  get shortfallDeviation(): number {
    return this.scale * Math.sqrt((4 - Math.PI) / (2 * (this.count + 1)));
  }

  /**
   * Takes the next delay. Returns how the base has changed (s, signed) if the route has, with the number of newest
   * delays that belong to the new route: the caller decides to {@link keep} only those.
   *
   * Longer: the last {@link CONFIRM} delays are all well above the old minimum, and huddle together: congestion long
   * enough to lift the least of them would scatter them as much. Shorter: a delay below everything seen.
   */
  add(delay: number): RouteChange | undefined {
    const n = this.count;
    const scale = this.scale;
    const before = this.minimum;
    if (this.#recent.length >= this.#size) {
      remove(this.#sorted, this.#recent.shift()!);
    }
    this.#recent.push(delay);
    insert(this.#sorted, delay);
    if (n < 8) return undefined;
    if (delay < before - 4 * scale) {
      return { by: delay - before, newest: 1 };
    }
    if (n < 2 * CONFIRM || delay < before + 4 * scale) return undefined;
    const last = this.newest(CONFIRM).toSorted((a, b) => a - b);
    const rise = last[0]! - before;
    const huddle = last[(CONFIRM * 3) >> 2]! - last[0]!;
    if (rise < 4 * scale || huddle > rise / 2 || huddle > 3 * scale) return undefined;
    return { by: rise, newest: CONFIRM };
  }

  /** The newest `n` delays, oldest first. */
  newest(n: number): readonly number[] {
    return this.#recent.slice(-n);
  }

  /** A copy without the newest `n` delays. */
  without(n: number): PathStatistics {
    const copy = new PathStatistics(this.#size);
    copy.restore(this.#recent.slice(0, -n));
    return copy;
  }

  /** Forgets everything but the newest `n` delays. */
  keep(n: number): void {
    this.restore(this.#recent.slice(-n));
  }

  snapshot(): number[] {
    return [...this.#recent];
  }

  restore(delays: readonly number[]): void {
    this.#recent.splice(0, this.#recent.length, ...delays);
    this.#sorted.splice(0, this.#sorted.length, ...[...delays].sort((a, b) => a - b));
  }
}
