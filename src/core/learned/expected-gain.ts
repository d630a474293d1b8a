import { LEVELS } from './correction.js';

/** How long it is remembered what was expected, as the weight of one answer beside those before it. */
const KEPT = 0.97;

/** Share of a law that lies about each level: halfway to the levels beside it. */
const SHARES = LEVELS.map((level, i) => {
  const [before, after] = [LEVELS[i - 1], LEVELS[i + 1]];
  return (after === undefined ? 1 : (level + after) / 2) - (before === undefined ? 0 : (before + level) / 2);
});
const MEDIAN = LEVELS.indexOf(0.5);

/**
 * What a model itself expects of its corrections: by how much the mean absolute error about its median is less than about
 * zero, which is the classical line, both under the law that it gives for now. From 0 to 1.
 */
export class ExpectedGain {
  private corrected = 0;
  private classical = 0;

  /** An answer, whose first row is the law now: quantiles at LEVELS. */
  add(answer: ArrayLike<number>): void {
    this.corrected *= KEPT;
    this.classical *= KEPT;
    for (let i = 0; i < SHARES.length; i++) {
      this.corrected += SHARES[i]! * Math.abs(answer[i]! - answer[MEDIAN]!);
      this.classical += SHARES[i]! * Math.abs(answer[i]!);
    }
  }

  get share(): number {
    return this.classical > 0 ? Math.max(0, 1 - this.corrected / this.classical) : 0;
  }
}
