import type { Axis, Estimate, Measurement } from '../contracts/index.js';
import { observeMeasurement } from '../estimation/ensemble-estimate.js';
import { EnsembleEstimator } from '../estimation/ensemble-estimator.js';
import { ResidualWindow } from './residual-window.js';

/** The classical estimator at work, and the window of what it has lately made of its measurements. */
export class ClassicalTrack {
  readonly window: ResidualWindow;
  private readonly estimator = new EnsembleEstimator();

  constructor(private readonly axis: Axis) {
    this.window = new ResidualWindow(axis);
  }

  /** The classical posterior with this measurement. */
  observe(measurement: Measurement): Estimate {
    const estimate = observeMeasurement(this.estimator, measurement, this.axis);
    this.window.add(measurement, estimate);
    return estimate;
  }

  /** UTC has leapt: every offset counts `by` seconds more. The estimator itself sees a step. */
  leap(by: number): void {
    this.window.shift(by);
  }
}
