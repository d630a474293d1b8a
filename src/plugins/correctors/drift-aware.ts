import { inject } from 'inversify';
import { z } from 'zod';
import {
  type Corrector,
  type Declined,
  type Estimate,
  type History,
  isDeclined,
  type Measurement,
  type Snapshot,
  timeOn,
} from '../../core/contracts/index.js';
import { carry, firstEstimate, maxErrorRate, shifted } from '../../core/pipeline/estimates.js';
import { PluginOptions, plugin, type Setting } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';
import { Report } from '../../core/plugin/tokens.js';
import { duration, formatTime, ratio, time } from '../../core/quantity.js';

const Factor = z.strictObject({
  under: duration('Holds while Δt is under this; left out: beyond all others.').optional(),
  factor: z.number().min(0).max(1),
});

/** The design document's block under its own names and with its own defaults, and what it leaves open. */
const Options = z.strictObject({
  enabled: z.boolean().default(true).meta({ description: 'Off: the model alone.' }),
  method: z
    .enum(['drift_aware', 'offset_only', 'kalman'])
    .default('drift_aware')
    .meta({ description: '`kalman`: exact gains with covariance, in the place of the text’s weights.' }),
  weights: z
    .enum(['attribution', 'gain', 'share-times-gain'])
    .default('share-times-gain')
    .meta({ description: 'Which of the text’s three weightings `drift_aware` uses.' }),
  drift_correction_enabled: z.boolean().default(true).meta({ description: 'Whether the drift is corrected at all.' }),
  min_time_for_drift_correction: time('The drift is left alone while Δt is under this.', { min: 0 }).prefault(60),
  drift_correction_strength: z
    .number()
    .min(0)
    .max(1)
    .default(0.7)
    .meta({ description: 'How much of the drift term is used.' }),
  drift_correction_factors: z
    .array(Factor)
    .min(1)
    .default([{ under: 60, factor: 0.3 }, { under: 180, factor: 0.7 }, { factor: 1 }])
    .meta({ description: 'How much of the drift correction is made, by Δt: the first row that holds.' }),
  delta_t: z
    .enum(['since-prediction', 'since-last-ntp'])
    .default('since-prediction')
    .meta({ description: 'What Δt is counted from when a measurement arrives.' }),
  apply_at: z.enum(['measurement', 'prediction']).default('measurement').meta({
    description: '`prediction`: the corrected drift also acts on the time between prediction and measurement.',
  }),
  uncertainty_threshold: z
    .number()
    .positive()
    .default(1.5)
    .meta({ description: 'A measurement is used only if σ_NTP is under this many σ of the model.' }),
  min_confidence_gain: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .meta({ description: 'A measurement is used only if it makes σ smaller by this share at least.' }),
  max_ntp_age_seconds: duration('A measurement older than this is not used.').prefault(180),
  uncertainty_growth_rate: ratio('How much σ_NTP grows with every second of age.', { min: 0 }).prefault(0.00001),
  reapply: z
    .boolean()
    .default(true)
    .meta({ description: 'Whether predictions between measurements are corrected by the last one, as it ages.' }),
  fall_back: z
    .strictObject({
      enabled: z.boolean().default(true),
      window: z.number().min(2).default(10).meta({ description: 'Measurements that the shadow score looks back on.' }),
      margin: z
        .number()
        .min(0)
        .lt(1)
        .default(0.05)
        .meta({ description: 'Hysteresis: a lead under this share is none.' }),
      doubt: z
        .number()
        .min(0)
        .default(2)
        .meta({ description: 'Nor is one under this many of its own standard errors.' }),
      start: z.enum(['corrected', 'model-only']).default('corrected'),
    })
    .meta({ description: 'Model only where correcting loses, judged before each measurement is used.' })
    .prefault({}),
  initial_drift: ratio('Drift of a clock that nothing is known of, one standard deviation.', { min: 0 }).prefault(
    '100 ppm',
  ),
});
type Options = z.output<typeof Options>;

const NAME = 'drift-aware';
/** Measurements before the shadow score decides anything. */
const EARLIEST = 3;

/**
 * The drift-aware correction of ChronoTick's "NTP Correction v2". With the model's offset o and drift d, σ_o and σ_d,
 * and a measurement z with σ_NTP(age) = σ_NTP + growth·age, the innovation is e = z − (o + d·(t_z − t_o)), and
 *
 *     offset += w·e          drift += strength · factor(Δt) · v·e   (not while Δt is under its minimum)
 *
 *     attribution        w = σ_o²/(σ_o² + (σ_d·Δt)²)     v = (1 − w)/Δt
 *     gain               w = σ_o²/(σ_o² + σ_NTP²)        v = σ_d²·Δt/(σ_o² + σ_NTP² + σ_d²·Δt²)
 *     share-times-gain   w = σ_o²/(σ_o² + σ_NTP²)        v = (σ_d·Δt)²/(σ_o² + (σ_d·Δt)²) · w/Δt
 *     kalman             w = P₀₀/(P₀₀ + R)               v = P₀₁/(P₀₀ + R), P propagated to t_z, with covariance
 *
 * It is used only where σ_NTP < threshold·σ_prior and 1 − σ_combined/σ_prior reaches the gain that is asked for, with
 * σ_prior² = σ_o² + (σ_d·Δt)² and 1/σ_combined² = 1/σ_prior² + 1/σ_NTP². The posterior's σ is σ_combined; σ_d stays.
 *
 * A shadow score compares, at each measurement before it is used, the model alone with the corrected estimate: the
 * worse of the two is not told from.
 */
@plugin({
  kind: 'corrector',
  name: NAME,
  summary: 'NTP Correction v2: offset and drift by the model’s own uncertainty, gated',
  options: Options,
  warn: warnings,
})
export class DriftAwareCorrector implements Corrector {
  private readonly score: ShadowScore;
  /** What is, or would be, told if correcting is on. */
  private shadow: Estimate | undefined;

  constructor(
    @inject(PluginOptions) private readonly options: Options,
    @inject(Report) report: Report,
  ) {
    this.score = new ShadowScore(options.fall_back, report);
  }

  snapshot(): Snapshot {
    return this.score.snapshot();
  }

  restore(snapshot: Snapshot): void {
    this.score.restore(snapshot);
  }

  correct(
    prior: Estimate | undefined,
    measurement: Measurement,
    history: History,
    prediction: Estimate | undefined = prior,
  ): Estimate | Declined | undefined {
    const { options, score } = this;
    if (!options.enabled) return { declined: 'not enabled' };
    if (prior === undefined || prediction === undefined) {
      return firstEstimate(measurement, history.axis, options.initial_drift, QUIET, NAME);
    }
    const { at, offset } = measurement;
    score.add(offset - prior.offset, this.shadow && offset - carry(this.shadow, at).offset);
    const previous = history.measurements.at(-1);
    // What a pipeline without predictions of their own tells from was made when the last measurement came.
    const made = prediction === prior && previous !== undefined ? takenBack(prior, previous.at) : prediction;
    const lag = secondsBetween(made, at);
    const deltaT =
      options.delta_t === 'since-prediction' || previous === undefined
        ? lag
        : timeOn(history.axis, at) - timeOn(history.axis, previous.at);
    const age = timeOn(history.axis, measurement.exchange.arrived) - timeOn(history.axis, at);
    const corrected = correctBy(options, { prior, prediction: made, measurement, lag, deltaT, age });
    this.shadow = isDeclined(corrected) ? prior : corrected;
    if (score.correcting || isDeclined(corrected)) return corrected;
    return { declined: `model only: ${score.lead}` };
  }

  leap(by: number): void {
    this.shadow = this.shadow && shifted(this.shadow, by);
  }

  /** The last measurement again, aged, against a new prediction. Its innovation is taken back at its own instant. */
  refine(prediction: Estimate, { axis, measurements }: History): Estimate {
    const measurement = measurements.at(-1);
    const { options } = this;
    if (!options.enabled || !options.reapply || measurement === undefined) {
      this.shadow = prediction;
      return prediction;
    }
    const age = timeOn(axis, prediction.at) - timeOn(axis, measurement.at);
    const corrected = correctBy(options, {
      prior: prediction,
      prediction,
      measurement,
      lag: -age,
      deltaT: Math.max(0, age),
      age: Math.max(0, age),
    });
    this.shadow = isDeclined(corrected) ? prediction : corrected;
    return this.score.correcting ? this.shadow : prediction;
  }
}

const QUIET = { whiteFm: 0, randomWalkFm: 0 };

function secondsBetween(estimate: Estimate, at: Measurement['at']): number {
  return timeOn(estimate.axis, at) - timeOn(estimate.axis, estimate.at);
}

/** The estimate at an earlier instant. It was surer of itself then, so the noise of the time since is not added. */
function takenBack(estimate: Estimate, at: Measurement['at']): Estimate {
  const tau = secondsBetween(estimate, at);
  const { offset, drift, p00, p01, p11 } = estimate;
  return {
    ...estimate,
    at,
    offset: offset + drift * tau,
    p00: Math.max(0, p00 + tau * (2 * p01 + tau * p11)),
    p01: p01 + tau * p11,
  };
}

/** What a correction is made from. Seconds of the pipeline's axis. */
interface Case {
  /** The model at the instant for which the corrected estimate is to hold. */
  readonly prior: Estimate;
  /** The model's answer as it was given. */
  readonly prediction: Estimate;
  readonly measurement: Measurement;
  /** From the prediction's instant to the measurement's. */
  readonly lag: number;
  readonly deltaT: number;
  readonly age: number;
}

function correctBy(options: Options, { prior, prediction, measurement, lag, deltaT, age }: Case): Estimate | Declined {
  if (age > options.max_ntp_age_seconds) {
    return { declined: `${age.toFixed(1)} s old, max_ntp_age_seconds is ${options.max_ntp_age_seconds}` };
  }
  const sigmaNtp = measurement.uncertainty + options.uncertainty_growth_rate * age;
  const innovation = measurement.offset - (prediction.offset + prediction.drift * lag);
  const exact = options.method === 'kalman';
  // The measurement's instant as seen from the prior's: 0 when it arrives, negative when it is used again.
  const back = secondsBetween(prior, measurement.at);
  const seen = prior.p00 + back * (2 * prior.p01 + back * prior.p11);
  const varPrior = exact ? seen : prediction.p00 + prediction.p11 * deltaT ** 2;
  const varNtp = sigmaNtp ** 2;
  const refusal = gate(options, Math.sqrt(varPrior), sigmaNtp);
  if (refusal !== undefined) return refusal;

  const { offset: w, drift: v } = exact
    ? {
        offset: (prior.p00 + back * prior.p01) / (seen + varNtp),
        drift: (prior.p01 + back * prior.p11) / (seen + varNtp),
      }
    : weightsOf(options.method === 'offset_only' ? 'gain' : options.weights, prediction, varNtp, deltaT);
  const held = driftHeld(options, deltaT);
  const k1 = held === undefined ? options.drift_correction_strength * factorAt(options, deltaT) * v : 0;
  const early = options.apply_at === 'prediction' ? secondsBetween(prediction, prior.at) : 0;
  const moved = (w + k1 * early) * innovation;
  const drift = prior.drift + k1 * innovation;
  const offset = prior.offset + moved;
  const fromMeasurement = Math.abs(offset + drift * back - measurement.offset) + prior.maxErrorRate * Math.abs(back);
  const covariance = exact
    ? updated(prior, w, k1, back, varNtp)
    : { p00: (varPrior * varNtp) / (varPrior + varNtp), p01: 0, p11: prior.p11 };
  return {
    ...prior,
    offset,
    drift,
    ...covariance,
    maxErrorRate: maxErrorRate(covariance.p11),
    maxError: Math.min(prior.maxError + Math.abs(moved), measurement.rootDistance + fromMeasurement),
    by: NAME,
    driftBy: held === undefined ? 'corrected' : `model: ${held}`,
  };
}

/** (I − K·H)·P·(I − K·H)ᵀ + K·R·Kᵀ with H = [1, back]: Joseph's form holds for any gain, a damped one too. */
function updated({ p00, p01, p11 }: Estimate, w: number, v: number, back: number, r: number) {
  const a = 1 - w;
  const b = -w * back;
  const c = -v;
  const d = 1 - v * back;
  return {
    p00: a * a * p00 + 2 * a * b * p01 + b * b * p11 + r * w * w,
    p01: a * c * p00 + (a * d + b * c) * p01 + b * d * p11 + r * w * v,
    p11: c * c * p00 + 2 * c * d * p01 + d * d * p11 + r * v * v,
  };
}

/** Offset weight, and drift weight per second, of the text's three forms. */
export function weightsOf(
  setting: Options['weights'],
  { p00, p11 }: Pick<Estimate, 'p00' | 'p11'>,
  varNtp: number,
  deltaT: number,
): { readonly offset: number; readonly drift: number } {
  const fromDrift = p11 * deltaT ** 2;
  // Where the model claims to know all there is nothing to attribute.
  const share = p00 + fromDrift > 0 ? fromDrift / (p00 + fromDrift) : 0;
  const gain = p00 > 0 ? p00 / (p00 + varNtp) : 0;
  switch (setting) {
    case 'attribution':
      return { offset: 1 - share, drift: deltaT > 0 ? share / deltaT : 0 };
    case 'gain':
      return { offset: gain, drift: deltaT > 0 ? (p11 * deltaT) / (p00 + varNtp + fromDrift) : 0 };
    case 'share-times-gain':
      return { offset: gain, drift: deltaT > 0 ? (share * gain) / deltaT : 0 };
  }
}

function gate(options: Options, sigmaPrior: number, sigmaNtp: number): Declined | undefined {
  const { uncertainty_threshold: threshold, min_confidence_gain: least } = options;
  if (!(sigmaNtp < threshold * sigmaPrior)) {
    return {
      declined: `uncertainty_threshold: σ_NTP ${formatTime(sigmaNtp)} is not under ${threshold} × σ_model ${formatTime(sigmaPrior)}`,
    };
  }
  const gain = 1 - 1 / Math.sqrt(1 + (sigmaPrior / sigmaNtp) ** 2);
  if (gain >= least) return undefined;
  return { declined: `min_confidence_gain: ${(100 * gain).toFixed(1)} % less uncertainty, asked for ${100 * least} %` };
}

/** Why the drift is left alone; undefined if it is not. */
function driftHeld(options: Options, deltaT: number): string | undefined {
  if (options.method === 'offset_only') return 'offset_only';
  if (!options.drift_correction_enabled) return 'drift correction is off';
  const least = options.min_time_for_drift_correction;
  return deltaT < least ? `Δt ${deltaT.toFixed(1)} s is under ${least} s` : undefined;
}

function factorAt({ drift_correction_factors }: Options, deltaT: number): number {
  const row = drift_correction_factors.find(({ under }) => under === undefined || deltaT < under);
  return row?.factor ?? drift_correction_factors.at(-1)!.factor;
}

const ScoreState = z.strictObject({
  model: z.number().min(0),
  corrected: z.number().min(0),
  n: z.int().min(0),
  on: z.boolean(),
});
const VERSION = 1;

/** Mean sizes of the two errors over the last measurements, and which side is on. */
class ShadowScore {
  private model = 0;
  private corrected = 0;
  /** Variance of the difference of the two sizes at one measurement, s². */
  private variance = 0;
  private n = 0;
  private on: boolean;

  constructor(
    private readonly options: Options['fall_back'],
    private readonly report: Report,
  ) {
    this.on = !options.enabled || options.start === 'corrected';
  }

  get correcting(): boolean {
    return this.on;
  }

  snapshot(): Snapshot {
    const { model, corrected, n, on } = this;
    return { version: VERSION, state: { model, corrected, n, on } };
  }

  restore(snapshot: Snapshot): void {
    Object.assign(this, stateIn(snapshot, VERSION, ScoreState));
  }

  /** The two scores, for people. */
  get lead(): string {
    return `mean |error| ${formatTime(this.model)}, corrected ${formatTime(this.corrected)}`;
  }

  add(model: number, corrected: number | undefined): void {
    if (corrected === undefined || !this.options.enabled) return;
    const { window, margin, doubt } = this.options;
    this.n += 1;
    const weight = Math.max(1 / this.n, 1 / window);
    const difference = Math.abs(corrected) - Math.abs(model) - (this.corrected - this.model);
    this.model += weight * (Math.abs(model) - this.model);
    this.corrected += weight * (Math.abs(corrected) - this.corrected);
    this.variance = (1 - weight) * (this.variance + weight * difference ** 2);
    if (this.n < EARLIEST) return;
    const lead = this.model - this.corrected;
    // Of a mean of n, and of an exponential average with this weight.
    const error = Math.sqrt(this.variance * Math.max(1 / this.n, weight / (2 - weight)));
    if (Math.abs(lead) <= Math.max(margin * this.model, doubt * error)) return;
    if (lead > 0 !== this.on) this.turn(lead > 0);
  }

  private turn(on: boolean): void {
    this.on = on;
    this.report(on ? `corrects again: ${this.lead}` : `falls back to the model alone: ${this.lead}`);
  }
}

/** Rows and gates that can never act, and the document's own rule for `max_ntp_age_seconds`. */
function warnings(options: Options, { pollIntervals, predictEvery }: Setting): readonly string[] {
  if (!options.enabled) return [];
  const found: string[] = [];
  const least = options.min_time_for_drift_correction;
  if (options.method !== 'offset_only' && options.drift_correction_enabled) {
    let from = 0;
    for (const { under = Number.POSITIVE_INFINITY, factor } of options.drift_correction_factors) {
      if (under <= from)
        found.push(`drift_correction_factors: the row of ${factor} under ${under} s comes too late to act`);
      else if (under <= least) {
        found.push(
          `drift_correction_factors: the row of ${factor} under ${under} s never acts, ` +
            `min_time_for_drift_correction is ${least} s`,
        );
      }
      from = Math.max(from, under);
    }
    if (predictEvery !== undefined && predictEvery <= least && options.delta_t === 'since-prediction') {
      found.push(
        `min_time_for_drift_correction: ${least} s, but no prediction is older than predictEvery, ${predictEvery} s, when a ` +
          'measurement arrives: the drift is corrected only between measurements (or with delta_t: since-last-ntp)',
      );
    }
  }
  // Both gates are limits on σ_NTP/σ_model: the looser one never acts.
  const threshold = options.uncertainty_threshold;
  const keep = 1 - options.min_confidence_gain;
  const byGain = keep >= 1 ? Number.POSITIVE_INFINITY : keep / Math.sqrt(1 - keep ** 2);
  if (options.min_confidence_gain === 0) {
    // Switched off, on purpose.
  } else if (threshold <= byGain) {
    const implied = 100 * (1 - threshold / Math.hypot(1, threshold));
    found.push(
      `min_confidence_gain: never acts, uncertainty_threshold ${threshold} already asks for ${implied.toFixed(1)} %`,
    );
  } else {
    found.push(
      `uncertainty_threshold: never acts, min_confidence_gain ${options.min_confidence_gain} already asks for ` +
        `σ_NTP ≤ ${byGain.toPrecision(3)} × σ_model`,
    );
  }
  for (const interval of pollIntervals) {
    if (interval > options.max_ntp_age_seconds) continue;
    found.push(
      `max_ntp_age_seconds: ${options.max_ntp_age_seconds} s is not under the polling interval of ${interval} s, as the ` +
        'design document asks: no measurement ever gets too old to be used',
    );
  }
  return found;
}
