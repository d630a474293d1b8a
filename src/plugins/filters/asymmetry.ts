import { inject } from 'inversify';
import { z } from 'zod';
import { type Filter, type History, type Measurement, type Snapshot, timeOn } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';

const Options = z.strictObject({
  window: z.int().min(8).default(64).meta({ description: 'How many measurements the regression remembers.' }),
  least: z.int().min(4).default(6).meta({ description: 'Nothing is corrected with fewer measurements than this.' }),
  significance: z
    .number()
    .positive()
    .default(4)
    .meta({ description: 'Nor with a slope of less than so many of its standard errors.' }),
});

interface Point {
  readonly delay: number;
  readonly residual: number;
  /** Inverse variance of the prediction, s⁻². */
  readonly weight: number;
}

const State = z.strictObject({
  points: z.array(z.strictObject({ delay: z.number(), residual: z.number(), weight: z.number() })),
});
const VERSION = 1;

/**
 * Takes asymmetric queueing out of the offsets. Where the queue is mostly on one way, a measurement is off in proportion
 * to what its round trip exceeds the shortest by: offset error = a·(δ − δ_min), a = +½ for a queue all on the way there,
 * −½ for one all on the way back (compare chronyd's `asymmetry`). The slope a is a regression of the offsets'
 * residuals against what the pipeline believed before each; it is used where it is significant, and never beyond ±½. A
 * constant asymmetry of the paths cannot be seen by anybody.
 */
@plugin({
  kind: 'filter',
  name: 'asymmetry',
  summary: 'Takes asymmetric queueing out of the offsets',
  options: Options,
})
export class AsymmetryFilter implements Filter {
  private readonly points: Point[] = [];

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  filter(measurement: Measurement, { estimate, axis }: History): Measurement {
    if (estimate === undefined) return measurement;
    const { points } = this;
    const age = timeOn(axis, measurement.at) - timeOn(axis, estimate.at);
    const residual = measurement.offset - estimate.offset - estimate.drift * age;
    // A step of the clock is no queue: nothing before it can be compared with what comes after.
    if (Math.abs(residual) > measurement.delay + 5 * Math.sqrt(estimate.p00 + age * age * estimate.p11)) {
      points.length = 0;
      return measurement;
    }
    // A residual tells of queues as far as the prediction is sure.
    const predicted = estimate.p00 + age * (2 * estimate.p01 + age * estimate.p11);
    if (predicted > measurement.delay ** 2) return measurement;
    points.push({ delay: measurement.delay, residual, weight: 1 / Math.max(predicted, Number.MIN_VALUE) });
    if (points.length > this.options.window) points.shift();
    const slope = this.slope();
    if (slope === 0) return measurement;
    const shortest = points.reduce((least, { delay }) => Math.min(least, delay), Number.POSITIVE_INFINITY);
    const correction = slope * (measurement.delay - shortest);
    return { ...measurement, offset: measurement.offset - correction };
  }

  private slope(): number {
    const { points } = this;
    const n = points.length;
    if (n < this.options.least) return 0;
    let total = 0;
    let meanDelay = 0;
    let meanResidual = 0;
    for (const { delay, residual, weight } of points) {
      total += weight;
      meanDelay += weight * delay;
      meanResidual += weight * residual;
    }
    meanDelay /= total;
    meanResidual /= total;
    let xx = 0;
    let xy = 0;
    let yy = 0;
    for (const { delay, residual, weight } of points) {
      xx += weight * (delay - meanDelay) ** 2;
      xy += weight * (delay - meanDelay) * (residual - meanResidual);
      yy += weight * (residual - meanResidual) ** 2;
    }
    if (xx === 0) return 0;
    const slope = xy / xx;
    const error = Math.sqrt(Math.max(0, yy - slope * xy) / (n - 2) / xx);
    return Math.abs(slope) > this.options.significance * error ? Math.max(-0.5, Math.min(0.5, slope)) : 0;
  }

  snapshot(): Snapshot {
    return { version: VERSION, state: { points: this.points } };
  }

  restore(snapshot: Snapshot): void {
    this.points.push(...stateIn(snapshot, VERSION, State).points.slice(-this.options.window));
  }
}
