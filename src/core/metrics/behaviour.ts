import type { BehaviourSummary } from '../contracts/index.js';
import { inverseNormal, normalQuantile } from '../pipeline/telling.js';
import { Envelope } from './envelope.js';

/** What counts as converged, and what as holdover. Seconds. */
export interface BehaviourLimits {
  readonly within: number;
  readonly holdoverAfter: number;
}

/** Levels at which coverage and width are given. */
const LEVELS = [0.5, 0.68, 0.8, 0.9, 0.95, 0.99] as const;
/** Bins of the normalised error, per standard deviation and to either side. */
const PER_SIGMA = 64;
const SIGMAS = 8;
const CENTRE = PER_SIGMA * SIGMAS;
/** Faults that are listed one by one. */
const LISTED = 100;
/** Frequency changes slowly: every so many samples are enough. */
const DRIFT_EVERY = 10;

/**
 * How one pipeline behaves over a run, gathered sample by sample in flat memory; docs/metrics.md defines each number.
 * Samples before the warm-up count for convergence, recovery and steps only.
 */
export class Behaviour {
  private samples = 0;
  private seen = 0;
  private lastBeyond = 0;
  private beyond = false;
  private previous = Number.NaN;
  private backward = 0;

  private appliedAt = Number.NaN;
  private errorWhenApplied = Number.NaN;
  private fresh = false;
  private ageSamples = 0;
  private sumAge = 0;
  private oldest = 0;
  private readonly ageCounts = new Float64Array(32);
  private readonly ageSquares = new Float64Array(32);
  private readonly ageWorst = new Float64Array(32);

  private episodes = 0;
  private longest = 0;
  private sumGrowth = 0;
  private sumHeld = 0;
  private worstHeld = 0;

  private driftSamples = 0;
  private sumDrift = 0;
  private worstDrift = 0;

  private readonly bins = new Uint32Array(2 * CENTRE + 2);
  private calibrated = 0;
  private sumSigma = 0;

  private fault: OpenFault | undefined;
  private readonly faults: RecoveredFault[] = [];
  private faultCount = 0;
  private unrecovered = 0;
  private slowest: number | undefined;

  private worstError = 0;
  private worstAt = Number.NaN;
  private readonly envelope: Envelope;

  private readonly quantile: number;

  /**
   * @param warmup samples before it, in the run's time, count for convergence, recovery and steps only
   * @param level that of the uncertainties told
   */
  constructor(
    private readonly limits: BehaviourLimits,
    private readonly warmup: number,
    level: number,
  ) {
    this.quantile = normalQuantile(level);
    this.envelope = new Envelope(warmup);
  }

  /** `error` is told − reference, `uncertainty` the half-width told, seconds. */
  add(t: number, error: number, uncertainty: number | undefined): void {
    const size = error < 0 ? -error : error;
    this.beyond = size > this.limits.within;
    if (this.beyond) this.lastBeyond = t;
    this.seen += 1;
    const fall = this.previous - error;
    if (fall > this.backward) this.backward = fall;
    this.previous = error;
    const { fault } = this;
    if (fault !== undefined) {
      if (this.beyond) fault.lastBeyond = t;
      if (size > fault.worst) fault.worst = size;
    }
    if (this.fresh) {
      this.fresh = false;
      this.errorWhenApplied = error;
    }
    if (t < this.warmup) return;
    this.samples += 1;
    if (size > Math.abs(this.worstError) || this.samples === 1) {
      this.worstError = error;
      this.worstAt = t;
    }
    this.envelope.add(t, size);
    const age = t - this.appliedAt;
    // Not so while nothing has been applied: the age is then no number.
    if (age >= 0) {
      this.ageSamples += 1;
      this.sumAge += age;
      if (age > this.oldest) this.oldest = age;
      const octave = 31 - Math.clz32(age | 1);
      this.ageCounts[octave]! += 1;
      this.ageSquares[octave]! += error * error;
      if (size > this.ageWorst[octave]!) this.ageWorst[octave] = size;
      if (age > this.limits.holdoverAfter && size > this.worstHeld) this.worstHeld = size;
    }
    if (uncertainty !== undefined && uncertainty > 0) {
      const sigma = uncertainty / this.quantile;
      this.calibrated += 1;
      this.sumSigma += sigma;
      // Where the truth lies in what was told: at (reference − told)/σ.
      const place = CENTRE + (PER_SIGMA * -error) / sigma;
      this.bins[place < 0 ? 0 : place >= 2 * CENTRE ? 2 * CENTRE + 1 : 1 + (place | 0)]! += 1;
    }
  }

  /** True when the next sample is one at which `drift` wants to know the frequency. */
  get wantsDrift(): boolean {
    return this.samples % DRIFT_EVERY === 0;
  }

  /** The rate of change of the offset as believed, less as it is, s/s. */
  drift(error: number): void {
    const size = Math.abs(error);
    this.driftSamples += 1;
    this.sumDrift += error * error;
    if (size > this.worstDrift) this.worstDrift = size;
  }

  /** A reference has been applied: the estimate in force holds a measurement made now. */
  applied(t: number): void {
    this.endGap(t);
    this.appliedAt = t;
    this.fresh = true;
  }

  /** A fault strikes. What follows is put down to it until the next one strikes. */
  struck(what: string, t: number): void {
    this.closeFault();
    this.faultCount += 1;
    this.fault = { what, at: t, over: t, lastBeyond: undefined, worst: 0 };
  }

  /** A fault is over: recovery from the latest one counts from here. */
  over(t: number): void {
    if (this.fault !== undefined) this.fault.over = t;
  }

  /** `end`: when the run ended, in its own time. */
  summary(end: number): BehaviourSummary {
    this.endGap(end);
    this.closeFault();
    this.fault = undefined;
    return {
      within: this.limits.within,
      worst: this.samples === 0 ? null : { at: this.worstAt, error: this.worstError },
      course: this.samples === 0 ? null : this.envelope.summary,
      convergedBy: this.seen === 0 || this.beyond ? null : this.lastBeyond,
      largestBackwardStep: this.seen < 2 ? null : this.backward,
      drift:
        this.driftSamples === 0 ? null : { rms: Math.sqrt(this.sumDrift / this.driftSamples), max: this.worstDrift },
      age: this.ageSamples === 0 ? null : { mean: this.sumAge / this.ageSamples, max: this.oldest },
      byAge: this.byAge(),
      holdover:
        this.episodes === 0
          ? null
          : {
              episodes: this.episodes,
              longest: this.longest,
              growth: this.sumHeld === 0 ? null : this.sumGrowth / this.sumHeld,
              max: this.worstHeld,
            },
      recovery:
        this.faultCount === 0
          ? null
          : {
              faults: this.faultCount,
              unrecovered: this.unrecovered,
              worst: this.unrecovered > 0 ? null : (this.slowest ?? null),
              each: this.faults,
            },
      calibration: this.calibrated === 0 ? null : this.calibration(),
    };
  }

  private endGap(t: number): void {
    const gap = t - this.appliedAt;
    if (!(gap > this.limits.holdoverAfter) || !(t > this.warmup)) return;
    this.episodes += 1;
    if (gap > this.longest) this.longest = gap;
    const growth = Math.abs(this.previous - this.errorWhenApplied);
    if (!Number.isFinite(growth)) return;
    this.sumGrowth += growth;
    this.sumHeld += gap;
  }

  private closeFault(): void {
    const { fault } = this;
    if (fault === undefined) return;
    const recovery = this.beyond ? null : Math.max(0, (fault.lastBeyond ?? fault.over) - fault.over);
    if (recovery === null) this.unrecovered += 1;
    else this.slowest = Math.max(this.slowest ?? 0, recovery);
    const { what, at, worst } = fault;
    if (this.faults.length < LISTED) this.faults.push({ what, at, recovery, max: worst });
  }

  private byAge(): BehaviourSummary['byAge'] {
    return [...this.ageCounts].flatMap((samples, octave) =>
      samples === 0
        ? []
        : [
            {
              from: octave === 0 ? 0 : 2 ** octave,
              to: 2 ** (octave + 1),
              samples,
              rms: Math.sqrt(this.ageSquares[octave]! / samples),
              max: this.ageWorst[octave]!,
            },
          ],
    );
  }

  private calibration(): NonNullable<BehaviourSummary['calibration']> {
    const { calibrated, bins } = this;
    const cumulative = new Float64Array(bins.length + 1);
    for (let i = 0; i < bins.length; i++) cumulative[i + 1] = cumulative[i]! + bins[i]!;
    /** Share of samples at which the truth lay below `z` standard deviations from what was told. */
    const below = (z: number): number => {
      const place = 1 + CENTRE + PER_SIGMA * z;
      const i = Math.floor(place);
      return (cumulative[i]! + (place - i) * bins[i]!) / calibrated;
    };
    const sigma = this.sumSigma / calibrated;
    const levels = LEVELS.map(level => {
      const z = normalQuantile(level);
      return { level, coverage: below(z) - below(-z), meanWidth: 2 * z * sigma };
    });
    const places = Array.from({ length: 19 }, (_, i) => (i + 1) / 20);
    const pit = places.map(p => below(inverseNormal(p)));
    const deciles = [0, ...pit.filter((_, i) => i % 2 === 1), 1];
    return {
      levels,
      pit: deciles.slice(1).map((share, i) => share - deciles[i]!),
      distance: Math.max(...pit.map((share, i) => Math.abs(share - places[i]!))),
    };
  }
}

interface OpenFault {
  readonly what: string;
  readonly at: number;
  over: number;
  lastBeyond: number | undefined;
  worst: number;
}

type RecoveredFault = NonNullable<BehaviourSummary['recovery']>['each'][number];
