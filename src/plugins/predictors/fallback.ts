import { inject } from 'inversify';
import { EMPTY, merge, type Observable } from 'rxjs';
import { z } from 'zod';
import {
  type ClockReading,
  type Estimate,
  type History,
  type Predictor,
  timeOn,
  World,
} from '../../core/contracts/index.js';
import { loadingOf } from '../../core/pipeline/loading.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory, Report } from '../../core/plugin/tokens.js';
import { duration } from '../../core/quantity.js';
import { isPromise } from '../../core/world/scheduler.js';

const Options = z.strictObject({
  order: z
    .array(choice('predictor', 'Asked in this order.'))
    .min(1)
    .prefault(['kalman', 'last-value'])
    .meta({ description: 'The first that has an answer gives it. After all of them comes the bare clock.' }),
  deadline: duration('In real time, how long an answer is waited for before the next in the order gives one.').prefault(
    '1 s',
  ),
  giveUp: duration('Without a measurement for this long there is no answer: the bare clock is told.').prefault('1 d'),
});

/**
 * The first of several predictors that has an answer: a model, then Kalman, then the last measurement, and the bare clock
 * when nothing has been measured for `giveUp`. One that is loading, late, gives nothing or gives what is not finite has
 * no answer. A change of who answers is reported.
 */
@plugin({ kind: 'predictor', name: 'fallback', summary: 'The first of several that has an answer', options: Options })
export class FallbackPredictor implements Predictor {
  readonly revised: Observable<unknown>;
  private readonly candidates: readonly Candidate[];
  private answering: string | undefined;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(World) private readonly world: World,
    @inject(PluginFactory) make: PluginFactory,
    @inject(Report) private readonly report: Report,
  ) {
    this.candidates = options.order.map(
      (chosen, i) => new Candidate(chosen.use, make('predictor', chosen, `${i}-${chosen.use}`), world, report),
    );
    this.revised = merge(...this.candidates.map(({ revised }) => revised));
  }

  predict(history: History, at: ClockReading): ReturnType<Predictor['predict']> {
    return this.ask(0, history, at);
  }

  leap(by: number): void {
    for (const candidate of this.candidates) candidate.leap(by);
  }

  /** The answer of the candidate `index`, or of those after it. */
  private ask(index: number, history: History, at: ClockReading): ReturnType<Predictor['predict']> {
    const candidate = this.candidates[index];
    if (candidate === undefined) return undefined;
    const next = (estimate: Estimate | undefined): ReturnType<Predictor['predict']> =>
      estimate === undefined ? this.ask(index + 1, history, at) : this.answer(estimate, candidate.name, history, at);
    const answer = candidate.predict(history, at);
    return isPromise(answer) ? this.within(answer).then(next) : next(answer);
  }

  /** In real time an answer that takes too long is none; virtual time holds still for it. */
  private within(answer: PromiseLike<Estimate | undefined>): PromiseLike<Estimate | undefined> {
    const { scheduler, kind } = this.world;
    if (kind !== 'real') return answer;
    return new Promise((resolve, reject) => {
      const late = scheduler.at(scheduler.time + this.options.deadline, () => resolve(undefined));
      answer.then(value => {
        late.cancel();
        resolve(value);
      }, reject);
    });
  }

  private answer(estimate: Estimate, name: string, { axis, measurements }: History, at: ClockReading): Estimate {
    if (this.answering !== undefined && this.answering !== name)
      this.report(`${name} answers, after ${this.answering}`);
    this.answering = name;
    const last = measurements.at(-1);
    if (last === undefined) return estimate;
    const age = timeOn(axis, at) - timeOn(axis, last.at);
    return { ...estimate, goodFor: Math.max(0, this.options.giveUp - age) };
  }
}

/** One predictor of the order: asked only when it is loaded, and never believed when it is not finite. */
class Candidate {
  readonly revised: Observable<unknown>;
  private ready: boolean;

  constructor(
    readonly name: string,
    private readonly predictor: Predictor,
    world: World,
    report: Report,
  ) {
    this.revised = predictor.revised ?? EMPTY;
    this.ready = predictor.load === undefined;
    if (this.ready) return;
    const failed = (error: unknown): void =>
      report(`${name} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
    // When the run has begun: then answers that are owed hold virtual time still.
    world.scheduler.at(0, () =>
      loadingOf(predictor, world.scheduler).subscribe({
        complete: () => {
          this.ready = true;
        },
        error: failed,
      }),
    );
  }

  leap(by: number): void {
    this.predictor.leap?.(by);
  }

  predict(history: History, at: ClockReading): ReturnType<Predictor['predict']> {
    if (!this.ready) return undefined;
    try {
      const answer = this.predictor.predict(history, at);
      return isPromise(answer) ? answer.then(finite, () => undefined) : finite(answer);
    } catch {
      return undefined;
    }
  }
}

function finite(estimate: Estimate | undefined): Estimate | undefined {
  if (estimate === undefined) return undefined;
  const { offset, drift, p00, p01, p11, maxError } = estimate;
  return Number.isFinite(offset + drift + p00 + p01 + p11 + maxError) && p00 >= 0 && p11 >= 0 ? estimate : undefined;
}
