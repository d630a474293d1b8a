import type { Estimate } from './estimate.js';
import type { History } from './history.js';
import type { Measurement } from './measurement.js';
import type { Stateful } from './state.js';

/** A source that is not believed: why, for people and logs. One that contradicts the majority: "falseticker: …". */
export interface Doubt {
  readonly source: string;
  readonly reason: string;
}

/** The measurement is not believed: why, for people and logs. */
export interface Declined {
  readonly declined: string;
}

/**
 * A plugin of kind `corrector`: the posterior estimate, when a measurement arrives.
 *
 * `prior` is the predictor's, at the measurement's instant and from what was known before it (undefined if it knows
 * nothing yet); `history` does not hold the measurement yet. `prediction` is what `prior` was carried forward from: the
 * predictor's answer as it was given, at its own reading, in a pipeline that predicts between measurements; elsewhere
 * it is `prior` itself.
 *
 * What an implementer owes: finite numbers, a covariance that is positive semi-definite, an `at` that is the
 * measurement's. A corrector that has nothing to say returns undefined: the predictor, which by then has the
 * measurement in its history, is asked for the estimate to tell from. One that does not believe the measurement returns
 * `{ declined: reason }`: the same happens, but nobody walks from that measurement and its verdict says why.
 */
export interface Corrector extends Stateful {
  correct(
    prior: Estimate | undefined,
    measurement: Measurement,
    history: History,
    prediction: Estimate | undefined,
  ): Estimate | Declined | undefined;
  /**
   * A new prediction between two measurements: what to tell from instead. Without this method, the prediction. Never
   * becomes an input of the predictor.
   */
  refine?(prediction: Estimate, history: History): Estimate;
  /**
   * For state of its own: every offset measured or believed before counts `by` seconds more, give or take `deviation`
   * (0 where left out): UTC has leapt, or the counter stood still while the machine was suspended.
   */
  leap?(by: number, deviation?: number): void;
  /** Sources that it was given and leaves out, as of the last measurement: they are "not used" in the round's verdicts. */
  doubts?(): readonly Doubt[];
}

export function isDeclined(answer: Estimate | Declined | undefined): answer is Declined {
  return answer !== undefined && 'declined' in answer;
}
