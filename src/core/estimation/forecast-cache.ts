import {
  type ClockReading,
  type Estimate,
  type History,
  type Predictor,
  timeOn,
  type World,
} from '../contracts/index.js';
import { carry, shifted } from '../pipeline/estimates.js';
import { limited } from '../pipeline/measurement-log.js';
import { isPromise } from '../world/scheduler.js';

/** Seconds of the pipeline's axis, but for `context` and `points`. */
export interface CacheOptions {
  /** From question to question. */
  readonly interval: number;
  /** How far a forecast reaches. */
  readonly horizon: number;
  /** How long before it is needed a forecast is asked for. */
  readonly lead: number;
  /** How many instants of the horizon are asked for. */
  readonly points: number;
  /** How many of the last measurements the predictor is shown; undefined: all. */
  readonly context: number | undefined;
  /** How fast the deviation of an answer grows beyond its horizon, s/s, and how long it is still an answer, s. */
  readonly staleDrift: number;
  readonly staleFor: number;
}

/** A predictor's answers at several instants, in order. */
interface Forecast {
  readonly points: readonly Estimate[];
  readonly start: number;
  readonly end: number;
}

/** A forecast's answer for one reading. */
export interface Cached {
  readonly estimate: Estimate;
  /** Share of the horizon that is still ahead, 0 to 1. */
  readonly fresh: number;
}

/**
 * Asks a predictor now and then for a stretch of time ahead, and answers from that in between. Between two instants of a
 * forecast the offset is interpolated, and the drift is the slope of that same path: whoever goes on from the answer
 * stays on the path, and drift that is in the offsets already is not added again.
 */
export class ForecastCache {
  private current: Forecast | undefined;
  /** Asked for ahead of the time from which they hold, the next one first. */
  private readonly coming: Forecast[] = [];
  private asked = Number.NEGATIVE_INFINITY;
  private waiting = false;

  constructor(
    private readonly predictor: Predictor,
    private readonly options: CacheOptions,
    private readonly world: World,
  ) {}

  /**
   * The forecast for a reading; undefined while there is none, or none that is fresh enough. In the real world a late
   * answer is not waited for: the last forecast stands in until it comes.
   */
  at(history: History, reading: ClockReading): Cached | undefined | PromiseLike<Cached | undefined> {
    const now = timeOn(history.axis, reading);
    const answer = (): Cached | undefined => this.answerAt(now, reading, history);
    if (now - this.asked >= this.options.interval && !this.waiting) {
      const asking = this.ask(history, reading, now);
      if (asking !== undefined && this.world.kind !== 'real') return asking.then(answer);
    }
    return answer();
  }

  /** UTC has leapt: see `shifted`. */
  leap(by: number): void {
    this.predictor.leap?.(by);
    const shift = (forecast: Forecast): Forecast => ({
      ...forecast,
      points: forecast.points.map(point => shifted(point, by)),
    });
    this.current = this.current && shift(this.current);
    this.coming.forEach((forecast, index) => {
      this.coming[index] = shift(forecast);
    });
  }

  /** Asks for a new forecast. A promise only if an answer is one. */
  private ask(history: History, reading: ClockReading, now: number): PromiseLike<void> | undefined {
    const { horizon, lead, points, context } = this.options;
    const shown = context === undefined ? history : limited(history, context);
    const answers: (Estimate | undefined | PromiseLike<Estimate | undefined>)[] = [];
    for (let k = 0; k <= points; k++) {
      const ahead = lead + (horizon * k) / points;
      answers.push(this.predictor.predict(shown, ahead === 0 ? reading : later(reading, ahead)));
    }
    const take = (estimates: readonly (Estimate | undefined)[]): void => {
      const known = estimates.filter(estimate => estimate !== undefined);
      if (known.length < estimates.length) return;
      this.asked = now;
      this.coming.push({ points: known, start: now + lead, end: now + lead + horizon });
    };
    if (!answers.some(isPromise)) {
      take(answers as (Estimate | undefined)[]);
      return undefined;
    }
    this.waiting = true;
    return Promise.all(answers).then(
      estimates => {
        this.waiting = false;
        take(estimates);
      },
      error => {
        this.waiting = false;
        throw error;
      },
    );
  }

  private answerAt(now: number, reading: ClockReading, { axis }: History): Cached | undefined {
    while (this.coming.length > 0 && (this.current === undefined || now >= this.coming[0]!.start)) {
      this.current = this.coming.shift();
    }
    const forecast = this.current;
    if (forecast === undefined) return undefined;
    const { points, start, end } = forecast;
    const { horizon, staleDrift, staleFor } = this.options;
    const beyond = now - end;
    if (beyond > 0) {
      if (beyond > staleFor) return undefined;
      const last = carry(points.at(-1)!, reading);
      const wider = (staleDrift * beyond) ** 2;
      return {
        estimate: { ...last, p00: last.p00 + wider, maxError: last.maxError + staleDrift * beyond },
        fresh: 0,
      };
    }
    const fresh = Math.min(1, (end - now) / horizon);
    if (now <= start) return { estimate: carry(points[0]!, reading), fresh };
    const index = points.findIndex(point => timeOn(axis, point.at) >= now);
    return { estimate: between(points[index - 1]!, points[index]!, reading), fresh };
  }
}

/** The reading `seconds` later, on a clock that is right. */
function later({ wall, counter }: ClockReading, seconds: number): ClockReading {
  return { wall: wall + seconds, counter: counter + seconds };
}

/** On the straight path from one estimate to another. A mixture of two covariances is a covariance. */
function between(a: Estimate, b: Estimate, at: ClockReading): Estimate {
  const start = timeOn(a.axis, a.at);
  const length = timeOn(a.axis, b.at) - start;
  const u = (timeOn(a.axis, at) - start) / length;
  const mix = (x: number, y: number): number => x + (y - x) * u;
  return {
    ...a,
    at,
    offset: mix(a.offset, b.offset),
    drift: (b.offset - a.offset) / length,
    p00: mix(a.p00, b.p00),
    p01: mix(a.p01, b.p01),
    p11: mix(a.p11, b.p11),
    maxError: mix(a.maxError, b.maxError),
    maxErrorRate: Math.max(a.maxErrorRate, b.maxErrorRate),
  };
}
