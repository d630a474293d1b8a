import { concatMap, EMPTY, exhaustMap, filter, ignoreElements, interval, merge, Observable, tap } from 'rxjs';
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
  type Passage,
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
import { expectObject, guarded, InputError, thrownBy } from '../errors.js';
import { isPromise } from '../world/scheduler.js';
import { COMBINED } from './combined.js';
import { anchorAt, carry, shifted } from './estimates.js';
import { type PipelineState, priorFrom, type RememberedDrift, rememberedDrift } from './kept.js';
import { LeapWatch } from './leap-watch.js';
import { MeasurementRing } from './measurement-log.js';
import { PHASE, type Phase, phasesOf } from './phases.js';
import { closeRounds } from './rounds.js';
import type { SteeredWall } from './steered-wall.js';
import { Supervision } from './supervision.js';
import { Trajectory } from './trajectory.js';

/** In real time, how long a predictor's answer is waited for unless a pipeline says so, seconds. */
const DEADLINE = 1;

/** How many measurements a history remembers. */
const HISTORY = 1024;
/** How many of them outlive the process. */
const KEPT = 128;

/** A source that has been silent for longer than this has no say in a round, seconds. */
const OTHERS_AGE = 2048;

/** How fast a measurement loses its worth while nothing is known of the clock's frequency: RFC 5905's largest, s/s. */
const UNKNOWN_RATE = 500e-6;

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
  /** Act on what is told, in this order. */
  readonly supervisors?: readonly Supervisor[];
  /** Seconds of the local counter from prediction to prediction; left out: one for each measurement. */
  readonly predictEvery?: number | undefined;
  /** Revises the past predictions of a pipeline that predicts between measurements. */
  readonly datasetCorrector?: DatasetCorrector | undefined;
  /** What the predictor learns from: the measurements, or (with past predictions among them) the trajectory. */
  readonly context?: 'measurements' | 'trajectory';
  /** Until the predictor is ready and has been warmed up this long (seconds), `serve` predicts and nothing corrects. */
  readonly phases?: { readonly warmUp: number; readonly serve: Predictor } | undefined;
  /** The wall clock that follows what is told. */
  readonly wall?: SteeredWall | undefined;
  /** In real time: seconds that a predictor's answer is waited for; then the last posterior stands in. */
  readonly deadline?: number | undefined;
  /** Told of each new phase, and of a predictor that is late or dead. */
  readonly report?: (what: string) => void;
}

/** Turns the verdicts on a measurement's sources to "not used". */
function decline(verdicts: Verdict[], source: string, reason: string): void {
  const sources = source.split(COMBINED);
  verdicts.forEach((verdict, index) => {
    if (verdict.used && sources.includes(verdict.source)) verdicts[index] = { ...verdict, used: false, reason };
  });
}

export type Outcome = Omit<RoundRecord, 't' | 'reading' | 'told'>;

/**
 * One pipeline: events → rounds → measurements → filters → combiner → (predict → correct), one measurement after
 * another; and, where it has an interval of its own, predictions between them. It sees its world's view only; whoever
 * runs it subscribes to `outcomes` and may `tell` at any reading.
 */
export class Pipeline {
  readonly name: string;
  readonly axis: Axis;
  readonly level: number;
  readonly outcomes: Observable<Outcome>;
  /** Past predictions, kept apart from the history; undefined in a pipeline without any between measurements. */
  readonly trajectory: Trajectory | undefined;

  private readonly measurements = new MeasurementRing(HISTORY);
  private readonly observed = new MeasurementRing(HISTORY);
  private readonly history: History;
  private readonly filters = new Map<string, readonly Filter[]>();
  private readonly latest = new Map<string, Measurement>();
  private readonly leaps: LeapWatch;
  private readonly supervision: Supervision | undefined;
  /** What the predictor is shown: the history, unless it is to learn from its own past. */
  private readonly context: History;
  private phase: Phase = 'running';
  private posterior: Estimate | undefined;
  /** The last measurement that was believed, as a place to walk from. */
  private anchor: Anchor | undefined;
  /** The predictor's last answer, as it was given, in a pipeline that predicts between measurements. */
  private prediction: Estimate | undefined;
  private inForce: Estimate | undefined;
  /** Whether the last posterior is the predictor's word: the corrector had none. */
  private predictorTells = false;
  /** From before the counter began anew: the first measurement's prior. */
  private remembered: RememberedDrift | undefined;
  /** Why the last posterior stands in for the predictor; undefined while it answers. */
  private standsIn: string | undefined;

  constructor(
    private readonly parts: PipelineParts,
    private readonly world: World,
  ) {
    this.name = parts.name;
    this.axis = parts.axis;
    this.level = parts.level;
    const self = this;
    this.history = {
      axis: parts.axis,
      measurements: this.measurements,
      observed: this.observed,
      get estimate() {
        return self.posterior;
      },
    };
    const told = (): CorrectedTime | undefined =>
      this.inForce === undefined ? undefined : this.tell(world.clock.read());
    this.leaps = new LeapWatch(world, parts.axis, told, by => this.leap(by));
    const { supervisors = [], predictEvery, datasetCorrector, context } = parts;
    if (supervisors.length > 0) this.supervision = new Supervision(supervisors, parts.timekeeper, parts.level);
    if (predictEvery !== undefined) this.trajectory = new Trajectory(parts.axis, datasetCorrector);
    this.context = (context === 'trajectory' && this.trajectory?.contextFor(this.history)) || this.history;
    const rounds = merge(...parts.sources.map(source => source.events)).pipe(
      closeRounds(() => parts.sources.reduce((sum, source) => sum + source.outstanding, 0)),
      concatMap(round => this.take(round)),
    );
    this.outcomes = merge(this.phases(), rounds, this.predictions());
  }

  /** The wall clock that follows what is told, where it is disciplined. */
  get wall(): SteeredWall | undefined {
    return this.parts.wall;
  }

  /** The estimate that the time is told from. */
  get estimate(): Estimate | undefined {
    return this.inForce;
  }

  snapshot(): PipelineState {
    const { axis, posterior, inForce, measurements, observed, latest } = this;
    return {
      axis,
      posterior,
      inForce,
      measurements: measurements.last(KEPT),
      observed: observed.last(KEPT),
      latest: [...latest.values()],
    };
  }

  /** Goes on from a snapshot. Throws an Error where it makes no sense; then nothing has changed. */
  restore({ axis, posterior, inForce, measurements, observed, latest }: PipelineState, passage: Passage): void {
    if (axis !== this.axis) throw new Error(`it estimated the ${axis}, not the ${this.axis}`);
    if (posterior != null) this.check(posterior);
    if (inForce != null) this.check(inForce);
    if (!passage.continues) {
      this.remembered = rememberedDrift(posterior ?? undefined, passage);
      return;
    }
    const nonsense = [...measurements, ...observed, ...latest].map(notFinite).find(why => why !== undefined);
    if (nonsense !== undefined) throw new Error(nonsense);
    for (const measurement of measurements) this.measurements.add(measurement);
    for (const measurement of observed) this.observed.add(measurement);
    for (const measurement of latest) this.latest.set(measurement.source, measurement);
    this.posterior = posterior ?? undefined;
    this.anchor = posterior?.anchor;
    this.inForce = inForce ?? undefined;
    const { timekeeper, level } = this.parts;
    if (this.inForce !== undefined) timekeeper.adopt?.(this.inForce, undefined, this.world.clock.read(), level);
  }

  /** The clock that it estimates has lost `by` seconds at once, give or take `deviation`: suspended, or stepped. */
  displaced(axis: Axis, by: number, deviation: number): void {
    if (axis === this.axis) this.leap(by, deviation);
  }

  tell(reading: ClockReading): CorrectedTime {
    const { inForce } = this;
    return this.tellFrom(inForce?.goodFor === undefined || isGood(inForce, reading) ? inForce : undefined, reading);
  }

  /** What would be told at a reading if this estimate were in force. */
  tellFrom(estimate: Estimate | undefined, reading: ClockReading): CorrectedTime {
    let told: CorrectedTime;
    try {
      told = this.parts.timekeeper.tell(estimate, reading, this.parts.level);
    } catch (error) {
      throw thrownBy(`pipeline '${this.name}', timekeeper`, error);
    }
    if (told === undefined) expectObject(`pipeline '${this.name}', timekeeper`, told, 'a time with its bounds');
    const { time, offset, uncertainty = 0, maxError = 0 } = told;
    if (!Number.isFinite(time + offset) || !(uncertainty >= 0 && maxError >= 0)) {
      throw new InputError(
        `pipeline '${this.name}', timekeeper`,
        `told a time of ${time} s with bounds of ± ${uncertainty} s and ± ${maxError} s; expected finite numbers`,
      );
    }
    return told;
  }

  private phases(): Observable<never> {
    const { phases, predictor, report } = this.parts;
    if (phases === undefined && predictor.load === undefined) return EMPTY;
    return phasesOf(this.world.scheduler, predictor, phases?.warmUp ?? 0, why => report?.(why)).pipe(
      tap(phase => {
        this.phase = phase;
        report?.(`${PHASE}${phase}`);
      }),
      ignoreElements(),
    );
  }

  /**
   * Asks the predictor on its own interval, and when it has something new to say, one question at a time: a late answer
   * delays no measurement.
   */
  private predictions(): Observable<never> {
    const { predictEvery, predictor } = this.parts;
    const { scheduler, clock } = this.world;
    const revised = (predictor.revised ?? EMPTY).pipe(
      filter(() => this.phase === 'running' && (predictEvery !== undefined || this.predictorTells)),
    );
    const due = predictEvery === undefined ? revised : merge(interval(predictEvery * 1000, scheduler), revised);
    return due.pipe(
      exhaustMap(
        () =>
          new Observable<never>(subscriber => {
            const issued = clock.read();
            const refresh = (prediction: Estimate | undefined): void => {
              if (predictEvery === undefined) this.adopt(prediction);
              else if (prediction !== undefined) this.refresh(prediction, issued);
              subscriber.complete();
            };
            this.predict(issued, refresh, error => subscriber.error(error));
          }),
      ),
    );
  }

  /** A prediction between two measurements comes into force, refined by the corrector where it does that. */
  private refresh(prediction: Estimate, issued: ClockReading): void {
    const { corrector } = this.parts;
    this.check(prediction);
    this.prediction = prediction;
    this.trajectory!.add(prediction, issued);
    const refined =
      this.phase === 'running' && corrector.refine !== undefined
        ? this.guard('corrector', () => corrector.refine!(prediction, this.history))
        : prediction;
    this.serve(this.anchor === undefined ? refined : anchorAt(refined, this.anchor));
  }

  /** UTC has leapt, say: all that was measured or is believed counts `by` seconds more, give or take `deviation`. */
  private leap(by: number, deviation = 0): void {
    const { timekeeper, level } = this.parts;
    const previous = this.inForce;
    this.posterior = this.posterior && shifted(this.posterior, by, deviation);
    this.anchor = this.anchor && { at: this.anchor.at, time: this.anchor.time + by };
    this.prediction = this.prediction && shifted(this.prediction, by, deviation);
    this.inForce = previous && shifted(previous, by, deviation);
    if (this.inForce !== undefined) timekeeper.adopt?.(this.inForce, previous, this.world.clock.read(), level);
    this.trajectory?.end();
    this.supervision?.leap(by);
    this.measurements.shift(by);
    this.observed.shift(by);
    for (const [source, measurement] of this.latest) {
      this.latest.set(source, { ...measurement, offset: measurement.offset + by });
    }
    this.steer('leap');
    this.parts.predictor.leap?.(by);
    this.parts.corrector.leap?.(by, deviation);
  }

  /** Takes a round's measurements one after another, each once the answer to the one before has come. */
  private take(round: readonly SourceEvent[]): Observable<Outcome> {
    const { chosen, verdicts, mad, heard } = this.select(round);
    return new Observable(subscriber => {
      const fail = (error: unknown): void => subscriber.error(error);
      const before = this.inForce;
      let prior: Estimate | undefined;
      let declined: string | undefined;
      const next = (index: number): void => {
        const measurement = chosen[index];
        if (measurement !== undefined) {
          this.step(
            measurement,
            (predicted, why) => {
              prior = predicted;
              declined = why;
              if (why !== undefined) decline(verdicts, measurement.source, why);
              next(index + 1);
            },
            fail,
          );
          return;
        }
        for (const { source, reason } of (this.phase === 'running' && this.parts.corrector.doubts?.()) || []) {
          decline(verdicts, source, reason);
        }
        this.leaps.plan(this.latest.size);
        subscriber.next({
          pipeline: this.name,
          measurements: heard,
          taken: chosen,
          verdicts,
          mad,
          before,
          prior,
          declined,
          estimate: this.inForce,
        });
        subscriber.complete();
      };
      next(0);
    });
  }

  /** Measures, filters and combines a round. */
  private select(round: readonly SourceEvent[]) {
    const { axis, combiner } = this.parts;
    const heard: Measurement[] = [];
    const verdicts: Verdict[] = [];
    for (const event of round) {
      if (event.type === 'exchange') heard.push(measure(event.exchange, axis));
      else verdicts.push({ source: event.failure.source, used: false, reason: event.failure.reason });
    }
    const passed: Measurement[] = [];
    for (const measurement of heard) {
      const nonsense = notFinite(measurement);
      if (nonsense !== undefined) {
        verdicts.push({ source: measurement.source, used: false, reason: nonsense });
        continue;
      }
      const filtered = this.guard('filters', () => this.filter(measurement));
      if (isRejection(filtered)) {
        verdicts.push({ source: measurement.source, used: false, reason: filtered.rejected });
      } else {
        this.leaps.hear(filtered.exchange);
        this.observed.add(filtered);
        this.latest.set(filtered.source, filtered);
        passed.push(filtered);
      }
    }
    let chosen: readonly Measurement[] = passed;
    let mad: number | undefined;
    if (passed.length > 0) {
      if (combiner === undefined) {
        for (const { source } of passed) verdicts.push({ source, used: true, reason: 'taken' });
      } else {
        const others = this.othersThan(passed);
        const combination = this.guard('combiner', () => combiner.combine(passed, others));
        if (!Array.isArray(combination?.measurements) || !Array.isArray(combination.verdicts)) {
          throw new InputError(
            `pipeline '${this.name}', combiner`,
            'expected an answer { measurements, verdicts }, both lists',
          );
        }
        for (const measurement of combination.measurements) this.judge('combiner', measurement);
        chosen = combination.measurements;
        mad = combination.mad;
        verdicts.push(...combination.verdicts);
      }
    }
    return { chosen, verdicts, mad, heard };
  }

  /**
   * The last measurement of every source that is not in the round, brought forward by the drift believed in: what the
   * round can be compared with when sources are not asked in step.
   */
  private othersThan(round: readonly Measurement[]): readonly Measurement[] {
    const { axis } = this.parts;
    const now = round.at(-1)!.at;
    const drift = this.posterior?.drift ?? 0;
    const rate = this.posterior?.maxErrorRate ?? UNKNOWN_RATE;
    const others: Measurement[] = [];
    for (const measurement of this.latest.values()) {
      if (round.some(({ source }) => source === measurement.source)) continue;
      const age = timeOn(axis, now) - timeOn(axis, measurement.at);
      if (age >= 0 && age <= OTHERS_AGE) {
        const { offset, rootDistance } = measurement;
        others.push({ ...measurement, offset: offset + drift * age, rootDistance: rootDistance + rate * age });
      }
    }
    return others;
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
      expectObject(`pipeline '${this.name}', filters`, answer, 'a measurement or { rejected: why }');
      if (isRejection(answer)) return answer;
      if (answer !== current) this.judge('filters', answer);
      current = answer;
    }
    return current;
  }

  /** Predict, correct, remember; the predictor has the word where the corrector has nothing to say. */
  private step(
    measurement: Measurement,
    done: (prior: Estimate | undefined, declined: string | undefined) => void,
    fail: (error: unknown) => void,
  ): void {
    const { corrector, predictEvery } = this.parts;
    const { at } = measurement;
    const predicted = (given: Estimate | undefined): void => {
      const prediction = given ?? (this.remembered && priorFrom(this.remembered, this.axis, measurement));
      this.remembered = undefined;
      const prior = prediction && carry(prediction, at);
      this.guard('supervisors', () => this.supervision?.observe(measurement, this.history));
      this.guard('dataset corrector', () => this.trajectory?.revise(measurement, prior?.offset, this.history));
      const running = this.phase === 'running';
      const answer = running
        ? this.guard('corrector', () => corrector.correct(prior, measurement, this.history, prediction))
        : undefined;
      if (answer !== undefined) {
        expectObject(`pipeline '${this.name}', corrector`, answer, 'an estimate, { declined: why } or undefined');
      }
      this.measurements.add(measurement);
      if (!isDeclined(answer)) this.anchor = this.anchorOf(measurement);
      this.predictorTells = answer === undefined || isDeclined(answer);
      if (answer !== undefined && !isDeclined(answer)) {
        this.adopt(answer);
        done(prior, undefined);
        return;
      }
      const again = (estimate: Estimate | undefined): void => {
        this.adopt(estimate);
        done(prior, answer?.declined);
      };
      // A predictor with an interval of its own may be slow: no measurement waits for it.
      if (predictEvery !== undefined && running) again(prior);
      else this.predict(at, again, fail);
    };
    if (predictEvery === undefined) this.predict(at, predicted, fail);
    else predicted(this.prediction);
  }

  /** Asks the predictor through the one door for promises. Errors of what follows are the pipeline's, too. */
  private predict(
    at: ClockReading,
    deliver: (estimate: Estimate | undefined) => void,
    fail: (error: unknown) => void,
  ): void {
    const { predictor, phases } = this.parts;
    const asked = this.phase === 'running' ? predictor : phases?.serve;
    try {
      const answer = this.guard('predictor', () => asked?.predict(this.context, at));
      this.world.scheduler.settle(
        this.world.kind === 'real' && isPromise(answer) ? this.inTime(answer) : answer,
        estimate => {
          try {
            if (estimate !== undefined) {
              expectObject(`pipeline '${this.name}', predictor`, estimate, 'an estimate or undefined');
              this.check(estimate);
            }
            deliver(estimate);
          } catch (error) {
            fail(error);
          }
        },
        error => fail(thrownBy(`pipeline '${this.name}', predictor`, error)),
      );
    } catch (error) {
      fail(error);
    }
  }

  /** Real time waits for nobody: the last posterior stands in for an answer that is late, or never comes. */
  private inTime(answer: PromiseLike<Estimate | undefined>): Promise<Estimate | undefined> {
    const { scheduler } = this.world;
    const { deadline = DEADLINE } = this.parts;
    return new Promise(resolve => {
      let waiting = true;
      const instead = (why: string): void => {
        if (!waiting) return;
        waiting = false;
        if (this.standsIn !== why) this.parts.report?.(`the predictor ${why}: the last estimate is carried on`);
        this.standsIn = why;
        resolve(this.posterior);
      };
      const late = scheduler.at(scheduler.time + deadline, () => instead(`has not answered within ${deadline} s`));
      answer.then(
        estimate => {
          late.cancel();
          if (!waiting) return;
          waiting = false;
          if (this.standsIn !== undefined) this.parts.report?.('the predictor answers again');
          this.standsIn = undefined;
          resolve(estimate);
        },
        (error: unknown) => {
          late.cancel();
          instead(`failed (${error instanceof Error ? error.message.split('\n')[0] : String(error)})`);
        },
      );
    });
  }

  private adopt(estimate: Estimate | undefined): void {
    if (estimate === undefined) return;
    this.check(estimate);
    this.posterior = this.anchor === undefined ? estimate : anchorAt(estimate, this.anchor);
    this.serve(this.posterior);
  }

  /** The supervisors have a look at it, then the time is told from it. */
  private serve(estimate: Estimate): void {
    const { timekeeper, level } = this.parts;
    const previous = this.inForce;
    const supervised = this.guard('supervisors', () => this.supervision?.supervise(estimate, this.history) ?? estimate);
    if (supervised !== estimate) this.check(supervised);
    this.inForce = supervised;
    if (timekeeper.adopt !== undefined) {
      const now = this.world.clock.read();
      this.guard('timekeeper', () => timekeeper.adopt!(supervised, previous, now, level));
    }
    this.steer('update');
  }

  /** The disciplined wall clock follows. */
  private steer(cause: 'update' | 'leap'): void {
    const { wall } = this.parts;
    if (wall === undefined) return;
    const reading = this.world.clock.read();
    const later = { wall: reading.wall + 1, counter: reading.counter + 1 };
    wall.follow(this.tell(reading), this.tell(later), reading, cause);
  }

  private anchorOf({ at, offset }: Measurement): Anchor {
    return { at, time: timeOn(this.parts.axis, at) + offset };
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

  /** A filter or a combiner has made a measurement that holds no number: it ends the run, as an estimate would. */
  private judge(part: string, measurement: Measurement): void {
    const nonsense = notFinite(measurement);
    if (nonsense !== undefined) throw new InputError(`pipeline '${this.name}', ${part}`, `gave what is ${nonsense}`);
  }

  /** A plugin that throws ends the run with a message that names it. */
  private guard<T>(part: string, work: () => T): T {
    return guarded(`pipeline '${this.name}', ${part}`, work);
  }
}

/** A measurement that no arithmetic may meet: why, or undefined. No plugin sees it. */
function notFinite({ at, offset, delay, rootDistance }: Measurement): string | undefined {
  if (Number.isFinite(offset + delay + rootDistance + at.counter + at.wall)) return undefined;
  for (const [name, value] of Object.entries({ offset, delay, rootDistance, counter: at.counter, wall: at.wall })) {
    if (!Number.isFinite(value)) return `not a measurement: ${name} is ${value}`;
  }
  return undefined;
}

function isGood({ goodFor, axis, at }: Estimate, reading: ClockReading): boolean {
  return goodFor === undefined || timeOn(axis, reading) - timeOn(axis, at) <= goodFor;
}
