import { type Occasion, type TrajectoryPoint, timeOn } from '../contracts/index.js';

/** The interval between the previous measurement and the one that has come. Seconds of the pipeline's axis. */
export interface Interval {
  /** t₀ and D = t₁ − t₀. */
  readonly start: number;
  readonly length: number;
  /** E: measured − predicted offset at t₁. */
  readonly error: number;
  /** d = t − t₀ of every point with t₀ ≤ t < t₁. */
  readonly distances: readonly number[];
}

/**
 * What most dataset correctors do: revise the points between the two measurements, each by its distance from the first.
 * Nothing is revised where there is no previous measurement, no prediction of this one, or no time between them.
 */
export function reviseInterval(
  trajectory: readonly TrajectoryPoint[],
  { axis, measurement, predicted, earlier }: Occasion,
  method: (interval: Interval) => (point: TrajectoryPoint, distance: number) => TrajectoryPoint,
): readonly TrajectoryPoint[] {
  const previous = earlier.at(-1);
  if (previous === undefined || predicted === undefined) return trajectory;
  const start = timeOn(axis, previous.at);
  const length = timeOn(axis, measurement.at) - start;
  if (!(length > 0)) return trajectory;
  const distanceOf = ({ target }: TrajectoryPoint): number => timeOn(axis, target) - start;
  const inside = (d: number): boolean => d >= 0 && d < length;
  const distances = trajectory.map(distanceOf).filter(inside);
  const revise = method({ start, length, error: measurement.offset - predicted, distances });
  return trajectory.map(point => {
    const d = distanceOf(point);
    return inside(d) ? revise(point, d) : point;
  });
}
