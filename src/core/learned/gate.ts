/** How fast a score is forgotten, for each scored measurement's worth. */
const FORGETTING = 0.985;
/** Worth of scored measurements from which on the comparison counts. */
const ENOUGH = 6;

/** Pinball loss of a normal quantile forecast at the median and at 95 %, of an error and the half-width told for it. */
export function pinball(error: number, half95: number): number {
  const size = Math.abs(error);
  const beyond = Math.max(0, size - half95);
  return 0.5 * size + 0.025 * half95 + beyond;
}

/**
 * Whether the learned answers may be told: for as long as their running score is not worse than the classical one's on
 * the same measurements. A measurement counts by how much it can tell: the noise that its delay admits beside the
 * uncertainty of what is judged.
 */
export class Gate {
  private learned = 0;
  private classical = 0;
  private worth = 0;

  get open(): boolean {
    return this.worth < ENOUGH || this.learned <= this.classical;
  }

  /** Of the learned answer to the classical one; undefined while too little has been scored. */
  get ratio(): number | undefined {
    return this.worth < ENOUGH ? undefined : this.learned / this.classical;
  }

  /** Losses of both on one measurement, in the same unit, and its worth from 0 to 1. */
  score(learned: number, classical: number, worth: number): void {
    if (!Number.isFinite(learned + classical)) return;
    const kept = FORGETTING ** worth;
    this.learned = this.learned * kept + learned * worth;
    this.classical = this.classical * kept + classical * worth;
    this.worth = this.worth * kept + worth;
  }

  clear(): void {
    this.learned = 0;
    this.classical = 0;
    this.worth = 0;
  }
}
