import type { Estimate } from './estimate.js';
import type { History } from './history.js';
import type { Measurement } from './measurement.js';

/** A corrector's state as JSON, with the version of its layout. */
export interface Snapshot {
  readonly version: number;
  readonly state: unknown;
}

/**
 * A plugin of kind `corrector`: the posterior estimate, when a measurement arrives.
 *
 * `prior` is the predictor's, at the measurement's instant and from what was known before it (undefined if it knows
 * nothing yet); `history` does not hold the measurement yet.
 *
 * What an implementer owes: finite numbers, a covariance that is positive semi-definite, an `at` that is the
 * measurement's. To decline a measurement, return `prior` itself: the predictor, which by then has the measurement in
 * its history, is then asked for the estimate to tell from.
 */
export interface Corrector {
  correct(prior: Estimate | undefined, measurement: Measurement, history: History): Estimate | undefined;
  snapshot?(): Snapshot;
  /** Throws an Error that says what is wrong where the snapshot is not its own or of another version. */
  restore?(snapshot: Snapshot): void;
}
