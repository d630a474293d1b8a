/** How fast evidence is forgotten, for each unit of information. */
const FORGETTING = 0.99;

/**
 * What counts for corrections before this clock has shown anything, where the model expects much of them: it has been right
 * on thousands of others. Where it expects little, it may be mistaken about that, and the clock has to show it.
 */
const PRIOR = 60;
/** From this expected gain on the prior counts in full; below, as its fourth power. */
const MUCH = 0.2;

/** What lies farther from both lines than so many deviations tells of neither; and no one measurement tells more. */
const FAR = 3;
const MOST = 4;

/**
 * How much of the corrections is to be believed, from 0 to 1: the regression of what measurements then showed (measured −
 * classical line) on what had been said (corrected − classical line), weighed by what each can tell, and drawn to
 * all of them. Where corrections help, measurements lie on their side of the classical line.
 *
 * share = (P + Σ s·m)/(P + Σ s²), both in deviations of the classical line and of the measurement together, P by what is
 * expected of the corrections.
 */
export class Trust {
  private along = 0;
  private information = 0;

  /** What was measured and what had been said, both beside the classical line, and the variance of their difference. */
  score(measured: number, said: number, variance: number): void {
    const sd = Math.sqrt(variance);
    if (!(sd > 0) || !Number.isFinite(measured + said)) return;
    const s = said / sd;
    const m = s / 2 + Math.min(FAR, Math.max(-FAR, measured / sd - s / 2));
    const worth = s * s > MOST ? MOST / (s * s) : 1;
    const information = worth * s * s;
    const kept = FORGETTING ** Math.min(1, information);
    this.along = this.along * kept + worth * s * m;
    this.information = this.information * kept + information;
  }

  /** `expected`: by what part the model expects to lower the mean absolute error. */
  share(expected: number): number {
    const prior = PRIOR * Math.min(1, expected / MUCH) ** 4;
    const information = prior + this.information;
    return information > 0 ? Math.min(1, Math.max(0, (prior + this.along) / information)) : 1;
  }
}
