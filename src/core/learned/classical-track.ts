import { type Axis, type Estimate, isDeclined, type Measurement } from '../contracts/index.js';
import { EnsembleCorrection } from '../estimation/ensemble-correction.js';
import { MeasurementRing } from '../pipeline/measurement-log.js';
import { ResidualWindow } from './residual-window.js';

/** Measurements that the classical estimator may look back at. */
const REMEMBERED = 64;

/** The classical estimator at work, and the window of what it has lately made of its measurements. */
export class ClassicalTrack {
  readonly window: ResidualWindow;
  private readonly corrector: EnsembleCorrection;
  private readonly observed = new MeasurementRing(REMEMBERED);
  private estimate: Estimate | undefined;

  constructor(
    private readonly axis: Axis,
    report: (what: string) => void = () => {},
  ) {
    this.window = new ResidualWindow(axis);
    this.corrector = new EnsembleCorrection([], report);
  }

  /** The classical posterior with this measurement; undefined: it is not believed, and what was told goes on. */
  observe(measurement: Measurement): Estimate | undefined {
    const { axis, observed, estimate } = this;
    observed.add(measurement);
    const answer = this.corrector.correct(undefined, measurement, { axis, measurements: observed, observed, estimate });
    if (isDeclined(answer)) return undefined;
    this.estimate = answer;
    this.window.add(measurement, answer);
    return answer;
  }

  /** UTC has leapt: every offset counts `by` seconds more. */
  leap(by: number): void {
    this.corrector.leap(by);
    this.observed.shift(by);
    this.window.shift(by);
    if (this.estimate !== undefined) this.estimate = { ...this.estimate, offset: this.estimate.offset + by };
  }
}
