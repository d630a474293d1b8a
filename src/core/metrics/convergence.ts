import type { CorrectedTime } from '../contracts/index.js';

/** When an error was beyond a limit for the last time: what "converged by" means. Seconds of the run's time. */
export class Convergence {
  private last = 0;

  constructor(readonly within: number) {}

  add(t: number, error: number): void {
    if (!(Math.abs(error) <= this.within)) this.last = t;
  }

  get by(): number {
    return this.last;
  }
}

/**
 * The frequency error of a told time: how fast told − true grows, from what is told at a reading and at the same
 * reading a second later, and from the true frequency error y of the counter: (1 + y)·(1 + slope) − 1.
 */
export function toldFrequency(now: CorrectedTime, later: CorrectedTime, frequency: number): number {
  const slope = later.offset - now.offset;
  return frequency + slope + frequency * slope;
}

/** Largest size and root mean square of what was added. */
export class SizeAccumulator {
  private n = 0;
  private sumSquare = 0;
  private worst = 0;

  add(value: number): void {
    this.n += 1;
    this.sumSquare += value * value;
    this.worst = Math.max(this.worst, Math.abs(value));
  }

  summary(): { readonly max: number; readonly rms: number } | null {
    return this.n === 0 ? null : { max: this.worst, rms: Math.sqrt(this.sumSquare / this.n) };
  }
}
