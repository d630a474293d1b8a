import type { CorrectionSummary } from '../contracts/index.js';

/**
 * When a correction helped and when it hurt. Each is judged when the next round closes, by what would then be told: from
 * the corrected estimate, and from the prediction that it replaced.
 */
export class CorrectionScore<Estimate> {
  private pending: { readonly corrected: Estimate; readonly predicted: Estimate } | undefined;
  private helped = 0;
  private hurt = 0;
  private gained = 0;
  private lost = 0;
  private declined = 0;

  /** Judges the last correction. `errorOf` gives told − reference, seconds, if the time were told from an estimate. */
  judge(errorOf: (estimate: Estimate) => number): void {
    if (this.pending === undefined) return;
    const { corrected, predicted } = this.pending;
    this.pending = undefined;
    const gain = Math.abs(errorOf(predicted)) - Math.abs(errorOf(corrected));
    if (gain > 0) {
      this.helped += 1;
      this.gained += gain;
    } else if (gain < 0) {
      this.hurt += 1;
      this.lost -= gain;
    }
  }

  made(corrected: Estimate, predicted: Estimate): void {
    this.pending = { corrected, predicted };
  }

  passed(): void {
    this.declined += 1;
  }

  summary(): CorrectionSummary {
    const { helped, hurt, gained, lost, declined } = this;
    return {
      helped,
      hurt,
      helpedBy: helped === 0 ? null : gained / helped,
      hurtBy: hurt === 0 ? null : lost / hurt,
      declined,
    };
  }
}
