import {
  type ClockReading,
  type CorrectedTime,
  type Estimate,
  type EventRecord,
  type Exchange,
  type ExchangeRecord,
  type Measurement,
  measure,
  type PipelineSummary,
  type Sample,
  type Sink,
  timeOn,
} from '../contracts/index.js';
import { thrownBy } from '../errors.js';
import { Behaviour, type BehaviourLimits } from '../metrics/behaviour.js';
import { Convergence, SizeAccumulator, toldFrequency } from '../metrics/convergence.js';
import { CorrectionScore } from '../metrics/correction-score.js';
import { ErrorAccumulator } from '../metrics/error-statistics.js';
import { anchorAt } from '../pipeline/estimates.js';
import type { Outcome, Pipeline } from '../pipeline/pipeline.js';
import { bareTime } from '../pipeline/telling.js';
import type { Trajectory } from '../pipeline/trajectory.js';
import { nameOf } from '../plugin/registry.js';
import type { KnownClock, TrueReading } from '../world/simulated-clock.js';
import { BARE_CLOCK } from './load-scenario.js';

/** An instant k × step (moved by jitter), the k-th of a grid: never by repeated addition. */
class Grid {
  private k: number;
  next: number;

  constructor(
    private readonly step: number,
    start: number,
    private readonly jitter: () => number,
  ) {
    this.k = Math.max(1, Math.ceil(start / step));
    this.next = this.k * step + jitter();
  }

  advance(): void {
    this.k += 1;
    this.next = this.k * this.step + this.jitter();
  }
}

/** What expectations ask for besides the error statistics, of the pipelines by their place (the bare clock: −1). */
export interface Wanted {
  readonly convergence: readonly { readonly pipeline: number; readonly within: number }[];
  readonly frequency: readonly number[];
}

/** How every pipeline (the bare clock first) did at one measurement. */
export interface MeasurementScore {
  readonly measurement: Measurement;
  readonly samples: readonly Sample[];
}

interface SinkGrid {
  readonly sink: Sink;
  readonly grid: Grid;
}

/** Anything else that tells the time: another program's answers, a disciplined wall clock. */
interface Teller {
  readonly name: string;
  tell(reading: ClockReading): CorrectedTime;
}

/** Scores pipelines against a reference and hands samples to sinks. Nothing of it ever reaches a plugin in a pipeline. */
export class Scorer {
  private readonly accumulators: readonly ErrorAccumulator[];
  private readonly corrections: readonly CorrectionScore<Estimate>[];
  private readonly retrospectives: ErrorAccumulator[] = [];
  private readonly answered: readonly ErrorAccumulator[];
  private readonly bare = new ErrorAccumulator();
  private readonly sinkGrids: readonly SinkGrid[];
  /** The bare clock's bounds are always unknown: one answer stands for all. */
  private readonly unknown: CorrectedTime;
  /** Of the bare clock, then of the pipelines. */
  private readonly behaviours: readonly Behaviour[] | undefined;
  /** What the pipelines told at the last sample. */
  private readonly told: CorrectedTime[] = [];
  private readonly convergence: readonly (readonly [number, Convergence])[];
  private readonly frequency: ReadonlyMap<number, SizeAccumulator>;
  private readonly extra: boolean;
  private readonly none = new Grid(1, 0, () => Number.POSITIVE_INFINITY);

  constructor(
    private readonly pipelines: readonly Pipeline[],
    /** What other programs said, scored beside the pipelines. */
    private readonly answers: readonly Teller[],
    private readonly sinks: readonly Sink[],
    /** In the run's own time: nothing is scored before it. */
    private readonly warmup: number,
    private readonly level: number,
    private readonly reference: 'truth' | 'ntp',
    start: number,
    /** Ends the run: a sink threw, outside any operator that would catch it. */
    private readonly fail: (error: unknown) => void,
    wanted: Wanted = { convergence: [], frequency: [] },
    /** How pipelines behave is scored, too. */
    limits?: BehaviourLimits,
  ) {
    this.convergence = wanted.convergence.map(({ pipeline, within }) => [pipeline, new Convergence(within)]);
    this.frequency = new Map(wanted.frequency.map(index => [index, new SizeAccumulator()]));
    this.extra = this.convergence.length > 0 || this.frequency.size > 0;
    this.behaviours =
      limits && [level, ...pipelines.map(pipeline => pipeline.level)].map(of => new Behaviour(limits, warmup, of));
    this.unknown = bareTime({ wall: 0, counter: 0 }, level);
    this.accumulators = pipelines.map(() => new ErrorAccumulator());
    this.corrections = pipelines.map(() => new CorrectionScore());
    this.answered = answers.map(() => new ErrorAccumulator());
    this.sinkGrids = sinks.flatMap(sink =>
      sink.interval === undefined ? [] : [{ sink, grid: new Grid(sink.interval, start, () => 0) }],
    );
  }

  /** Scores on a grid of true time, in one plain loop for each stretch in which nothing happens. */
  gridListener(clock: KnownClock, interval: number, start: number, jitter: () => number): (to: number) => void {
    const scoring = new Grid(interval, start, jitter);
    const { sinkGrids } = this;
    const from = Math.max(this.warmup, clock.from ?? this.warmup);
    const until = clock.to ?? Number.POSITIVE_INFINITY;
    const first = this.behaviours === undefined ? from : (clock.from ?? Number.NEGATIVE_INFINITY);
    return to => {
      if (sinkGrids.length === 0) {
        for (; scoring.next <= to; scoring.advance()) {
          const t = scoring.next;
          const scored = t >= from && t <= until;
          const observed = t >= first && t <= until;
          if (!scored && !observed && !this.extra) continue;
          const now = clock.sampleAt(t);
          if (now === undefined) continue;
          if (this.extra) this.scoreExtra(clock, t, now);
          if (scored) this.scoreAgainstTruth(now);
          if (this.behaviours !== undefined && observed) this.observe(this.behaviours, clock, t, now, scored);
        }
        return;
      }
      for (;;) {
        let t = scoring.next;
        for (const { grid } of sinkGrids) if (grid.next < t) t = grid.next;
        if (t > to) return;
        const now = clock.sampleAt(t);
        if (t === scoring.next) {
          if (now !== undefined && this.extra) this.scoreExtra(clock, t, now);
          if (now !== undefined && t >= from && t <= until) this.scoreAgainstTruth(now);
          if (now !== undefined && this.behaviours !== undefined && t >= first && t <= until) {
            this.observe(this.behaviours, clock, t, now, t >= from);
          }
          scoring.advance();
        }
        for (const { sink, grid } of sinkGrids) {
          if (t !== grid.next) continue;
          if (now === undefined) {
            grid.advance();
            continue;
          }
          const known = t >= (clock.from ?? t) && t <= until;
          this.sample(sink, t, now.reading, known ? now : undefined);
          grid.advance();
        }
      }
    };
  }

  /** Samples for sinks where no clock is known: up to `to` on the local counter. */
  sampleUntil(to: number, read: (counter: number) => ClockReading): void {
    for (;;) {
      const first = this.sinkGrids.reduce((a, b) => (b.grid.next < a.next ? b.grid : a), this.none);
      if (first.next > to) return;
      const t = first.next;
      const reading = read(t);
      for (const { sink, grid } of this.sinkGrids) {
        if (grid.next !== t) continue;
        this.sample(sink, t, reading, undefined);
        grid.advance();
      }
    }
  }

  /**
   * What a measurement that no pipeline has seen yet says of them: the errors against it, or against the truth at its
   * arrival where the recording holds that. They count when they are `commit`ted.
   */
  scoreAt(
    t: number,
    exchange: Exchange,
    truth: { readonly wall: number; readonly counter: number } | undefined,
  ): MeasurementScore {
    const byCounter = measure(exchange, 'counter');
    const byWall = measure(exchange, 'wall');
    const reading = truth === undefined ? byCounter.at : exchange.arrived;
    const errorOf = (told: CorrectedTime): number =>
      told.axis === 'counter'
        ? told.offset + (truth?.counter ?? -byCounter.offset)
        : told.offset + (truth?.wall ?? -byWall.offset);
    const bareTold = bareTime(reading, this.level);
    const bareError = errorOf(bareTold);
    const sampleOf = (pipeline: string, told: CorrectedTime, estimate: Sample['estimate']): Sample => ({
      t,
      pipeline,
      reading,
      told,
      estimate,
      error: errorOf(told),
      bareError,
    });
    return {
      measurement: byWall,
      samples: [
        sampleOf(BARE_CLOCK, bareTold, undefined),
        ...this.pipelines.map(pipeline => sampleOf(pipeline.name, pipeline.tell(reading), pipeline.estimate)),
        ...this.answers.map(answer => sampleOf(answer.name, answer.tell(exchange.arrived), undefined)),
      ],
    };
  }

  commit({ samples }: MeasurementScore): void {
    samples.forEach((sample, index) => {
      const { t, told, error, bareError } = sample;
      const accumulator = [this.bare, ...this.accumulators, ...this.answered][index]!;
      if (t >= this.warmup) accumulator.add(error!, bareError!, told);
      this.behaviours?.[index]?.add(t, error!, told.uncertainty);
      this.notify(sink => sink.scored?.(sample));
    });
  }

  /** The record is made only where a sink takes it: the truth in it has its price. */
  exchange(record: () => ExchangeRecord): void {
    if (!this.sinks.some(sink => sink.exchange !== undefined)) return;
    const made = record();
    this.notify(sink => sink.exchange?.(made));
  }

  /** `now`, the truth then and the record are asked for only where they are used. */
  round(
    index: number,
    t: number,
    outcome: Outcome,
    now: () => { readonly reading: ClockReading; readonly truth: ExchangeRecord['truth'] },
  ): void {
    if (t >= this.warmup) this.judgeCorrection(index, outcome, now);
    if (this.behaviours !== undefined && outcome.taken.length > 0 && outcome.declined === undefined) {
      this.behaviours[1 + index]!.applied(t);
    }
    if (!this.sinks.some(sink => sink.round !== undefined)) return;
    const { reading } = now();
    const record = { t, ...outcome, reading, told: this.pipelines[index]!.tell(reading) };
    this.notify(sink => sink.round?.(record));
  }

  private judgeCorrection(
    index: number,
    outcome: Outcome,
    now: () => ReturnType<Parameters<Scorer['round']>[3]>,
  ): void {
    const pipeline = this.pipelines[index]!;
    const score = this.corrections[index]!;
    const { taken, before, prior, estimate, declined } = outcome;
    const measurement = taken.at(-1);
    if (measurement === undefined) return;
    score.judge(judged => {
      const { reading, truth } = this.reference === 'truth' ? now() : { reading: measurement.at, truth: undefined };
      const told = pipeline.tellFrom(judged, reading);
      if (truth !== undefined) return told.offset + truth[told.axis];
      return told.axis === pipeline.axis
        ? told.offset - measurement.offset
        : told.time - timeOn(pipeline.axis, reading) - measurement.offset;
    });
    if (declined !== undefined) score.passed();
    else if (prior !== undefined && estimate !== undefined) {
      score.made(estimate, before?.anchor === undefined ? prior : anchorAt(prior, before.anchor));
    }
  }

  /** Scores a pipeline's trajectory: what was predicted for an instant, as it stands when nothing will revise it. */
  follow(trajectory: Trajectory, index: number, truthNow: () => TrueReading | undefined): void {
    const scored = new ErrorAccumulator();
    this.retrospectives[index] = scored;
    const { axis } = this.pipelines[index]!;
    // The truth of a point is noted when it is made; it knows nothing of it.
    const truths = new WeakMap<ClockReading, number>();
    trajectory.added.subscribe(({ issued, target }) => {
      const now = truthNow();
      if (now === undefined) return;
      const { counterError, wallError } = now;
      if (target === issued) truths.set(target, axis === 'counter' ? counterError : wallError);
    });
    trajectory.settled.subscribe(({ target, offset }) => {
      const clockError = truths.get(target);
      if (clockError === undefined || target.counter < this.warmup) return;
      scored.add(offset + clockError, clockError, this.unknown);
    });
  }

  event(record: EventRecord): void {
    this.notify(sink => sink.event?.(record));
  }

  /** A fault begins or ends. */
  struck(what: string, t: number, begins: boolean): void {
    for (const behaviour of this.behaviours ?? []) {
      if (begins) behaviour.struck(what, t);
      else behaviour.over(t);
    }
  }

  /** `end`: when the run ended, in its own time. */
  summaries(end: number): readonly PipelineSummary[] {
    const behaviourOf = (index: number): Pick<PipelineSummary, 'behaviour'> => {
      const behaviour = this.behaviours?.[index]?.summary(end);
      return behaviour === undefined ? {} : { behaviour };
    };
    return [
      { ...this.withExtra(-1, this.bare.summary(BARE_CLOCK, this.level, this.reference)), ...behaviourOf(0) },
      ...this.pipelines.map((pipeline, index) => {
        const retrospective = this.retrospectives[index]?.summary('', this.level, this.reference).error;
        return this.withExtra(index, {
          ...this.accumulators[index]!.summary(pipeline.name, pipeline.level, this.reference),
          corrections: this.corrections[index]!.summary(),
          ...(retrospective && { retrospective }),
          ...behaviourOf(1 + index),
        });
      }),
      ...this.answers.map((answer, index) =>
        this.withExtra(
          this.pipelines.length + index,
          this.answered[index]!.summary(answer.name, this.level, this.reference),
        ),
      ),
    ];
  }

  private withExtra(index: number, summary: PipelineSummary): PipelineSummary {
    const convergence = this.convergence.flatMap(([of, { within, by }]) => (of === index ? [{ within, by }] : []));
    const frequency = this.frequency.get(index);
    return {
      ...summary,
      ...(convergence.length > 0 && { convergence }),
      ...(frequency && { frequency: frequency.summary() }),
    };
  }

  /** What only some expectations ask for; convergence also before the warm-up. */
  private scoreExtra(clock: KnownClock, t: number, { reading, counterError, wallError }: TrueReading): void {
    const tell = (index: number, at: ClockReading): CorrectedTime =>
      index < 0
        ? bareTime(at, this.level)
        : (this.pipelines[index] ?? this.answers[index - this.pipelines.length])!.tell(at);
    for (const [index, convergence] of this.convergence) {
      const { offset, axis } = tell(index, reading);
      convergence.add(t, offset + (axis === 'counter' ? counterError : wallError));
    }
    if (t < this.warmup || clock.frequencyAt === undefined) return;
    for (const [index, accumulator] of this.frequency) {
      const later = { wall: reading.wall + 1, counter: reading.counter + 1 };
      accumulator.add(toldFrequency(tell(index, reading), tell(index, later), clock.frequencyAt(t)));
    }
  }

  private notify(tell: (sink: Sink) => void): void {
    for (const sink of this.sinks) {
      try {
        tell(sink);
      } catch (error) {
        this.fail(sinkThrew(sink, error));
      }
    }
  }

  private scoreAgainstTruth(now: TrueReading): void {
    const { reading, counterError, wallError } = now;
    const { pipelines, accumulators } = this;
    this.bare.add(wallError, wallError, this.unknown);
    for (let i = 0; i < pipelines.length; i++) {
      const told = pipelines[i]!.tell(reading);
      this.told[i] = told;
      accumulators[i]!.add(told.offset + (told.axis === 'counter' ? counterError : wallError), wallError, told);
    }
    for (let i = 0; i < this.answers.length; i++) {
      const told = this.answers[i]!.tell(reading);
      this.answered[i]!.add(told.offset + wallError, wallError, told);
    }
  }

  private sample(sink: Sink, t: number, reading: ClockReading, truth: TrueReading | undefined): void {
    const samples = this.samples(t, reading, truth);
    try {
      for (const sample of samples) sink.sample!(sample);
    } catch (error) {
      this.fail(sinkThrew(sink, error));
    }
  }

  /** Scores how pipelines behave; `scored`: `scoreAgainstTruth` has just noted what they told. */
  private observe(
    behaviours: readonly Behaviour[],
    clock: KnownClock,
    t: number,
    now: TrueReading,
    scored: boolean,
  ): void {
    const { reading, counterError, wallError } = now;
    behaviours[0]!.add(t, wallError, undefined);
    let frequency: number | undefined;
    for (let i = 0; i < this.pipelines.length; i++) {
      const pipeline = this.pipelines[i]!;
      const behaviour = behaviours[i + 1]!;
      const told = scored ? this.told[i]! : pipeline.tell(reading);
      behaviour.add(t, told.offset + (told.axis === 'counter' ? counterError : wallError), told.uncertainty);
      if (!scored || !behaviour.wantsDrift || pipeline.estimate === undefined) continue;
      frequency ??= clock.frequencyAt?.(t);
      // An offset is what the clock lacks: on a clock that runs fast by y it changes by −y/(1 + y) a second.
      if (frequency !== undefined) behaviour.drift(pipeline.estimate.drift + frequency / (1 + frequency));
    }
  }

  private samples(t: number, reading: ClockReading, truth: TrueReading | undefined): readonly Sample[] {
    const sampleOf = (pipeline: string, told: CorrectedTime, estimate: Sample['estimate']): Sample => ({
      t,
      pipeline,
      reading,
      told,
      estimate,
      error: truth && told.offset + (told.axis === 'counter' ? truth.counterError : truth.wallError),
      bareError: truth?.wallError,
    });
    return [
      sampleOf(BARE_CLOCK, bareTime(reading, this.level), undefined),
      ...this.pipelines.map(pipeline => sampleOf(pipeline.name, pipeline.tell(reading), pipeline.estimate)),
      ...this.answers.map(answer => sampleOf(answer.name, answer.tell(reading), undefined)),
    ];
  }
}

/** An exchange that errors can be measured against: all its times are numbers. */
export function isMeasurable({ sent, arrived, receive, transmit }: Exchange): boolean {
  return Number.isFinite(sent.wall + sent.counter + arrived.wall + arrived.counter + receive + transmit);
}

/** What a sink threw, with its name; a system's own error (a full disk) says more by itself. */
export function sinkThrew(sink: Sink, error: unknown): unknown {
  return error instanceof Error && 'syscall' in error ? error : thrownBy(nameOf(sink), error);
}
