import { normalTail } from './normal.js';

/**
 * Posterior of a path's base delay B (the round trip without queueing), on a grid that follows it.
 *
 * A minimum of n delays is off by s·√(π/2n). But where the clock is predicted well, each exchange shows its two queues
 * apart, and the least of either comes within s/n of nothing: B ≤ delay − 2·|offset − x|. With x ~ N(m, S) and quiet
 * exponential queues of scale s,
 *
 *   p(delay, offset | B) ∝ (w·e^(−(delay − B)/s) + (1 − w)·e^(−(delay − B)/8s)/64) · P(|offset − x| ≤ (delay − B)/2)
 *
 * where w is the share of exchanges that meet no congestion.
 */
export class BaseDelay {
  #low = 0;
  #step = 0;
  readonly #logs: Float64Array;
  #mean = 0;
  #deviation = 0;

  constructor(
    private readonly points = 20,
    private readonly memory = 1000,
  ) {
    this.#logs = new Float64Array(points);
  }

  get known(): boolean {
    return this.#step > 0;
  }

  /** Posterior mean, s. */
  get mean(): number {
    return this.#mean;
  }

  /** Posterior standard deviation, s. */
  get deviation(): number {
    return this.#deviation;
  }

  /** Starts from a smallest delay, its expected height above the base and the deviation of that. */
  start(minimum: number, shortfall: number, deviation: number): void {
    this.#grid(minimum - shortfall - 4 * deviation, minimum);
    for (let j = 0; j < this.points; j++) {
      // Rayleigh law of the least of n excesses, with its mean at `shortfall`.
      const x = (minimum - this.#at(j) + 0.1 * this.#step) / shortfall;
      this.#logs[j] = Math.log(x) - (Math.PI / 4) * x * x;
    }
    this.#summarise();
  }

  forget(): void {
    this.#step = 0;
  }

  /** Takes one exchange: predicted offset mean and deviation (stamp noise included), queueing scale, share of quiet exchanges. */
  learn(delay: number, residual: number, deviation: number, scale: number, quiet: number): void {
    if (!this.known) return;
    const blur = Math.max(deviation, 1e-9);
    // What any other exchange would give, whatever the base: keeps one odd exchange from deciding.
    const odd = 1e-5 * Math.exp(-Math.max(0, delay - this.#mean) / (8 * scale)) * Math.min(1, scale / blur);
    for (let j = 0; j < this.points; j++) {
      const excess = Math.max(delay - this.#at(j), 0);
      const half = excess / 2;
      const a = (Math.abs(residual) - half) / blur;
      const b = (Math.abs(residual) + half) / blur;
      const inside = half > 0 ? Math.max(normalTail(a) - normalTail(b), 0) : 0;
      const queue = quiet * Math.exp(-excess / scale) + ((1 - quiet) / 64) * Math.exp(-excess / (8 * scale));
      this.#logs[j] = this.#logs[j]! * (1 - 1 / this.memory) + Math.log(queue * inside + odd + 1e-280);
    }
    this.#summarise();
    const width = this.#step * (this.points - 1);
    const edge = Math.min(this.#mean - this.#low, this.#low + width - this.#mean);
    if (this.#deviation < width / 14 || edge < 2 * this.#deviation) {
      const reach = Math.max(4.5 * this.#deviation, 2 * this.#step);
      this.#regrid(this.#mean - reach, this.#mean + reach);
    }
  }

  #at(j: number): number {
    return this.#low + j * this.#step;
  }

  #grid(low: number, high: number): void {
    this.#low = low;
    this.#step = Math.max((high - low) / (this.points - 1), 1e-10);
  }

  #regrid(low: number, high: number): void {
    const old = this.#logs.slice();
    const oldLow = this.#low;
    const oldStep = this.#step;
    this.#grid(low, high);
    const last = this.points - 1;
    for (let j = 0; j < this.points; j++) {
      const f = (this.#at(j) - oldLow) / oldStep;
      const i = Math.max(0, Math.min(last - 1, Math.floor(f)));
      // Beyond the old grid the slope goes on, but never upwards.
      const slope = old[i + 1]! - old[i]!;
      let value = old[i]! + (f - i) * slope;
      if (f < 0) value = Math.min(value, old[0]!);
      if (f > last) value = Math.min(value, old[last]!);
      this.#logs[j] = value;
    }
    this.#summarise();
  }

  #summarise(): void {
    let top = Number.NEGATIVE_INFINITY;
    for (const log of this.#logs) top = Math.max(top, log);
    let total = 0;
    let first = 0;
    let second = 0;
    for (let j = 0; j < this.points; j++) {
      this.#logs[j]! -= top;
      const p = Math.exp(this.#logs[j]!);
      total += p;
      first += p * j;
      second += p * j * j;
    }
    const mean = first / total;
    this.#mean = this.#low + mean * this.#step;
    this.#deviation = Math.sqrt(Math.max(second / total - mean * mean, 1 / 12)) * this.#step;
  }

  snapshot(): { low: number; step: number; logs: number[] } {
    return { low: this.#low, step: this.#step, logs: [...this.#logs] };
  }

  restore(state: { low: number; step: number; logs: readonly number[] }): void {
    this.#low = state.low;
    this.#step = state.step;
    this.#logs.set(state.logs);
    if (this.known) this.#summarise();
  }
}
