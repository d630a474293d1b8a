import type { Axis, ClockReading } from './clock.js';
import type { Measurement } from './measurement.js';

/** One past prediction: made at `issued`, for `target`; as it was, or as a dataset corrector has revised it since. */
export interface TrajectoryPoint {
  readonly issued: ClockReading;
  readonly target: ClockReading;
  readonly offset: number;
  readonly drift: number;
}

/** A measurement that arrives, and what there was before it. */
export interface Occasion {
  readonly axis: Axis;
  readonly measurement: Measurement;
  /** ô(t₁): the offset that was predicted for the measurement's instant; undefined if nothing was. */
  readonly predicted: number | undefined;
  /** The measurements taken before it, the oldest first; not all of the run's. */
  readonly earlier: readonly Measurement[];
}

/**
 * A plugin of kind `dataset-corrector`: revises a pipeline's past predictions when a measurement arrives. The trajectory
 * is a retrospective log and is scored as such; what is told now does not come from it, and predictors learn from it
 * only where the pipeline says `context: trajectory`.
 *
 * What an implementer owes: the points in order, each with its own `issued` and `target`; points may be left out, never
 * added. Finite numbers. Its input is left as it is.
 */
export interface DatasetCorrector {
  revise(trajectory: readonly TrajectoryPoint[], occasion: Occasion): readonly TrajectoryPoint[];
}
