import { BaseDelay } from './base-delay.js';
import { type Consensus, consensus } from './bias-consensus.js';
import { ClockBank, type MemberBelief, type PhaseUpdate, type WanderHypothesis } from './clock-bank.js';
import { correctness, PHI, WORST_DRIFT } from './error-bound.js';
import { mixtureQuantile } from './mixture-quantile.js';
import type { ClockEstimate, Observation } from './observation.js';
import { OffsetScatter } from './offset-scatter.js';
import { PathStatistics, type RouteChange } from './path-statistics.js';
import { QueueLaw, QueueLikelihood } from './queue-likelihood.js';
import { intersect } from './selection.js';

/** Parts that can be left out, for the table of what each is worth. */
export const IDEAS = [
  'base-delay',
  'queue-likelihood',
  'queue-law',
  'wander-bank',
  'ageing',
  'delay-deaf',
  'routes',
  'steps',
  'selection',
  'biases',
] as const;
export type Idea = (typeof IDEAS)[number];

/** Factors on the half-widths at 68 and 95 %. */
export interface Spread {
  readonly at68: number;
  readonly at95: number;
}

export interface EnsembleOptions {
  readonly without?: readonly Idea[];
  readonly hypotheses?: readonly WanderHypothesis[];
  /** White FM of the local counter, s²/s. */
  readonly whiteFm?: number;
  readonly ageingTime?: number;
  readonly switchTime?: number;
  /** Noise of the stamps beyond their precision, s. */
  readonly stampNoise?: number;
  /** Chance that an exchange obeys no queueing law. */
  readonly outlier?: number;
  /** Chance of a phase step per exchange. */
  readonly stepChance?: number;
  /** Chance that a path is asymmetric, and by how much of its delay (standard deviations). */
  readonly biasShare?: number;
  /** The same for a route that was left. */
  readonly ghostShare?: number;
  readonly biasWide?: number;
  readonly biasNarrow?: number;
  /** Wander of a path's bias, as a share of the delay per √day. */
  readonly biasWander?: number;
  /** How long a route that was left still witnesses, s. */
  readonly ghostTime?: number;
  /** Factors on the half-widths, from simulation: see docs/estimator.md, Calibration. */
  readonly spread?: { readonly agreed: Spread; readonly doubtful: Spread };
  readonly maxSources?: number;
  readonly window?: number;
}

export const DEFAULT_HYPOTHESES: readonly WanderHypothesis[] = [
  { wander: 1e-9, ageing: 0, initialDrift: 5e-5, weight: 1 },
  { wander: 3e-9, ageing: 0, initialDrift: 5e-5, weight: 0.3 },
  { wander: 1e-8, ageing: 0, initialDrift: 5e-5, weight: 0.1 },
  { wander: 3e-8, ageing: 0, initialDrift: 5e-5, weight: 0.07 },
  { wander: 1e-7, ageing: 0, initialDrift: 5e-5, weight: 0.05 },
  { wander: 3e-7, ageing: 0, initialDrift: 2e-4, weight: 0.03 },
  { wander: 1e-6, ageing: 0, initialDrift: 5e-2, weight: 0.02 },
  { wander: 1e-9, ageing: 1e-11, initialDrift: 5e-5, weight: 0.1 },
  { wander: 1e-9, ageing: 0, initialDrift: 5e-5, weight: 0.02, delaysTell: false },
  { wander: 1e-8, ageing: 0, initialDrift: 5e-5, weight: 0.02, delaysTell: false },
  { wander: 1e-7, ageing: 0, initialDrift: 5e-5, weight: 0.02, delaysTell: false },
];

/** A path's first exchanges, which are judged again when a later one of them shows its queues in another light. */
const FIRST = 8;
/** As many are kept for that, of all sources. */
const BEGINNING = 64;

/**
 * One exchange makes "delays say nothing" so much likelier at the most (nats): a dozen exchanges on a new route look
 * like that, too, and must not undo what is known of the wander.
 */
const DEAF_GAIN = 0.5;

/** How differently a kernel may scale its counter from one boot to the next, and a crystal that was cold, s/s. */
const REBOOT_DRIFT = 5e-6;
/** A drift that is older than this is as unknown as it will get, s. */
const OLDEST_DRIFT = 30 * 86_400;

/** The bank without some of its ideas; without a bank, one wander in the middle of the range. */
function hypothesesWithout(
  without: readonly Idea[],
  hypotheses: readonly WanderHypothesis[],
): readonly WanderHypothesis[] {
  if (without.includes('wander-bank')) return [{ wander: 1e-8, ageing: 0, initialDrift: 5e-2, weight: 1 }];
  return hypotheses.filter(
    ({ ageing, delaysTell = true }) =>
      !(ageing > 0 && without.includes('ageing')) && (delaysTell || !without.includes('delay-deaf')),
  );
}

const DEFAULTS: Required<EnsembleOptions> = {
  without: [],
  hypotheses: DEFAULT_HYPOTHESES,
  whiteFm: 1e-19,
  ageingTime: 7200,
  switchTime: 4e4,
  stampNoise: 1e-7,
  outlier: 0.003,
  stepChance: 1e-4,
  biasShare: 0.2,
  ghostShare: 0.01,
  biasWide: 0.05,
  biasNarrow: 0.0005,
  biasWander: 0.001,
  ghostTime: 4 * 3600,
  spread: { agreed: { at68: 1.06, at95: 0.97 }, doubtful: { at68: 0.85, at95: 0.825 } },
  maxSources: 8,
  window: 512,
};

export interface SourceReport {
  readonly source: string;
  /** The route that this describes is no longer taken. */
  readonly abandonedRoute: boolean;
  readonly trusted: boolean;
  /** Offset by this source less the estimate's, s. */
  readonly apparentOffset: number;
  readonly baseDelay: number;
  readonly queueing: number;
}

export interface Agreement {
  readonly majority: boolean;
  readonly agreeing: number;
  readonly heard: number;
}

interface Source {
  readonly name: string;
  /** A route that is no longer taken: its phase lives on, carried by the drift, as a witness against the new one. */
  ghost: boolean;
  /** Extra deviation of the bias that a change of route brought, s. */
  rerouted: number;
  path: PathStatistics;
  /** The delay without queues and the scale of the queues that its first exchanges were judged by, s. */
  judgedBy: { floor: number; scale: number };
  base: BaseDelay;
  readonly law: QueueLaw;
  readonly scatter: OffsetScatter;
  /** Last correctness interval, and when. */
  low: number;
  high: number;
  seenAt: number;
  rootDelay: number;
  trusted: boolean;
  /** Jump against the prediction that nothing but a step explains, s, and when it was seen. */
  jump: number;
  jumpAt: number;
}

/**
 * The default estimator: several sources, unknown oscillator, unknown queues, one posterior.
 *
 * Each exchange passes through: path statistics (how much of the delay was queueing) → likelihood of the offset
 * → bank of clocks (prediction, step detection, update) → selection of truechimers → consensus over biased paths.
 */
export class EnsembleEstimator {
  readonly #options: Required<EnsembleOptions>;
  readonly #likelihood = new QueueLikelihood();
  #bank: ClockBank;
  #sources: Source[] = [];
  /** The first exchanges, to be judged again. */
  #beginning: Observation[] = [];
  #at = Number.NaN;
  /** Between the last two exchanges, s. */
  #gap = 0;
  #steppedAt = Number.NEGATIVE_INFINITY;
  /** What was known of sources' delays before the counter began anew: theirs when they are heard again. */
  readonly #remembered = new Map<string, Pick<Source, 'path' | 'base' | 'law'>>();
  /** It has begun with what an earlier life has taught it: there is nothing to be judged again. */
  #experienced = false;
  #agreement: Agreement = { majority: true, agreeing: 0, heard: 0 };

  constructor(options: EnsembleOptions = {}) {
    const { without = [], hypotheses = DEFAULT_HYPOTHESES } = options;
    this.#options = {
      ...DEFAULTS,
      ...options,
      hypotheses: hypothesesWithout(without, hypotheses),
      ...(without.includes('biases') && { biasShare: 1e-12, ghostShare: 1e-12 }),
    };
    this.#bank = this.#newBank();
  }

  #newBank(): ClockBank {
    const { hypotheses, whiteFm, ageingTime, switchTime } = this.#options;
    return new ClockBank({ hypotheses, whiteFm, ageingTime, switchTime });
  }

  /** Whether more than half of the sources agree, as of the last observation. Without that the posterior means little. */
  get agreement(): Agreement {
    return this.#agreement;
  }

  /** Posterior at `o.at`. */
  observe(o: Observation): ClockEstimate {
    if (![o.at, o.offset, o.delay].every(Number.isFinite)) return this.#estimate();
    if (o.at < this.#at - 1) this.#restart();
    this.#take(o);
    if (!this.#experienced && this.#beginning.length < BEGINNING) {
      this.#beginning.push(o);
      if (this.#misjudged()) this.#judgeAgain();
    }
    const estimate = this.#estimate();
    if (possible(estimate)) return estimate;
    // Rounding has eaten the covariance (offsets of hours that contradict each other): begin with this exchange.
    this.#restart();
    this.#take(o);
    return this.#estimate();
  }

  /** Moves the bank to an observation and takes it; `paths`: what is known of the paths from later exchanges, too. */
  #take(o: Observation, paths?: ReadonlyMap<string, PathStatistics>): void {
    const dt = o.at - this.#at;
    if (dt > 0) {
      this.#bank.predict(dt);
      this.#at = o.at;
      this.#gap = dt;
    } else if (!(dt <= 0)) this.#at = o.at;
    this.#lay();
    this.#measure(this.#sources[this.#admit(o, paths?.get(o.source))]!, o, paths !== undefined);
  }

  /** Whether the newest of a path's first exchanges shows that those before it were judged by a wrong base or scale. */
  #misjudged(): boolean {
    return this.#sources.some(({ path, judgedBy: { floor, scale } }) => {
      if (path.count > FIRST) return false;
      return path.minimum - path.shortfall < floor - scale || path.scale > 2 * scale || path.scale < scale / 2;
    });
  }

  /**
   * How much of a delay was queueing is a guess at first, and a wrong one makes a likelihood that is far too sharp. So the
   * first exchanges are judged again, by what all of them say of their path.
   */
  #judgeAgain(): void {
    const beginning = this.#beginning;
    const paths = new Map(this.#sources.map(({ name, path }) => [name, path]));
    this.#restart();
    for (const o of beginning) this.#take(o, paths);
    this.#beginning = beginning;
  }

  /** Every offset counts `by` seconds more, give or take `deviation`: UTC has leapt, or the counter stood still. */
  leap(by: number, deviation = 0): void {
    this.#bank.step(by, deviation);
    for (const s of this.#sources) {
      s.low += by - deviation;
      s.high += by + deviation;
    }
    this.#beginning = this.#beginning.map(o => ({ ...o, offset: o.offset + by }));
  }

  /** Sources that contradict the majority, as the last exchange left it. */
  falsetickers(): readonly string[] {
    return this.#sources.flatMap(({ name, ghost, trusted }) => (ghost || trusted ? [] : [name]));
  }

  #uses(idea: Idea): boolean {
    return !this.#options.without.includes(idea);
  }

  #restart(): void {
    this.#bank = this.#newBank();
    this.#sources = [];
    this.#beginning = [];
    this.#experienced = false;
    this.#at = Number.NaN;
    this.#steppedAt = Number.NEGATIVE_INFINITY;
  }

  /** Lets ghosts go that have become too uncertain, or too old, to witness anything. */
  #lay(): void {
    for (let i = this.#sources.length - 1; i >= 0; i--) {
      const s = this.#sources[i]!;
      if (!s.ghost) continue;
      const heir = this.#sources.find(o => !o.ghost && o.name === s.name);
      if (heir && this.#at - s.seenAt < this.#options.ghostTime) continue;
      this.#sources.splice(i, 1);
      this.#bank.removePhase(i);
      if (heir) heir.rerouted = 0;
    }
  }

  #admit(o: Observation, path?: PathStatistics): number {
    const known = this.#sources.findIndex(s => s.name === o.source && !s.ghost);
    if (known >= 0) return known;
    if (this.#sources.length >= this.#options.maxSources) {
      let oldest = 0;
      this.#sources.forEach((s, i) => {
        if (s.seenAt < this.#sources[oldest]!.seenAt) oldest = i;
      });
      this.#sources.splice(oldest, 1);
      this.#bank.removePhase(oldest);
    }
    const remembered = this.#remembered.get(o.source);
    this.#remembered.delete(o.source);
    this.#sources.push({
      name: o.source,
      ghost: false,
      rerouted: 0,
      path: path ?? remembered?.path ?? new PathStatistics(this.#options.window),
      judgedBy: { floor: Number.POSITIVE_INFINITY, scale: 0 },
      base: remembered?.base ?? new BaseDelay(),
      law: remembered?.law ?? (this.#uses('queue-law') ? new QueueLaw() : QueueLaw.quiet()),
      scatter: new OffsetScatter(),
      low: Number.NEGATIVE_INFINITY,
      high: Number.POSITIVE_INFINITY,
      seenAt: o.at,
      rootDelay: o.rootDelay,
      trusted: true,
      jump: 0,
      jumpAt: Number.NEGATIVE_INFINITY,
    });
    return this.#bank.addPhase(o.offset, Math.max(o.delay, 1e-6));
  }

  /**
   * The route changed by `change` seconds of round trip. Whether the offset that the new route shows differs by up to
   * half of that is not known: the old phase stays as a ghost, the new one starts beside it, and the consensus weighs
   * them, trusting the ghost for as long as the oscillator's wander allows.
   */
  #reroute(source: Source, index: number, o: Observation, { by, newest }: RouteChange): void {
    const ghost = this.#sources.findIndex(s => s.name === source.name && s.ghost);
    if (ghost >= 0 && by < 0) {
      const old = this.#sources[ghost]!;
      if (Math.abs(o.delay - old.path.minimum) < 4 * old.path.scale) {
        // Back on the route that was left: its phase and its queues are the ones to go on with.
        this.#bank.copyPhase(ghost, index);
        source.path = old.path;
        source.base = old.base;
        source.path.add(Math.max(o.delay, 0));
        source.rerouted = old.rerouted;
        this.#sources.splice(ghost, 1);
        this.#bank.removePhase(ghost);
        return;
      }
    }
    if (ghost < 0 && this.#sources.length < this.#options.maxSources + 4) {
      const path = source.path.without(newest);
      this.#sources.push({ ...source, path, base: source.base, ghost: true, jumpAt: Number.NEGATIVE_INFINITY });
      this.#bank.clonePhase(index);
    }
    source.path.keep(newest);
    source.base = new BaseDelay();
    source.rerouted = Math.abs(by) / 2;
    this.#bank.resetPhase(index, o.offset, Math.abs(by) + source.path.scale + 1e-6);
  }

  #measure(source: Source, o: Observation, counted = false): void {
    const { hypotheses, stampNoise, outlier, stepChance, biasWander } = this.#options;
    const change = counted ? undefined : source.path.add(Math.max(o.delay, 0));
    if (counted || source.path.count === 1) {
      source.judgedBy = { floor: source.path.minimum - source.path.shortfall, scale: source.path.scale };
    }
    if (change && this.#uses('routes')) this.#reroute(source, this.#sources.indexOf(source), o, change);
    const index = this.#sources.indexOf(source);
    const { path, law } = source;
    const { base } = source;
    const before = this.#bank.phase(index);
    const residual = o.offset - before.mean;
    const stamps = Math.hypot(stampNoise, o.precision);
    const blur = Math.sqrt(before.variance + stamps * stamps);
    // What the delays alone allow: the base is below their minimum, and not by many times the expected shortfall.
    const implausible = base.mean > path.minimum || base.mean < path.minimum - 4 * path.shortfall;
    if (path.count >= 8 && this.#uses('base-delay') && (!base.known || implausible)) {
      base.start(path.minimum, path.shortfall, path.shortfallDeviation);
    } else base.learn(o.delay, residual, blur, path.scaleAbove(base.mean, 0, law.quiet), law.quiet);
    const scale = base.known ? path.scaleAbove(base.mean, 0, law.quiet) : path.scale;
    const floor = base.known ? base.mean : path.minimum - path.shortfall;
    const excess = Math.max(o.delay - floor, 0);
    const noise = Math.hypot(stamps, (base.known ? base.deviation : path.shortfallDeviation) / 2);
    const age = o.at - source.seenAt;
    if (age > 0) this.#bank.inflatePhase(index, (biasWander * path.minimum) ** 2 * (age / 86400));
    this.#likelihood.prepare(o.offset, excess, scale, law, noise, outlier);
    source.scatter.add(o.at, o.offset);
    const scatter = Math.hypot(source.scatter.deviation(Math.max(o.delay / 2, noise)), noise);
    const queued = this.#uses('queue-likelihood');
    let heard = Number.NEGATIVE_INFINITY;
    const update: PhaseUpdate = (mean, variance, weight, member) => {
      if (hypotheses[member]!.delaysTell === false) {
        const deaf = this.#likelihood.updateNormal(mean, variance, scatter, source.path.count > 8);
        deaf.logEvidence = Math.min(deaf.logEvidence, heard + DEAF_GAIN);
        return deaf;
      }
      const told = queued
        ? this.#likelihood.update(mean, variance, weight)
        : this.#likelihood.updateNormal(mean, variance, Math.hypot(excess / Math.sqrt(12), noise), true);
      heard = Math.max(heard, told.logEvidence);
      return told;
    };

    // A step is the only explanation left when the residual is many times what queueing and drift allow.
    const sd = Math.sqrt(before.variance + noise * noise);
    const beyond = Math.abs(residual) - this.#likelihood.half;
    if (path.count > 4 && beyond > 4 * sd && this.#uses('steps')) {
      const log = this.#bank.logEvidence(index, update);
      const logStep = Math.log(stepChance / (20 * (Math.abs(residual) + 1e-9)));
      if (logStep > log) this.#stepped(source, index, o, residual);
    }

    this.#bank.updatePhase(index, update, !source.trusted);
    if (this.#uses('queue-law')) this.#likelihood.teach(law, scale);

    const bound = correctness(o, 2.5e-7);
    source.low = bound.low;
    source.high = bound.high;
    source.seenAt = o.at;
    source.rootDelay = o.rootDelay;
  }

  #stepped(source: Source, index: number, o: Observation, residual: number): void {
    const half = this.#likelihood.half;
    source.jump = residual;
    source.jumpAt = o.at;
    // A source that jumped first has lost the others' trust for it, and is a witness all the same.
    const active = this.#sources.filter(
      s => !s.ghost && s.path.count > 1 && o.at - s.seenAt < 3000 && (s.trusted || o.at - s.jumpAt < 300),
    );
    const recent = active.filter(
      s => o.at - s.jumpAt < 300 && Math.abs(s.jump - residual) < 0.1 * Math.abs(residual) + half + s.path.minimum / 2,
    );
    // One step is a step; steps at successive exchanges are a drift that was never right.
    if (o.at - this.#steppedAt < 4 * Math.max(o.at - source.seenAt, 1)) {
      const slope = Math.min(Math.abs(residual) / Math.max(o.at - source.seenAt, 1), WORST_DRIFT);
      this.#bank.loosenDrift(slope * slope);
    }
    // Sources that answered since the first of these jumps and saw none: if the clock had stepped, they would have.
    const first = Math.min(...recent.map(s => s.jumpAt));
    const stayed = active.filter(s => s.seenAt > first && !recent.includes(s)).length;
    if (active.length <= 1 || (recent.length >= 2 && recent.length > stayed)) {
      this.#steppedAt = o.at;
      this.#bank.step(residual, Math.abs(residual) * 0.01 + half + 1e-6);
      for (const s of this.#sources) {
        s.jumpAt = Number.NEGATIVE_INFINITY;
        if (Number.isFinite(s.low)) {
          s.low += residual;
          s.high += residual;
        }
      }
      // Sources that had moved before the majority was there moved twice: start them anew.
      for (const s of recent) {
        if (s === source) continue;
        const i = this.#sources.indexOf(s);
        const { mean } = this.#bank.phase(i);
        this.#bank.resetPhase(i, mean - residual, 2 * half + s.path.minimum / 2);
        s.low -= residual;
        s.high -= residual;
      }
    } else this.#bank.resetPhase(index, o.offset, Math.max(half, 1e-6) * 2);
  }

  #estimate(): ClockEstimate {
    const { biasShare, ghostShare, biasWide, biasNarrow, whiteFm, spread } = this.#options;
    const n = this.#sources.length;
    if (n === 0) {
      return {
        at: Number.isFinite(this.#at) ? this.#at : 0,
        offset: 0,
        drift: 0,
        meanDrift: 0,
        relaxation: 0,
        p00: 1e18,
        p01: 0,
        p11: 1e-2,
        whiteFm,
        randomWalkFm: 0,
        scale68: 1,
        scale95: 1.96,
        maxError: 1e9,
        maxErrorRate: 0.1,
      };
    }
    const { mean, cov } = this.#bank.collapse();
    const dim = n + 2;
    const drift = mean[0]!;
    const intervals = this.#sources.map(s => {
      const age = this.#at - s.seenAt;
      const grow = age * (PHI + 3 * Math.sqrt(cov[0]!));
      return { low: s.low + drift * age - grow, high: s.high + drift * age + grow };
    });
    const { truechimers, low, high, majority, agreeing } = intersect(
      intervals.filter((_, i) => !this.#sources[i]!.ghost),
    );
    this.#agreement = { majority: majority || !this.#uses('selection'), agreeing, heard: truechimers.length };
    let live = 0;
    for (const s of this.#sources) if (!s.ghost) s.trusted = truechimers[live++]! || !this.#uses('selection');
    for (const s of this.#sources) {
      if (s.ghost) s.trusted = this.#sources.some(o => !o.ghost && o.name === s.name && o.trusted);
    }
    const chosen = [...Array(n).keys()].filter(i => this.#sources[i]!.trusted);
    // A route that was left was right, as far as one could tell.
    const shares = chosen.map(i => {
      const s = this.#sources[i]!;
      return s.ghost ? ghostShare : biasShare;
    });
    const result = consensus(
      chosen.map(i => mean[2 + i]!),
      (i, j) => cov[(2 + chosen[i]!) * dim + 2 + chosen[j]!]!,
      chosen.map(i => biasNarrow * this.#sources[i]!.path.minimum + 1e-9),
      chosen.map(i => {
        const { path, rootDelay, rerouted } = this.#sources[i]!;
        return rerouted > 0 ? rerouted : biasWide * (path.minimum + rootDelay);
      }),
      shares,
    );
    let p01 = 0;
    chosen.forEach((s, k) => {
      p01 += result.weights[k]! * cov[2 + s]!;
    });
    const form = new Float64Array(n);
    let linear = 0;
    chosen.forEach((i, k) => {
      form[i] = result.weights[k]!;
      chosen.forEach((j, l) => {
        linear += result.weights[k]! * result.weights[l]! * cov[(2 + i) * dim + 2 + j]!;
      });
    });
    const beliefs = this.#bank.marginals(form);
    let formMean = 0;
    for (let i = 0; i < n; i++) formMean += form[i]! * mean[2 + i]!;
    const deviation = Math.sqrt(result.variance);
    const parts = laws(beliefs, result, formMean, linear);
    const half95 = mixtureQuantile(parts, 0, deviation, 0.95, NORMAL_95) * deviation;
    const half68 = mixtureQuantile(parts, 0, deviation, 0.68, NORMAL_68) * deviation;
    // From here on one normal law stands for the mixture, as wide as it is at 95 %: what it forecasts is then right there.
    const p00 = (half95 / NORMAL_95) ** 2;
    const q = this.#bank.randomWalkFm;
    const varianceAt = (t: number) => {
      const then = parts.map((part, i) => {
        const m = beliefs[i % beliefs.length]!;
        const grown = t * (2 * m.covariance + t * m.driftVariance + whiteFm + (m.randomWalkFm * t * t) / 3);
        return { ...part, mean: part.mean + t * (m.drift - drift), variance: part.variance + grown };
      });
      const sd = Math.sqrt(p00 + t * (2 * p01 + t * cov[0]! + whiteFm + (q * t * t) / 3));
      return ((mixtureQuantile(then, 0, sd, 0.95, NORMAL_95) * sd) / NORMAL_95) ** 2;
    };
    const soon = Math.max(this.#gap, SOON);
    const late = Math.max(6 * soon, LATE);
    // p00 + share·(2t·p01 + t²·p11) + whiteFm·t + randomWalkFm·t³/3 is the bank's own variance at both.
    const grownSoon = varianceAt(soon) - p00 - soon * whiteFm;
    const grownLate = varianceAt(late) - p00 - late * whiteFm;
    const driftSoon = soon * (2 * p01 + soon * cov[0]!);
    const driftLate = late * (2 * p01 + late * cov[0]!);
    const wanderSoon = soon ** 3 / 3;
    const wanderLate = late ** 3 / 3;
    const determinant = driftSoon * wanderLate - driftLate * wanderSoon;
    const both = (grownSoon * wanderLate - grownLate * wanderSoon) / determinant;
    const share = determinant > 0 ? Math.min(1, Math.max(0.01, both)) : 1;
    const p11 = share * cov[0]!;
    const randomWalkFm = Math.min(q, Math.max(0.01 * q, (grownLate - share * driftLate) / wanderLate));
    // Where clocks of different wander are still in question, the mixture has longer tails than one normal law, for wanders
    // that few clocks have: on ordinary ones its half-widths are too wide by as much.
    const doubt = Math.min(1, Math.max(0, (NORMAL_68 / NORMAL_95 - half68 / half95) / IN_DOUBT));
    const spreadAt = (level: keyof Spread) =>
      spread.agreed[level] + doubt * (spread.doubtful[level] - spread.agreed[level]);
    const meanDrift = drift + mean[1]! * this.#options.ageingTime;
    const widest = Math.sqrt(p00 * p11);
    return {
      at: this.#at,
      offset: result.offset,
      drift,
      meanDrift,
      relaxation: this.#options.ageingTime,
      p00,
      p01: Math.max(-widest, Math.min(widest, share * p01)),
      p11,
      whiteFm,
      randomWalkFm,
      scale68: NORMAL_95 * Math.min((spreadAt('at68') * half68) / half95, 0.95 * spreadAt('at95')),
      scale95: spreadAt('at95') * NORMAL_95,
      maxError: Math.max(high - result.offset, result.offset - low, 0),
      maxErrorRate: PHI + 3 * Math.sqrt(cov[0]!),
    };
  }

  /** What is believed of each source, for reports: names, biases against the answer, base delay and queueing (s). */
  sources(): readonly SourceReport[] {
    const answer = this.#estimate().offset;
    return this.#sources.map((s, i) => ({
      source: s.name,
      abandonedRoute: s.ghost,
      trusted: s.trusted,
      apparentOffset: this.#bank.phase(i).mean - answer,
      baseDelay: s.base.known ? s.base.mean : s.path.minimum,
      queueing: s.base.known ? s.path.scaleAbove(s.base.mean, 0) : s.path.scale,
    }));
  }

  snapshot(): unknown {
    return {
      at: this.#at,
      steppedAt: this.#steppedAt,
      gap: this.#gap,
      beginning: [...this.#beginning],
      experienced: this.#experienced,
      bank: this.#bank.snapshot(),
      sources: this.#sources.map(s => ({
        ...s,
        path: s.path.snapshot(),
        base: s.base.snapshot(),
        law: s.law.snapshot(),
        scatter: s.scatter.snapshot(),
      })),
    };
  }

  /** `restarted`: the counter has begun anew `elapsed` seconds later, and only delays and the drift mean anything. */
  restore(state: unknown, restarted?: { readonly elapsed: number }): void {
    const saved = state as {
      at: number | null;
      steppedAt: number | null;
      gap: number;
      beginning: Observation[];
      experienced: boolean;
      bank: unknown;
      sources: (Omit<Source, 'path' | 'base' | 'law' | 'scatter'> & {
        path: number[];
        base: ReturnType<BaseDelay['snapshot']>;
        law: ReturnType<QueueLaw['snapshot']>;
        scatter: ReturnType<OffsetScatter['snapshot']>;
      })[];
    };
    // JSON has no NaN and no infinities: what was one of them comes back as null.
    this.#at = saved.at ?? Number.NaN;
    this.#steppedAt = saved.steppedAt ?? Number.NEGATIVE_INFINITY;
    this.#gap = saved.gap;
    this.#beginning = [...saved.beginning];
    this.#experienced = saved.experienced;
    this.#bank = this.#newBank();
    this.#bank.restore(saved.bank);
    this.#sources = saved.sources.map(s => {
      const path = new PathStatistics(this.#options.window);
      path.restore(s.path);
      const base = new BaseDelay();
      base.restore(s.base);
      const law = new QueueLaw();
      law.restore(s.law);
      const scatter = new OffsetScatter();
      scatter.restore(s.scatter);
      return {
        ...s,
        path,
        base,
        law,
        scatter,
        low: s.low ?? Number.NEGATIVE_INFINITY,
        high: s.high ?? Number.POSITIVE_INFINITY,
        jumpAt: s.jumpAt ?? Number.NEGATIVE_INFINITY,
      };
    });
    if (restarted !== undefined) this.#beginAnew(restarted.elapsed);
  }

  /** Forgets every instant and offset; what is known of the drift and of the paths stays. */
  #beginAnew(elapsed: number): void {
    for (let i = this.#sources.length - 1; i >= 0; i--) {
      const { name, ghost, path, base, law } = this.#sources[i]!;
      if (!ghost) this.#remembered.set(name, { path, base, law });
      this.#bank.removePhase(i);
    }
    this.#sources = [];
    this.#beginning = [];
    this.#experienced = true;
    this.#at = Number.NaN;
    this.#gap = 0;
    this.#steppedAt = Number.NEGATIVE_INFINITY;
    if (elapsed > 0) this.#bank.predict(Math.min(elapsed, OLDEST_DRIFT));
    this.#bank.loosenDrift(REBOOT_DRIFT ** 2);
  }
}

const NORMAL_68 = 0.994457883209753;
const NORMAL_95 = 1.959963984540054;
/** The ratio of the half-widths at 68 and 95 % lies so far below a normal law's when the wander is in doubt. */
const IN_DOUBT = 0.005;
/** How far ahead the forecast of the whole bank and that of one normal law are made to agree, at least, s. */
const SOON = 60;
const LATE = 5400;

/** The members' laws of the offset, about the consensus: each as every hypothesis about biases would have it. */
function laws(
  beliefs: readonly MemberBelief[],
  { offset, laws: hypotheses }: Consensus,
  formMean: number,
  linear: number,
) {
  return hypotheses.flatMap(h =>
    beliefs.map(p => ({
      weight: p.weight * h.weight,
      mean: p.mean - formMean + h.offset - offset,
      // The biases belong to every member alike; a hypothesis that trusts fewer paths scales what they leave unknown.
      variance: h.variance > linear ? p.variance + h.variance - linear : (p.variance * h.variance) / linear,
    })),
  );
}

/** Whether a posterior is one: finite, with variances, and a drift that a clock can have. */
function possible({ offset, drift, p00, p01, p11, maxError }: ClockEstimate): boolean {
  return Number.isFinite(offset + p01 + maxError) && Math.abs(drift) < 2 * WORST_DRIFT && p00 > 0 && p11 > 0;
}
