import type { Axis } from './clock.js';
import type { Estimate } from './estimate.js';
import type { MeasurementLog } from './measurement.js';

/**
 * What a predictor learns from: measurements with their own, irregular times. A predictor's past answers are not in
 * it; `estimate` is the corrector's last posterior, a state to propagate, never a label to learn from.
 */
export interface History {
  readonly axis: Axis;
  /** What the combiner let through, in the order taken. */
  readonly measurements: MeasurementLog;
  /** Every source's measurements, as the filters left them. */
  readonly observed: MeasurementLog;
  /** The last posterior; undefined before the first measurement. */
  readonly estimate: Estimate | undefined;
}
