import { concatMap, EMPTY, map, merge, type Observable, of } from 'rxjs';
import {
  type Axis,
  type ClockReading,
  type Combiner,
  type CorrectedTime,
  type Corrector,
  type Estimate,
  type Filter,
  type History,
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
import { MeasurementRing } from './measurement-log.js';
import { closeRounds } from './rounds.js';
import { settled } from './settled.js';

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
}

type Outcome = Omit<RoundRecord, 't'>;

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
    let chosen: readonly Measurement[] = passed;
    let mad: number | undefined;
    if (passed.length > 0) {
      if (combiner === undefined) {
        for (const { source } of passed) verdicts.push({ source, used: true, reason: 'taken' });
      } else {
        const combination = this.guard('combiner', () => combiner.combine(passed));
        chosen = combination.measurements;
        mad = combination.mad;
        verdicts.push(...combination.verdicts);
      }
    }
    const outcome = (): Outcome => ({
      pipeline: this.name,
      measurements: heard,
      verdicts,
      mad,
      estimate: this.inForce,
    });
    if (chosen.length === 0) return of(outcome());
    return of(...chosen).pipe(
      concatMap((measurement, index) =>
        this.step(measurement).pipe(concatMap(() => (index === chosen.length - 1 ? of(outcome()) : EMPTY))),
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

  /** Predict, correct, remember. The predictor is asked again where the corrector passes. */
  private step(measurement: Measurement): Observable<Estimate | undefined> {
    const { predictor, corrector, axis } = this.parts;
    const ask = (): Observable<Estimate | undefined> =>
      settled(this.world.scheduler, () =>
        this.guard('predictor', () => predictor.predict(this.history, measurement.at)),
      );
    return ask().pipe(
      concatMap(prior => {
        const posterior = this.guard('corrector', () => corrector.correct(prior, measurement, this.history));
        this.measurements.add(measurement);
        return posterior === undefined || posterior === prior ? ask() : of(posterior);
      }),
      map(estimate => {
        if (estimate === undefined) return this.inForce;
        this.check(estimate);
        const anchored: Estimate = {
          ...estimate,
          anchor: { at: measurement.at, time: timeOn(axis, measurement.at) + measurement.offset },
        };
        this.posterior = anchored;
        this.inForce = anchored;
        return anchored;
      }),
    );
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
