import type { Settling } from '../contracts/index.js';

/** How far to the other side counts as having crossed, in standard deviations of the drift. */
const HYSTERESIS = 0.5;

/**
 * Remembers where a clock's drift has been, for the time when nothing is heard any more. A drift that goes up and down
 * about a mean (an air conditioner, a load) is best continued by that mean, not by its last value: chronyd's
 * `fallbackdrift`. A drift that has not crossed its mean several times is a random walk as far as anybody can tell, and
 * its last value is the best guess.
 */
export class DriftMemory {
  private seconds = 0;
  private mean = 0;
  private m2 = 0;
  private side = 0;
  private crossings = 0;

  /** @param habit a drift that has come and gone across its mean so often does so by habit, not by chance */
  constructor(private readonly habit = 4) {}

  /** `drift` was believed for `seconds` seconds. */
  add(drift: number, seconds: number): void {
    if (!(seconds > 0)) return;
    this.seconds += seconds;
    const delta = drift - this.mean;
    this.mean += (delta * seconds) / this.seconds;
    this.m2 += seconds * delta * (drift - this.mean);
    const away = drift - this.mean;
    if (Math.abs(away) < HYSTERESIS * Math.sqrt(this.m2 / this.seconds)) return;
    const side = Math.sign(away);
    if (this.side !== 0 && side !== this.side) this.crossings += 1;
    this.side = side;
  }

  /** Where the drift goes if nothing more is heard; undefined where its last value is the best guess. */
  get settling(): Settling | undefined {
    if (this.crossings < this.habit) return undefined;
    // Half of the mean time on one side: about a radian and a half of a cycle.
    const relaxation = this.seconds / this.crossings / 2;
    return { drift: this.mean, relaxation, variance: this.m2 / this.seconds };
  }

  snapshot(): readonly number[] {
    return [this.seconds, this.mean, this.m2, this.side, this.crossings];
  }

  restore(state: readonly number[]): void {
    [this.seconds = 0, this.mean = 0, this.m2 = 0, this.side = 0, this.crossings = 0] = state;
  }
}
