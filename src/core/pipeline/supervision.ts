import {
  type Estimate,
  type Forecast,
  type History,
  type Measurement,
  type Supervisor,
  type Timekeeper,
  timeOn,
} from '../contracts/index.js';
import { shifted } from './estimates.js';

/** The supervisors of one pipeline, in a row: each judges and changes what the one before it leaves. */
export class Supervision {
  /** What each supervisor was last given. */
  private readonly given: (Estimate | undefined)[];

  constructor(
    private readonly supervisors: readonly Supervisor[],
    private readonly timekeeper: Timekeeper,
    private readonly level: number,
  ) {
    this.given = supervisors.map(() => undefined);
  }

  /** A measurement has come: the forecasts are those that were in force before it. */
  observe(measurement: Measurement, history: History): void {
    this.supervisors.forEach((supervisor, index) => {
      const estimate = this.given[index];
      supervisor.observe?.(measurement, estimate && this.forecast(estimate, measurement, history), history);
    });
  }

  supervise(estimate: Estimate, history: History): Estimate {
    return this.supervisors.reduce((current, supervisor, index) => {
      this.given[index] = current;
      return supervisor.supervise(current, history);
    }, estimate);
  }

  /** UTC has leapt: see `shifted`. */
  leap(by: number): void {
    this.given.forEach((estimate, index) => {
      this.given[index] = estimate && shifted(estimate, by);
    });
  }

  private forecast(estimate: Estimate, { at, offset }: Measurement, { axis }: History): Forecast {
    const told = this.timekeeper.tell(estimate, at, this.level);
    const error = told.axis === axis ? told.offset - offset : told.time - (timeOn(axis, at) + offset);
    return { estimate, told, error };
  }
}
