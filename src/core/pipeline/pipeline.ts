import { concatMap, merge, Observable } from 'rxjs';
import {
  type Anchor,
  type Axis,
  type ClockReading,
  type Combiner,
  type CorrectedTime,
  type Corrector,
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
  type Timekeeper,
  timeOn,
  type Verdict,
  type World,
} from '../contracts/index.js';
import { InputError } from '../errors.js';
import { COMBINED } from './combined.js';
import { anchorAt } from './estimates.js';
import { LeapWatch } from './leap-watch.js';
import { MeasurementRing } from './measurement-log.js';
import { closeRounds } from './rounds.js';

/** How many measurements a history remembers. */
const HISTORY = 1024;

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
}

/** Turns the verdicts on a measurement's sources to "not used". */
function decline(verdicts: Verdict[], source: string, reason: string): void {
  const sources = source.split(COMBINED);
  verdicts.forEach((verdict, index) => {
    if (verdict.used && sources.includes(verdict.source)) verdicts[index] = { ...verdict, used: false, reason };
  });
}

type Outcome = Omit<RoundRecord, 't' | 'reading' | 'told'>;

/**
 * One pipeline: events → rounds → measurements → filters → combiner → (predict → correct), one measurement after
 * another. It sees its world's view only; whoever runs it subscribes to `outcomes` and may `tell` at any reading.
 */
export class Pipeline {
  readonly name: string;
  readonly level: number;
  readonly outcomes: Observable<Outcome>;

  private readonly measurements = new MeasurementRing(HISTORY);
  private readonly observed = new MeasurementRing(HISTORY);
  private readonly history: History;
  private readonly filters = new Map<string, readonly Filter[]>();
  private readonly latest = new Map<string, Measurement>();
  private readonly leaps: LeapWatch;
  private posterior: Estimate | undefined;
  private inForce: Estimate | undefined;

  constructor(
    private readonly parts: PipelineParts,
    private readonly world: World,
  ) {
    this.name = parts.name;
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
    this.outcomes = merge(...parts.sources.map(source => source.events)).pipe(
      closeRounds(() => parts.sources.reduce((sum, source) => sum + source.outstanding, 0)),
      concatMap(round => this.take(round)),
    );
  }

  /** The estimate that the time is told from. */
  get estimate(): Estimate | undefined {
    return this.inForce;
  }

  tell(reading: ClockReading): CorrectedTime {
    return this.parts.timekeeper.tell(this.inForce, reading, this.parts.level);
  }

  /** UTC has leapt: all that was measured or is believed counts `by` seconds more. */
  private leap(by: number): void {
    const shift = (estimate: Estimate | undefined): Estimate | undefined =>
      estimate && {
        ...estimate,
        offset: estimate.offset + by,
        ...(estimate.anchor && { anchor: { at: estimate.anchor.at, time: estimate.anchor.time + by } }),
      };
    this.posterior = shift(this.posterior);
    this.inForce = shift(this.inForce);
    this.measurements.shift(by);
    this.observed.shift(by);
    for (const [source, measurement] of this.latest) {
      this.latest.set(source, { ...measurement, offset: measurement.offset + by });
    }
    this.parts.predictor.leap?.(by);
    this.parts.corrector.leap?.(by);
  }

  /** Takes a round's measurements one after another, each once the answer to the one before has come. */
  private take(round: readonly SourceEvent[]): Observable<Outcome> {
    const { chosen, verdicts, mad, heard } = this.select(round);
    return new Observable(subscriber => {
      const fail = (error: unknown): void => subscriber.error(error);
      const next = (index: number): void => {
        const measurement = chosen[index];
        if (measurement !== undefined) {
          this.step(
            measurement,
            declined => {
              if (declined !== undefined) decline(verdicts, measurement.source, declined);
              next(index + 1);
            },
            fail,
          );
          return;
        }
        this.leaps.plan(this.latest.size);
        subscriber.next({ pipeline: this.name, measurements: heard, verdicts, mad, estimate: this.inForce });
        subscriber.complete();
      };
      next(0);
    });
  }

  /** Measures, filters and combines a round. */
  private select(round: readonly SourceEvent[]) {
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
      if (isRejection(answer)) return answer;
      current = answer;
    }
    return current;
  }

  /** Predict, correct, remember; the predictor is asked again where the corrector has nothing to say. */
  private step(measurement: Measurement, done: (declined?: string) => void, fail: (error: unknown) => void): void {
    const { corrector } = this.parts;
    this.predict(
      measurement.at,
      prior => {
        const answer = this.guard('corrector', () => corrector.correct(prior, measurement, this.history));
        this.measurements.add(measurement);
        if (answer !== undefined && !isDeclined(answer)) {
          this.adopt(answer, this.anchorOf(measurement));
          done();
          return;
        }
        const anchor = answer === undefined ? this.anchorOf(measurement) : this.posterior?.anchor;
        const again = (estimate: Estimate | undefined): void => {
          this.adopt(estimate, anchor);
          done(answer?.declined);
        };
        this.predict(measurement.at, again, fail);
      },
      fail,
    );
  }

  /** Asks the predictor through the one door for promises. Errors of what follows are the pipeline's, too. */
  private predict(
    at: ClockReading,
    deliver: (estimate: Estimate | undefined) => void,
    fail: (error: unknown) => void,
  ): void {
    try {
      const answer = this.guard('predictor', () => this.parts.predictor.predict(this.history, at));
      this.world.scheduler.settle(
        answer,
        estimate => {
          try {
            deliver(estimate);
          } catch (error) {
            fail(error);
          }
        },
        fail,
      );
    } catch (error) {
      fail(error);
    }
  }

  private adopt(estimate: Estimate | undefined, anchor: Anchor | undefined): void {
    if (estimate === undefined) return;
    this.check(estimate);
    this.posterior = anchor === undefined ? estimate : anchorAt(estimate, anchor);
    this.inForce = this.posterior;
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
