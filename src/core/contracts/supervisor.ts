import type { CorrectedTime, Estimate } from './estimate.js';
import type { History } from './history.js';
import type { Measurement } from './measurement.js';
import type { Stateful } from './state.js';

/** What would have been told for a measurement's instant before it was known. */
export interface Forecast {
  readonly estimate: Estimate;
  readonly told: CorrectedTime;
  /** told − measured, seconds. */
  readonly error: number;
}

/**
 * A plugin of kind `supervisor`: stands between the estimate in force and the timekeeper, and may put another estimate
 * in its place: with other bounds, or another clock's. It acts on the output only: predictors and correctors never see
 * what it does. Several stand in a row; each sees what the one before it leaves.
 *
 * What an implementer owes: it judges forecasts made before the measurement, never the estimate that has seen it.
 */
export interface Supervisor extends Stateful {
  /** A measurement that nothing has been told of yet. `forecast`: what this supervisor was last given, carried to it. */
  observe?(measurement: Measurement, forecast: Forecast | undefined, history: History): void;
  /** An estimate has come into force: what to tell from. */
  supervise(estimate: Estimate, history: History): Estimate;
}
