/** How fast a score is forgotten, for each scored measurement's worth. */
const FORGETTING = 0.985;
/** Worth of scored measurements from which on the comparison counts. */
const ENOUGH = 8;
/**
 * How many standard errors worse it has to be. Errors of successive answers are alike, so that there is less evidence than
 * there are scores; and the model has been right on thousands of clocks before this one.
 */
const SURE = 5;

/** Pinball loss of a normal quantile forecast at the median and at 95 %, of an error and the half-width told for it. */
export function pinball(error: number, half95: number): number {
  const size = Math.abs(error);
  const beyond = Math.max(0, size - half95);
  return 0.5 * size + 0.025 * half95 + beyond;
}

/**
 * Whether the learned answers may be told: shut where their running score is worse than the classical one's on the same
 * measurements by more than chance makes it, and open again where that is no longer so. A measurement counts by how much it
 * can tell: the noise that its delay admits beside the uncertainty of what is judged.
 *
 * The running mean of the difference is Σ wᵢdᵢ/Σ wᵢ, its variance Σ wᵢ²(dᵢ − d̄)²/(Σ wᵢ)², all sums forgetting.
 */
export class Gate {
  open = true;
  private worth = 0;
  private sum = 0;
  private worth2 = 0;
  private sum2 = 0;
  private square2 = 0;

  /** Losses of both on one measurement, in the same unit, and its worth from 0 to 1. */
  score(learned: number, classical: number, worth: number): void {
    const difference = learned - classical;
    if (!Number.isFinite(difference)) return;
    const kept = FORGETTING ** worth;
    this.worth = this.worth * kept + worth;
    this.sum = this.sum * kept + worth * difference;
    this.worth2 = this.worth2 * kept ** 2 + worth ** 2;
    this.sum2 = this.sum2 * kept ** 2 + worth ** 2 * difference;
    this.square2 = this.square2 * kept ** 2 + worth ** 2 * difference ** 2;
    if (this.worth < ENOUGH) return;
    const mean = this.sum / this.worth;
    const spread = this.square2 - 2 * mean * this.sum2 + mean ** 2 * this.worth2;
    const error = Math.sqrt(Math.max(0, spread)) / this.worth;
    if (mean > SURE * error) this.open = false;
    else if (mean < error) this.open = true;
  }

  clear(): void {
    this.open = true;
    this.worth = 0;
    this.sum = 0;
    this.worth2 = 0;
    this.sum2 = 0;
    this.square2 = 0;
  }
}
