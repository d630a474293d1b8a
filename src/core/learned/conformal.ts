/** How many of the last scores are looked at, and how much they have to outweigh before they are believed outright. */
const REMEMBERED = 200;
const PRIOR = 20;

/**
 * A factor on half-widths so that they would have held a share `level` of the last scored errors (split conformal
 * prediction: Vovk 2005; the ⌈(n+1)·level⌉-th smallest of error/half-width), drawn to 1 while there are few.
 */
export class ConformalFactor {
  private readonly scores: number[] = [];

  constructor(private readonly level: number) {}

  /** `score` is an error's size as a multiple of the half-width that was told for it. */
  add(score: number): void {
    if (!Number.isFinite(score)) return;
    this.scores.push(score);
    if (this.scores.length > REMEMBERED) this.scores.shift();
  }

  get factor(): number {
    const n = this.scores.length;
    const rank = Math.ceil((n + 1) * this.level);
    if (rank > n) return 1;
    const raw = Float64Array.from(this.scores).sort()[rank - 1]!;
    const factor = Math.max(raw, 1e-3) ** (n / (n + PRIOR));
    return Math.min(2.5, Math.max(0.5, factor));
  }
}
