/** How fast evidence is forgotten, for each unit of information. */
const FORGETTING = 0.99;

/**
 * How much evidence it takes to outweigh what is believed of corrections before this clock has shown anything, and the
 * expected gain from which on that is all of them. Below, it is less by the third power: of a share s of corrections the
 * gain is as 2s − s², but what they cost on a clock where they happen to be wrong is as s.
 */
const PRIOR = 60;
const MUCH = 0.21;
/** For so many answers belief grows from nothing: before them nobody can have seen whether the model knows such a clock. */
const GROWS = 64;

/** What lies farther from both lines than so many deviations tells of neither; and no one measurement tells more. */
const FAR = 3;
const MOST = 4;

/**
 * How much of the corrections is to be believed, from 0 to 1: the regression of what measurements then showed (measured −
 * classical line) on what had been said (corrected − classical line), weighed by what each can tell, and drawn to what is
 * believed beforehand, b. Where corrections help, measurements lie on their side of the classical line.
 *
 * share = (P·b + Σ s·m)/(P + Σ s²), both in deviations of the classical line and of the measurement together.
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

  /** `expected`: by what part the model expects to lower the mean absolute error; `answers`: how many it has given. */
  share(expected: number, answers: number): number {
    const believed = Math.min(1, expected / MUCH) ** 3 * Math.min(1, answers / GROWS);
    return Math.min(1, Math.max(0, (PRIOR * believed + this.along) / (PRIOR + this.information)));
  }
}
