import { Subject } from 'rxjs';
import {
  type Axis,
  type ClockReading,
  type DatasetCorrector,
  type Estimate,
  type History,
  type Measurement,
  type TrajectoryPoint,
  timeOn,
} from '../contracts/index.js';
import { logOf } from './measurement-log.js';

/** Seconds before the last measurement after which a point can no longer be revised: twice the longest method's reach. */
const REACH = 1024;
/** Where nothing is measured for days the oldest points settle too. */
const CAPACITY = 16_384;
/** Measurements that dataset correctors are shown. */
const EARLIER = 256;

/**
 * The past predictions of one pipeline, in order of their targets. A point settles when nothing will revise it any
 * more; that is when the retrospective log is scored.
 */
export class Trajectory {
  readonly added = new Subject<TrajectoryPoint>();
  readonly settled = new Subject<TrajectoryPoint>();
  private points: readonly TrajectoryPoint[] = [];
  /** Deviation and maximum error that the last prediction claimed, for those who learn from the trajectory. */
  private last: Estimate | undefined;

  constructor(
    private readonly axis: Axis,
    private readonly corrector: DatasetCorrector | undefined,
  ) {}

  add(prediction: Estimate, issued: ClockReading): void {
    const point = { issued, target: prediction.at, offset: prediction.offset, drift: prediction.drift };
    this.last = prediction;
    this.points = [...this.points, point];
    this.added.next(point);
    if (this.points.length > CAPACITY) this.settle(CAPACITY / 4);
  }

  /** A measurement has come; the history does not hold it yet. */
  revise(measurement: Measurement, predicted: number | undefined, { measurements }: History): void {
    const { axis, corrector } = this;
    if (corrector !== undefined && this.points.length > 0) {
      this.points = corrector.revise(this.points, {
        axis,
        measurement,
        predicted,
        earlier: measurements.last(EARLIER),
      });
    }
    const now = timeOn(axis, measurement.at);
    const open = this.points.findIndex(({ target }) => timeOn(axis, target) >= now - REACH);
    this.settle(open < 0 ? this.points.length : open);
  }

  /** The run is over, or UTC has leapt and what was predicted before is no longer to be revised: all points settle. */
  end(): void {
    this.settle(this.points.length);
  }

  /** The history with the trajectory's points among the measurements, as if they had been measured. */
  contextFor(history: History): History {
    const merged = (): readonly Measurement[] => this.mergedWith(history.measurements.last(EARLIER));
    return {
      axis: history.axis,
      observed: history.observed,
      get measurements() {
        return logOf(merged());
      },
      get estimate() {
        return history.estimate;
      },
    };
  }

  private mergedWith(measured: readonly Measurement[]): readonly Measurement[] {
    const model = measured.at(-1);
    if (model === undefined) return measured;
    const claimed = this.last;
    const learned = this.points.map(
      ({ target, offset }): Measurement => ({
        ...model,
        source: 'trajectory',
        at: target,
        offset,
        uncertainty: claimed === undefined ? model.uncertainty : Math.sqrt(claimed.p00),
        rootDistance: claimed?.maxError ?? model.rootDistance,
      }),
    );
    return [...measured, ...learned].sort((a, b) => timeOn(this.axis, a.at) - timeOn(this.axis, b.at));
  }

  private settle(count: number): void {
    for (const point of this.points.slice(0, count)) this.settled.next(point);
    if (count > 0) this.points = this.points.slice(count);
  }
}
