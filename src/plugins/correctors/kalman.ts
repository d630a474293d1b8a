import { inject } from 'inversify';
import { z } from 'zod';
import type { Corrector, Declined, Estimate, History, Measurement, Snapshot } from '../../core/contracts/index.js';
import { firstEstimate, maxErrorRate } from '../../core/pipeline/estimates.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { formatTime, ratio } from '../../core/quantity.js';

const Options = z.strictObject({
  drift: ratio('Drift of a clock that nothing is known of, one standard deviation.', { min: 0 }).prefault('200 ppm'),
  gate: z.number().positive().default(5).meta({ description: 'Innovations beyond this many deviations are outliers.' }),
  confirm: z
    .int()
    .min(1)
    .default(2)
    .meta({ description: 'This many outliers in a row to one side are a step of the clock.' }),
});

const State = z.strictObject({ outliers: z.int().min(0), side: z.number() });
const VERSION = 1;

/**
 * The Kalman update for state [offset, drift] and a measured offset z with variance R:
 * S = P₀₀ + R, K = [P₀₀, P₀₁]/S, x ← x + K·(z − θ), P ← (I − K·H)·P (all three terms), H = [1 0].
 *
 * An innovation beyond `gate`·√S is an outlier and is passed over; `confirm` of them in a row to one side are a step or
 * a frequency jump of the clock: the state restarts at the measurement, with a drift as uncertain as the jump shows.
 */
@plugin({
  kind: 'corrector',
  name: 'kalman',
  summary: 'Kalman update of offset and drift with full covariance',
  options: Options,
})
export class KalmanCorrector implements Corrector {
  private outliers = 0;
  private side = 0;

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  correct(prior: Estimate | undefined, measurement: Measurement, { axis }: History): Estimate | Declined {
    if (prior === undefined) {
      return firstEstimate(measurement, axis, this.options.drift, { whiteFm: 0, randomWalkFm: 0 }, 'kalman');
    }
    const innovation = measurement.offset - prior.offset;
    const r = measurement.uncertainty ** 2;
    const s = prior.p00 + r;
    if (this.isOutlier(innovation, s)) {
      if (this.outliers < this.options.confirm) {
        const deviations = Math.abs(innovation) / Math.sqrt(s);
        return { declined: `innovation ${formatTime(innovation, true)} is ${deviations.toFixed(1)} deviations` };
      }
      this.outliers = 0;
      return this.restart(prior, measurement);
    }
    const k0 = prior.p00 / s;
    const k1 = prior.p01 / s;
    const offset = prior.offset + k0 * innovation;
    const p11 = Math.max(0, prior.p11 - k1 * prior.p01);
    return {
      at: measurement.at,
      axis,
      whiteFm: prior.whiteFm,
      randomWalkFm: prior.randomWalkFm,
      offset,
      drift: prior.drift + k1 * innovation,
      p00: k0 * r,
      p01: (1 - k0) * prior.p01,
      p11,
      maxError: Math.min(
        prior.maxError + Math.abs(offset - prior.offset),
        measurement.rootDistance + Math.abs(offset - measurement.offset),
      ),
      maxErrorRate: maxErrorRate(p11),
      by: 'kalman',
    };
  }

  snapshot(): Snapshot {
    return { version: VERSION, state: { outliers: this.outliers, side: this.side } };
  }

  restore({ version, state }: Snapshot): void {
    if (version !== VERSION) throw new Error(`expected a snapshot of version ${VERSION}, found ${version}`);
    ({ outliers: this.outliers, side: this.side } = State.parse(state));
  }

  private isOutlier(innovation: number, s: number): boolean {
    if (Math.abs(innovation) <= this.options.gate * Math.sqrt(s)) {
      this.outliers = 0;
      return false;
    }
    const side = Math.sign(innovation);
    this.outliers = side === this.side ? this.outliers + 1 : 1;
    this.side = side;
    return true;
  }

  /** After a step the old drift is still the best guess, unless the frequency jumped: then it is as wrong as this. */
  private restart(prior: Estimate, measurement: Measurement): Estimate {
    const p11 = Math.max(prior.p11, this.options.drift ** 2);
    return {
      ...prior,
      at: measurement.at,
      offset: measurement.offset,
      p00: measurement.uncertainty ** 2,
      p01: 0,
      p11,
      maxError: measurement.rootDistance,
      maxErrorRate: maxErrorRate(p11),
      by: 'kalman',
    };
  }
}
