import type { ClockReading } from './clock.js';
import type { Verdict } from './combiner.js';
import type { CorrectedTime, Estimate } from './estimate.js';
import type { SourceEvent } from './exchange.js';
import type { Measurement } from './measurement.js';
import type { ModelUse } from './model.js';
import type { Stateful } from './state.js';
import type { WorldKind } from './world.js';

/** What is known of a run when it starts. */
export interface RunInfo {
  readonly scenario: string;
  readonly description: string;
  readonly seed: string;
  readonly world: WorldKind;
  /** Unix time of the run's epoch, seconds. */
  readonly epoch: number;
  /** Seconds; undefined if it runs until stopped. */
  readonly duration: number | undefined;
  readonly warmup: number;
  /** When it begins, in its own time; 0 where left out. Seconds. */
  readonly start?: number;
  readonly pipelines: readonly string[];
  readonly reference: 'truth' | 'ntp';
  /** HOST[:PORT] of servers that are called otherwise. */
  readonly addresses?: Readonly<Record<string, string>>;
  /** What a real world's clock is read through. */
  readonly clock?: string;
  /** What CLOCK_MONOTONIC_RAW read, in nanoseconds, when `counter` read 0, where a real world's counter is that clock. */
  readonly counterOrigin?: bigint;
  /** True: a recording whose stamps are of one clock. */
  readonly oneClock?: boolean;
}

/** One pipeline's answer at one instant of a sink's own grid, or at a measurement that scores it. */
export interface Sample {
  /** The run's own time: true time in a simulated world, the local counter where truth is not known. Seconds. */
  readonly t: number;
  readonly pipeline: string;
  readonly reading: ClockReading;
  readonly told: CorrectedTime;
  readonly estimate: Estimate | undefined;
  /** told − reference, seconds; undefined where there is no reference at this instant. */
  readonly error: number | undefined;
  /** The same of the bare wall clock. */
  readonly bareError: number | undefined;
}

/** How one source's question ended, with the truth where it is known (never an input). */
export interface ExchangeRecord {
  readonly t: number;
  readonly event: SourceEvent;
  /** Name of the source in the scenario. */
  readonly group: string;
  /** Questions still open after the event, by source; sources without any are left out. */
  readonly open: Readonly<Record<string, number>>;
  /** clock − true at `arrived`/`settled`, seconds, on both axes. */
  readonly truth: { readonly wall: number; readonly counter: number } | undefined;
}

/** What a pipeline made of a round. */
export interface RoundRecord {
  readonly t: number;
  readonly pipeline: string;
  /** Every source's measurement in the round, rejected ones included. */
  readonly measurements: readonly Measurement[];
  /** What filters and combiner let through, as the corrector was given it. */
  readonly taken: readonly Measurement[];
  readonly verdicts: readonly Verdict[];
  readonly mad: number | undefined;
  /** The estimate in force when the round began. */
  readonly before: Estimate | undefined;
  /** What the predictor alone said at the last of `taken`. */
  readonly prior: Estimate | undefined;
  /** Why the corrector passed over the last of `taken`; undefined if it did not. */
  readonly declined: string | undefined;
  /** The estimate in force after the round. */
  readonly estimate: Estimate | undefined;
  /** The local clock when the round was done, and what the pipeline then told. */
  readonly reading: ClockReading;
  readonly told: CorrectedTime;
}

/** Something that people should know of: a fault that strikes, a step that is detected, a fallback. */
export interface EventRecord {
  readonly t: number;
  readonly part: string;
  readonly what: string;
}

export interface ErrorStatistics {
  readonly mae: number;
  readonly rms: number;
  readonly std: number;
  readonly bias: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** How the corrections of one pipeline did, each against the prediction that it replaced, when the next round closed. */
export interface CorrectionSummary {
  readonly helped: number;
  readonly hurt: number;
  /** By how much where they helped, or hurt: mean of the difference of |error|, seconds; null where there were none. */
  readonly helpedBy: number | null;
  readonly hurtBy: number | null;
  /** Measurements that the corrector did not believe. */
  readonly declined: number;
}

export interface PipelineSummary {
  readonly name: string;
  /** Number of scored samples after the warm-up. */
  readonly samples: number;
  /** Of |told − reference| but for std and bias; seconds; null where nothing could be scored. */
  readonly error: ErrorStatistics | null;
  readonly winRate: number | null;
  readonly bounds: {
    readonly level: number;
    readonly coverage: number | null;
    readonly meanWidth: number | null;
    readonly maxErrorCoverage: number | null;
    readonly maxErrorMeanWidth: number | null;
  };
  readonly reference: 'truth' | 'ntp';
  /** For each limit that an expectation asks for: when the error was last beyond it, seconds of the run's time. */
  readonly convergence?: readonly { readonly within: number; readonly by: number }[];
  /** How fast told − true grows, s/s, where an expectation asks for it. */
  readonly frequency?: { readonly rms: number; readonly max: number } | null;
  /** Left out for the bare clock. */
  readonly corrections?: CorrectionSummary;
  /** Of the revised trajectory, where a pipeline predicts between measurements and truth is known. */
  readonly retrospective?: ErrorStatistics;
  /** How it behaves over the run, where that was asked for. */
  readonly behaviour?: BehaviourSummary;
}

/** How a pipeline behaves over a run; docs/metrics.md defines each number. Seconds, and s/s. */
export interface BehaviourSummary {
  /** What counts as converged and as recovered. */
  readonly within: number;
  /** The largest error after the warm-up, with its sign, and when it was. */
  readonly worst: { readonly at: number; readonly error: number } | null;
  /** The largest |error| in each `step` seconds from `from` on, at most 64 of them; null where nothing was scored. */
  readonly course: {
    readonly from: number;
    readonly step: number;
    readonly largest: readonly (number | null)[];
  } | null;
  /** When |error| was last beyond `within`, also before the warm-up; null if it was so at the end. */
  readonly convergedBy: number | null;
  /** The largest fall of told − reference from one sample to the next. */
  readonly largestBackwardStep: number | null;
  /** The drift believed in less the true one; null where there is no estimate, or the true frequency is not known. */
  readonly drift: { readonly rms: number; readonly max: number } | null;
  /** Of the last applied reference. */
  readonly age: { readonly mean: number; readonly max: number } | null;
  /** Errors by the age of the last applied reference, in octaves of seconds. */
  readonly byAge: readonly {
    readonly from: number;
    readonly to: number;
    readonly samples: number;
    readonly rms: number;
    readonly max: number;
  }[];
  /** Stretches without a reference; `growth` is how fast the error grew in them, s/s. */
  readonly holdover: {
    readonly episodes: number;
    readonly longest: number;
    readonly growth: number | null;
    readonly max: number;
  } | null;
  /** From when a fault is over to when |error| was last beyond `within` before the next; null where it stayed so. */
  readonly recovery: {
    readonly faults: number;
    readonly unrecovered: number;
    readonly worst: number | null;
    /** The first hundred. */
    readonly each: readonly {
      readonly what: string;
      readonly at: number;
      readonly recovery: number | null;
      readonly max: number;
    }[];
  } | null;
  /** Of the statistical interval, taken as a normal distribution. */
  readonly calibration: {
    readonly levels: readonly { readonly level: number; readonly coverage: number; readonly meanWidth: number }[];
    /** Shares of the samples at which the truth lay in each tenth of the distribution told. */
    readonly pit: readonly number[];
    /** Largest distance between how often the truth lay below a quantile told and how often it should. */
    readonly distance: number;
  } | null;
}

export interface ExpectationResult {
  readonly pipeline: string;
  readonly metric: string;
  readonly limit: string;
  readonly found: number | null;
  readonly holds: boolean;
}

/** What became of a predictor's questions to its model, and whose: `pipelines/NAME/predictor`, or deeper. */
export interface ModelTotals extends ModelUse {
  readonly part: string;
}

export interface RunSummary {
  readonly scenario: string;
  readonly seed: string;
  readonly duration: number;
  readonly warmup: number;
  readonly world: WorldKind;
  readonly interrupted: boolean;
  readonly exchanges: { readonly answered: number; readonly failed: number };
  /** Of the predictors that asked a model. */
  readonly models: readonly ModelTotals[];
  readonly pipelines: readonly PipelineSummary[];
  readonly expectations: readonly ExpectationResult[];
}

/** The corrected time on demand, for sinks that serve it. */
export interface TimeService {
  /** What a pipeline (the first, unless named) tells now. */
  now(pipeline?: string): CorrectedTime;
  /** The same, with what it is told from: one reading of the clock, and the estimate in force. */
  read(pipeline?: string): Answer;
  /**
   * What it would tell once the counter has gone `seconds` further (back, if negative) and nothing more was measured:
   * further than `from`, or than now.
   */
  ahead(seconds: number, pipeline?: string, from?: ClockReading): Answer;
  /** What has become of questions to models. */
  models(): readonly ModelTotals[];
}

/** A corrected time with the reading and the estimate that it comes from. */
export interface Answer {
  readonly pipeline: string;
  readonly reading: ClockReading;
  readonly told: CorrectedTime;
  /** Undefined while nothing is known. */
  readonly estimate: Estimate | undefined;
}

/**
 * A plugin of kind `sink`: writes, shows or serves what a run produces. Sinks stand outside the pipelines: they may be
 * told the truth, and nothing that they do reaches a pipeline.
 *
 * A sink that throws ends the run. What an implementer owes: `finish` leaves readable output also when
 * `summary.interrupted`; nothing that it opens keeps the process alive (`unref`), because another sink's start may fail.
 * One that serves the time to other programs refuses any world but the real one (`expectServable`). `interval` is its own
 * sampling grid, seconds of the run's time; without it it gets no samples on a grid.
 */
export interface Sink extends Stateful {
  readonly interval?: number;
  /** A promise holds the run back until the sink is ready. */
  start?(run: RunInfo, time: TimeService): void | Promise<void>;
  sample?(sample: Sample): void;
  /** A sample scored against a measurement, before the pipeline has seen it. */
  scored?(sample: Sample): void;
  exchange?(record: ExchangeRecord): void;
  round?(record: RoundRecord): void;
  event?(record: EventRecord): void;
  /** `done` of the run, 0 to 1, about ten times a second of wall time. */
  progress?(done: number): void;
  finish?(summary: RunSummary): void | Promise<void>;
}
