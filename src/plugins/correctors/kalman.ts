import { inject } from 'inversify';
import { z } from 'zod';
import {
  type Corrector,
  type Declined,
  type Estimate,
  type History,
  type Measurement,
  type Passage,
  type Snapshot,
  timeOn,
} from '../../core/contracts/index.js';
import { WanderWatch } from '../../core/estimation/wander-watch.js';
import { DriftMemory } from '../../core/pipeline/drift-memory.js';
import { firstEstimate, maxErrorRate, propagate, settlingTo } from '../../core/pipeline/estimates.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';
import { formatTime, ratio } from '../../core/quantity.js';

const Options = z.strictObject({
  drift: ratio('Drift of a clock that nothing is known of, one standard deviation.', { min: 0 }).prefault('200 ppm'),
  gate: z.number().positive().default(5).meta({ description: 'Innovations beyond this many deviations are outliers.' }),
  confirm: z
    .int()
    .min(1)
    .default(2)
    .meta({ description: 'This many outliers in a row to one side are a step of the clock.' }),
  leap: z.boolean().default(true).meta({
    description: 'An offset that half the round trip cannot explain is a step of the clock, believed at once.',
  }),
  adapt: z.boolean().default(true).meta({
    description:
      "Learn the random walk of the clock's frequency from how well it is foreseen; else the predictor's holds.",
  }),
});

const State = z.strictObject({
  outliers: z.int().min(0),
  side: z.number(),
  first: z.custom<Measurement>(value => typeof value === 'object' && value !== null && 'offset' in value).nullable(),
  drifts: z.array(z.number()).length(5),
  wander: z.strictObject({
    at: z.number().nullable(),
    shadows: z.array(
      z.strictObject({
        x: z.number(),
        y: z.number(),
        p00: z.number(),
        p01: z.number(),
        p11: z.number(),
        log: z.number(),
      }),
    ),
  }),
});
const VERSION = 3;
/** A drift is known once its deviation is under this share of what it is for a clock that nothing is known of. */
const KNOWN = 0.05;

/**
 * The Kalman update for state [offset, drift] and a measured offset z with variance R:
 * S = P₀₀ + R, K = [P₀₀, P₀₁]/S, x ← x + K·(z − θ), P ← (I − K·H)·P (all three terms), H = [1 0].
 *
 * The process noise is the one that a bank of filters beside this one foresees the offsets with ({@link WanderWatch}):
 * a predictor `kalman` takes it from the posterior. With `adapt: false` the predictor's own `wander` stays.
 *
 * An innovation that is wider than half the round trip, beyond what the prediction may be wrong by, cannot be queueing:
 * the clock was stepped, and P₀₀ is widened by its square so that it is believed at once.
 * Any other beyond `gate`·√S is an outlier and is passed over; `confirm` of them in a row to one side are a step or
 * a frequency jump of the clock. The state then restarts at the first of them and takes the last one from there: a step
 * leaves the drift as it was, and the two agree. Where they do not, within the same gate, the frequency is not what it was
 * either, and the state is what two measurements alone say: θ = z₂, drift = (z₂ − z₁)/τ,
 * P = [R₂, R₂/τ; R₂/τ, (R₁ + R₂)/τ²].
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
  /** The first of the outliers in a row. */
  private first: Measurement | undefined;
  private readonly memory = new DriftMemory();
  private readonly wander: WanderWatch;

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {
    this.wander = new WanderWatch(options.drift);
  }

  correct(prior: Estimate | undefined, measurement: Measurement, history: History): Estimate | Declined {
    const { axis, estimate } = history;
    const local = timeOn(axis, measurement.at);
    if (prior === undefined) {
      this.wander.observe(local, measurement.offset, measurement.uncertainty ** 2, 0);
      return firstEstimate(measurement, axis, this.options.drift, { whiteFm: 0, randomWalkFm: 0 }, 'kalman');
    }
    const innovation = measurement.offset - prior.offset;
    const r = measurement.uncertainty ** 2;
    const s = prior.p00 + r;
    if (this.isLeap(innovation, s, measurement)) {
      // If the next one is as far off again, the two of them are a frequency.
      [this.first, this.outliers, this.side] = [measurement, 1, Math.sign(innovation)];
      this.wander.step(innovation);
      return this.remembering(update({ ...prior, p00: prior.p00 + innovation ** 2 }, measurement), estimate);
    }
    if (this.isOutlier(innovation, s)) {
      if (this.outliers === 1) this.first = measurement;
      if (this.outliers < this.options.confirm) {
        const deviations = Math.abs(innovation) / Math.sqrt(s);
        return { declined: `innovation ${formatTime(innovation, true)} is ${deviations.toFixed(1)} deviations` };
      }
      this.outliers = 0;
      const restarted = this.restart(prior, measurement);
      this.wander.restart(local, restarted.offset, restarted.drift, r);
      return this.remembering(restarted, estimate);
    }
    this.wander.observe(local, measurement.offset, r, prior.whiteFm);
    return this.remembering(update(prior, measurement), estimate);
  }

  /** The posterior with the wander that is found, and with where its drift goes by itself, if that is known. */
  private remembering(updated: Estimate, before: Estimate | undefined): Estimate {
    // A drift that is hardly known yet is not worth remembering.
    if (before !== undefined && updated.p11 < (KNOWN * this.options.drift) ** 2) {
      const { axis, at, drift } = updated;
      this.memory.add(drift, timeOn(axis, at) - timeOn(axis, before.at));
    }
    const wander = this.options.adapt ? this.wander.randomWalkFm : undefined;
    return settlingTo(updated, this.memory.settling, wander ?? updated.randomWalkFm);
  }

  leap(by: number): void {
    this.wander.step(by);
    if (this.first !== undefined) this.first = { ...this.first, offset: this.first.offset + by };
  }

  snapshot(): Snapshot {
    const { outliers, side, first = null, memory, wander } = this;
    const state = { outliers, side, first, drifts: memory.snapshot(), wander: wander.snapshot() };
    return { version: VERSION, state };
  }

  restore(snapshot: Snapshot, { continues }: Passage): void {
    const { outliers, side, first, drifts, wander } = stateIn(snapshot, VERSION, State);
    this.memory.restore(drifts);
    if (!continues) return;
    Object.assign(this, { outliers, side });
    this.first = first ?? undefined;
    this.wander.restore(wander);
  }

  /** Whether nothing but a step of the clock explains an innovation, and it is not the second in a row. */
  private isLeap(innovation: number, s: number, { delay }: Measurement): boolean {
    const { leap, gate } = this.options;
    // Where there is no round trip (a recording of offsets alone), nothing says how long the queues were.
    return leap && delay > 0 && this.outliers === 0 && Math.abs(innovation) > delay / 2 + gate * Math.sqrt(s);
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

  /** From the first outlier on: see the class. */
  private restart(prior: Estimate, measurement: Measurement): Estimate {
    const first = this.first;
    this.first = undefined;
    const p11 = Math.max(prior.p11, this.options.drift ** 2);
    const { axis, drift, whiteFm, randomWalkFm } = prior;
    const noise = { whiteFm, randomWalkFm };
    const at = (start: Measurement, changed: Partial<Estimate>): Estimate => ({
      at: start.at,
      axis,
      offset: start.offset,
      drift,
      p00: start.uncertainty ** 2,
      p01: 0,
      p11,
      ...noise,
      maxError: start.rootDistance,
      maxErrorRate: maxErrorRate(changed.p11 ?? p11),
      by: 'kalman',
      ...changed,
    });
    const tau = first === undefined ? 0 : timeOn(axis, measurement.at) - timeOn(axis, first.at);
    if (first === undefined || tau <= 0) return at(measurement, {});
    const guess = propagate(at(first, {}), measurement.at, 'kalman');
    const innovation = measurement.offset - guess.offset;
    const r = measurement.uncertainty ** 2;
    if (Math.abs(innovation) <= this.options.gate * Math.sqrt(guess.p00 + r)) return update(guess, measurement);
    return at(measurement, {
      drift: (measurement.offset - first.offset) / tau,
      p01: r / tau,
      p11: (first.uncertainty ** 2 + r) / tau ** 2 + randomWalkFm * tau + whiteFm / tau,
    });
  }
}

/** The update itself. */
function update(prior: Estimate, measurement: Measurement): Estimate {
  const innovation = measurement.offset - prior.offset;
  const r = measurement.uncertainty ** 2;
  const s = prior.p00 + r;
  const k0 = prior.p00 / s;
  const k1 = prior.p01 / s;
  const offset = prior.offset + k0 * innovation;
  const p11 = Math.max(0, prior.p11 - k1 * prior.p01);
  return {
    at: measurement.at,
    axis: prior.axis,
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
