import { concatMap, EMPTY, exhaustMap, ignoreElements, interval, map, merge, type Observable, of, tap } from 'rxjs';
import {
  type Anchor,
  type Axis,
  type ClockReading,
  type Combiner,
  type CorrectedTime,
  type Corrector,
  type DatasetCorrector,
  type Estimate,
  type Filter,
  type History,
  isDeclined,
  isRejection,
  type Measurement,
  measure,
  type Predictor,
  type RoundRecord,
  type Source,
  type SourceEvent,
  type Supervisor,
  type Timekeeper,
  timeOn,
  type Verdict,
  type World,
} from '../contracts/index.js';
import { InputError } from '../errors.js';
import { carry } from './estimates.js';
import { MeasurementRing } from './measurement-log.js';
import { type Phase, phasesOf } from './phases.js';
import { closeRounds } from './rounds.js';
import { settled } from './settled.js';
import { Supervision } from './supervision.js';
import { Trajectory } from './trajectory.js';

/** How many measurements a history remembers. */
const HISTORY = 1024;

/** The plugins of one pipeline, made. */
export interface PipelineParts {
  readonly name: string;
  readonly axis: Axis;
  readonly level: number;
  readonly sources: readonly Source[];
  /** The filters of one source, made when it is first heard of. */
  readonly filtersFor: (source: string) => readonly Filter[];
  readonly combiner: Combiner | undefined;
  readonly predictor: Predictor;
  readonly corrector: Corrector;
  readonly timekeeper: Timekeeper;
  /** Acts on what is told, in this order. */
  readonly supervisors?: readonly Supervisor[];
  /** Seconds of the local counter from prediction to prediction; left out: one for each measurement. */
  readonly predictEvery?: number | undefined;
  /** Revises the past predictions of a pipeline that predicts between measurements. */
  readonly datasetCorrector?: DatasetCorrector | undefined;
  /** What the predictor learns from: the measurements, or (with past predictions among them) the trajectory. */
  readonly context?: 'measurements' | 'trajectory';
  /** Until the predictor is ready and has been warmed up this long (seconds), `serve` predicts and nothing corrects. */
  readonly phases?: { readonly warmUp: number; readonly serve: Predictor } | undefined;
  /** Told of each new phase. */
  readonly report?: (what: string) => void;
}

type Outcome = Omit<RoundRecord, 't'>;

/**
 * One pipeline: events → rounds → measurements → filters → combiner → (predict → correct), one measurement after
 * another; and, where it has an interval of its own, predictions between them. It sees its world's view only; whoever
 * runs it subscribes to `outcomes` and may `tell` at any reading.
 */
export class Pipeline {
  readonly name: string;
  readonly level: number;
  readonly outcomes: Observable<Outcome>;
  /** Past predictions, kept apart from the history; undefined where there are none between measurements. */
  readonly trajectory: Trajectory | undefined;

  private readonly measurements = new MeasurementRing(HISTORY);
  private readonly observed = new MeasurementRing(HISTORY);
  private readonly history: History;
  /** What the predictor is shown: the history, unless it is to learn from its own past. */
  private readonly context: History;
  private readonly filters = new Map<string, readonly Filter[]>();
  private readonly supervision: Supervision;
  private phase: Phase = 'running';
  private posterior: Estimate | undefined;
  /** The predictor's last answer, as it was given. */
  private prediction: Estimate | undefined;
  private anchor: Anchor | undefined;
  private inForce: Estimate | undefined;

  constructor(
    private readonly parts: PipelineParts,
    private readonly world: World,
  ) {
    const { name, level, axis, timekeeper, predictEvery } = parts;
    this.name = name;
    this.level = level;
    const self = this;
    this.history = {
      axis,
      measurements: this.measurements,
      observed: this.observed,
      get estimate() {
        return self.posterior;
      },
    };
    this.supervision = new Supervision(parts.supervisors ?? [], timekeeper, level);
    this.trajectory = predictEvery === undefined ? undefined : new Trajectory(axis, parts.datasetCorrector);
    this.context =
      parts.context === 'trajectory' && this.trajectory ? this.trajectory.contextFor(this.history) : this.history;
    this.outcomes = merge(
      this.phases(),
      merge(...parts.sources.map(source => source.events)).pipe(
        closeRounds(() => parts.sources.reduce((sum, source) => sum + source.outstanding, 0)),
        concatMap(round => this.take(round)),
      ),
      this.predictions(),
    );
  }

  /** The estimate that the time is told from. */
  get estimate(): Estimate | undefined {
    return this.inForce;
  }

  tell(reading: ClockReading): CorrectedTime {
    const { inForce } = this;
    return this.tellFrom(inForce === undefined || isOld(inForce, reading) ? undefined : inForce, reading);
  }

  /** What would be told if this estimate were in force. */
  tellFrom(estimate: Estimate | undefined, reading: ClockReading): CorrectedTime {
    return this.parts.timekeeper.tell(estimate, reading, this.level);
  }

  private phases(): Observable<never> {
    const { phases, predictor, report } = this.parts;
    if (phases === undefined && predictor.load === undefined) return EMPTY;
    return phasesOf(this.world.scheduler, predictor, phases?.warmUp ?? 0, why => report?.(why)).pipe(
      tap(phase => {
        this.phase = phase;
        report?.(`phase ${phase}`);
      }),
      ignoreElements(),
    );
  }

  /** Asks the predictor on its own interval, one question at a time: a late answer delays no measurement. */
  private predictions(): Observable<never> {
    const { predictEvery } = this.parts;
    const { scheduler, clock } = this.world;
    if (predictEvery === undefined) return EMPTY;
    return interval(predictEvery * 1000, scheduler).pipe(
      exhaustMap(() => {
        const at = clock.read();
        return this.ask(at).pipe(tap(prediction => prediction && this.refresh(prediction, at)));
      }),
      ignoreElements(),
    );
  }

  /** A prediction between two measurements comes into force, refined by the corrector where it does that. */
  private refresh(prediction: Estimate, issued: ClockReading): void {
    const { corrector } = this.parts;
    this.prediction = prediction;
    this.trajectory?.add(prediction, issued);
    const refined =
      this.phase === 'running' && corrector.refine !== undefined
        ? this.guard('corrector', () => corrector.refine!(prediction, this.history))
        : prediction;
    this.adopt(this.anchored(refined));
  }

  private ask(at: ClockReading): Observable<Estimate | undefined> {
    const { phases, predictor } = this.parts;
    const asked = this.phase === 'running' ? predictor : phases?.serve;
    if (asked === undefined) return of(undefined);
    return settled(this.world.scheduler, () => this.guard('predictor', () => asked.predict(this.context, at))).pipe(
      tap(answer => answer && this.check(answer)),
    );
  }

  private take(round: readonly SourceEvent[]): Observable<Outcome> {
    const { axis, combiner } = this.parts;
    const heard = round.flatMap(event => (event.type === 'exchange' ? [measure(event.exchange, axis)] : []));
    const verdicts: Verdict[] = round.flatMap(event =>
      event.type === 'failure' ? [{ source: event.failure.source, used: false, reason: event.failure.reason }] : [],
    );
    const passed: Measurement[] = [];
    for (const measurement of heard) {
      const filtered = this.guard('filters', () => this.filter(measurement));
      if (isRejection(filtered)) {
        verdicts.push({ source: measurement.source, used: false, reason: filtered.rejected });
      } else {
        this.observed.add(filtered);
        passed.push(filtered);
      }
    }
    let taken: readonly Measurement[] = passed;
    let mad: number | undefined;
    if (passed.length > 0) {
      if (combiner === undefined) {
        for (const { source } of passed) verdicts.push({ source, used: true, reason: 'taken' });
      } else {
        const combination = this.guard('combiner', () => combiner.combine(passed));
        taken = combination.measurements;
        mad = combination.mad;
        verdicts.push(...combination.verdicts);
      }
    }
    const before = this.inForce;
    const outcome = (step?: Step): Outcome => ({
      pipeline: this.name,
      measurements: heard,
      taken,
      verdicts,
      mad,
      before,
      prior: step?.prior,
      declined: step?.declined,
      estimate: this.inForce,
    });
    if (taken.length === 0) return of(outcome());
    return of(...taken).pipe(
      concatMap((measurement, index) =>
        this.step(measurement).pipe(concatMap(step => (index === taken.length - 1 ? of(outcome(step)) : EMPTY))),
      ),
    );
  }

  private filter(measurement: Measurement) {
    let filters = this.filters.get(measurement.source);
    if (filters === undefined) {
      filters = this.parts.filtersFor(measurement.source);
      this.filters.set(measurement.source, filters);
    }
    let current = measurement;
    for (const filter of filters) {
      const answer = filter.filter(current, this.history);
      if (isRejection(answer)) return answer;
      current = answer;
    }
    return current;
  }

  /** Predict, correct, remember. The predictor has the word where the corrector passes. */
  private step(measurement: Measurement): Observable<Step> {
    const { predictEvery, corrector } = this.parts;
    const { at } = measurement;
    const predicted = predictEvery === undefined ? this.ask(at) : of(this.prediction);
    return predicted.pipe(
      concatMap(prediction => {
        const prior = prediction && carry(prediction, at);
        this.supervision.observe(measurement, this.history);
        const answer =
          this.phase === 'running'
            ? this.guard('corrector', () => corrector.correct(prior, measurement, this.history, prediction))
            : { declined: `phase ${this.phase}` };
        const passes = answer === undefined || answer === prior || isDeclined(answer);
        this.trajectory?.revise(measurement, prior?.offset, this.history);
        this.measurements.add(measurement);
        const step: Step = {
          prior: prior && this.anchored(prior),
          declined: isDeclined(answer) ? answer.declined : passes ? 'passed on to the predictor' : undefined,
        };
        // A predictor with an interval of its own may be slow: no measurement waits for it.
        const waits = predictEvery !== undefined && this.phase === 'running';
        const next = !passes ? of(answer) : waits ? of(prior) : this.ask(at);
        return next.pipe(
          map(estimate => {
            this.anchor = { at, time: timeOn(this.parts.axis, at) + measurement.offset };
            if (estimate === undefined) return step;
            this.check(estimate);
            const posterior = this.anchored(estimate);
            this.posterior = posterior;
            this.adopt(posterior);
            return step;
          }),
        );
      }),
    );
  }

  private anchored(estimate: Estimate): Estimate {
    return this.anchor === undefined ? estimate : { ...estimate, anchor: this.anchor };
  }

  private adopt(estimate: Estimate): void {
    const { timekeeper } = this.parts;
    const previous = this.inForce;
    const supervised = this.supervision.supervise(estimate, this.history);
    if (supervised !== estimate) this.check(supervised);
    this.inForce = supervised;
    timekeeper.adopt?.(supervised, previous, this.world.clock.read(), this.level);
  }

  /** An estimate that is not finite would turn everything after it into NaN: it ends the run, and says whose it is. */
  private check(estimate: Estimate): void {
    const { offset, drift, p00, p01, p11, maxError } = estimate;
    if (!Number.isFinite(offset + drift + p00 + p01 + p11 + maxError) || p00 < 0 || p11 < 0) {
      throw new InputError(
        `pipeline '${this.name}'`,
        `'${estimate.by}' gave an estimate that is not finite or has a negative variance: ` +
          `offset ${offset}, drift ${drift}, covariance [${p00}, ${p01}, ${p11}], maximum error ${maxError}`,
      );
    }
  }

  /** A plugin that throws ends the run with a message that names it. */
  private guard<T>(part: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof InputError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new InputError(`pipeline '${this.name}', ${part}`, `threw: ${why}`);
    }
  }
}

/** What one measurement met: the prior, and why the corrector passed, if it did. */
interface Step {
  readonly prior: Estimate | undefined;
  readonly declined: string | undefined;
}

function isOld({ goodFor, axis, at }: Estimate, reading: ClockReading): boolean {
  return goodFor !== undefined && timeOn(axis, reading) - timeOn(axis, at) > goodFor;
}
