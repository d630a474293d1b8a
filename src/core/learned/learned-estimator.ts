import { type Axis, type Estimate, type Measurement, offsetAfter, timeOn, varianceAfter } from '../contracts/index.js';
import { ClassicalTrack } from './classical-track.js';
import { ConformalFactor } from './conformal.js';
import { corrected, hedged, problemWith, widened } from './correction.js';
import { ExpectedGain } from './expected-gain.js';
import { Gate, pinball } from './gate.js';
import type { Window } from './residual-window.js';
import { Trust } from './trust.js';

/** A move that neither the prediction nor the measurement's queueing explains, in deviations: a step. */
const STEP = 5;

/** Where less than this share of corrections is believed, intervals are in part the classical estimate's. */
const HEDGED = 0.15;

/** Why the classical estimate is told. */
export type Reason = 'few-measurements' | 'several-sources' | 'no-answer' | 'absurd-answer' | 'gate';

/** How often each reason has made the classical estimate the answer, and how often the learned one was. */
export type AnswerCounts = Record<Reason | 'learned', number>;

export function noAnswers(): AnswerCounts {
  return {
    learned: 0,
    'few-measurements': 0,
    'several-sources': 0,
    'no-answer': 0,
    'absurd-answer': 0,
    gate: 0,
  };
}

/** What a model is to be asked, and what is told without it. */
export interface Question {
  readonly classical: Estimate;
  /** Undefined: there is nothing to ask. */
  readonly window: Window | undefined;
}

/** What is told, and on whose word; `problem` is what was wrong with the model's answer. */
export interface Answer {
  readonly estimate: Estimate;
  readonly by: Reason | 'learned';
  readonly problem: string | undefined;
}

/**
 * The classical estimator with a learned correction on it. For each measurement: `take` scores what was believed before
 * (before anything is corrected), then gives the classical posterior and the window to ask a model with; `answer` makes
 * the estimate of what the model said, or falls back and counts why.
 *
 * What was believed is scored only against measurements that can tell: the noise that a delay's excess admits has to be
 * small beside the uncertainty of what is judged, or counts for less.
 */
export class LearnedEstimator {
  readonly gate = new Gate();
  readonly trust = new Trust();
  private readonly expected = new ExpectedGain();
  private answers = 0;
  private readonly track: ClassicalTrack;
  private readonly at68 = new ConformalFactor(0.68);
  private readonly at95 = new ConformalFactor(0.95);
  private classical: Estimate | undefined;
  /** What is made of the model's last answer, also where it is not told, before intervals are widened. */
  private learned: Estimate | undefined;
  /** The same with the whole of the correction, whatever is believed of it. */
  private whole: Estimate | undefined;

  /** `report` is told what the classical estimator has to say; `counts` may go on from another's. */
  constructor(
    private readonly axis: Axis,
    report?: (what: string) => void,
    private readonly gated = true,
    readonly counts: AnswerCounts = noAnswers(),
  ) {
    this.track = new ClassicalTrack(axis, report);
  }

  /** Undefined: the measurement is not believed (no majority stands behind it), and what was told goes on. */
  take(measurement: Measurement): Question | undefined {
    const { classical: before } = this;
    const classical = this.track.observe(measurement);
    if (classical === undefined) return undefined;
    if (before !== undefined) this.score(measurement, before);
    // Whoever followed the step first looks bad by chance: the comparison begins anew.
    if (before !== undefined && this.stepped(before, classical)) this.gate.clear();
    this.classical = classical;
    this.learned = undefined;
    // With several sources there is nothing to gain: the classical estimator weighs their biases and lies, a window does not.
    const { window } = this.track;
    return { classical, window: window.mixed ? undefined : window.features() };
  }

  /** The estimate after a model's answer to the last question; undefined: it gave none. */
  answer(question: Question, answer: ArrayLike<number> | undefined): Answer {
    const { classical, window } = question;
    if (window === undefined) {
      return this.fall(this.track.window.mixed ? 'several-sources' : 'few-measurements', classical);
    }
    if (answer === undefined) return this.fall('no-answer', classical);
    const problem = problemWith(answer);
    if (problem !== undefined) return { ...this.fall('absurd-answer', classical), problem };
    this.expected.add(answer);
    const share = this.trust.share(this.expected.share, ++this.answers);
    this.whole = corrected(classical, answer, window.spacing, 'learned');
    this.learned = this.gated ? corrected(classical, answer, window.spacing, 'learned', share) : this.whole;
    if (this.gated && !this.gate.open) return this.fall('gate', classical);
    this.counts.learned += 1;
    const own = widened(this.learned, this.at68.factor, this.at95.factor);
    const estimate = this.gated ? hedged(own, classical, share / HEDGED) : own;
    return { by: 'learned', estimate, problem: undefined };
  }

  /** UTC has leapt: every offset counts `by` seconds more. */
  leap(by: number): void {
    this.track.leap(by);
    const moved = (estimate: Estimate | undefined): Estimate | undefined =>
      estimate && { ...estimate, offset: estimate.offset + by };
    this.classical = moved(this.classical);
    this.learned = moved(this.learned);
    this.whole = moved(this.whole);
  }

  private fall(by: Reason, estimate: Estimate): Answer {
    this.counts[by] += 1;
    return { by, estimate, problem: undefined };
  }

  /** Judges what was believed by a measurement that it did not know. */
  private score({ source, at, offset, delay }: Measurement, classical: Estimate): void {
    const { learned, whole } = this;
    const noise = this.track.window.noiseOf(source, delay);
    const tau = timeOn(this.axis, at) - timeOn(this.axis, classical.at);
    if (learned === undefined || whole === undefined || noise === undefined || !(tau >= 0)) return;
    const error = offset - offsetAfter(learned, tau);
    const unit = halfWidth(classical, 'at95', tau);
    const other = pinball(offset - offsetAfter(classical, tau), unit);
    const deviation = unit / 1.96;
    // The gate and the share judge what the model said in full, whatever is believed of it at present.
    const line = offsetAfter(classical, tau);
    const said = offsetAfter(whole, tau);
    const loss = pinball(offset - said, halfWidth(whole, 'at95', tau));
    this.gate.score(loss / unit, other / unit, 1 / (1 + (noise / deviation) ** 2));
    this.trust.score(offset - line, said - line, deviation ** 2 + noise ** 2);
    // For the width of an interval only what is about as sure as it will do; what the measurement's own noise adds is
    // taken out again: the share that a width f·h holds is that of errors with error² ≤ (f·h)² + noise².
    if (noise > deviation) return;
    const without = (z: number): number => Math.sqrt(Math.max(0, error ** 2 - (z * noise) ** 2));
    this.at68.add(without(EVEN.at68) / halfWidth(learned, 'at68', tau));
    this.at95.add(without(EVEN.at95) / halfWidth(learned, 'at95', tau));
  }

  private stepped(before: Estimate, after: Estimate): boolean {
    const tau = Math.max(0, timeOn(this.axis, after.at) - timeOn(this.axis, before.at));
    const expected = Math.sqrt(Math.max(before.p00, varianceAfter(before, tau)));
    return Math.abs(after.offset - offsetAfter(before, tau)) > STEP * expected;
  }
}

/** Half of the interval that holds 68 or 95 %, `tau` seconds after an estimate. */
function halfWidth(estimate: Estimate, level: keyof typeof NORMAL, tau: number): number {
  const deviation = Math.sqrt(Math.max(estimate.p00, varianceAfter(estimate, tau)));
  return (estimate.quantiles?.[level] ?? NORMAL[level]) * deviation;
}

const NORMAL = { at68: 0.994, at95: 1.96 };
/** Of a noise that is even within its bounds. */
const EVEN = { at68: 0.68 * Math.sqrt(3), at95: 0.95 * Math.sqrt(3) };
