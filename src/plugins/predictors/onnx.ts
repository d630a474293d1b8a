import { inject } from 'inversify';
import { Subject } from 'rxjs';
import { z } from 'zod';
import {
  type ClockReading,
  type Estimate,
  type History,
  type Measurement,
  type Model,
  type ModelUse,
  type OpenModel,
  type Predictor,
  timeOn,
  World,
} from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { type ForecastCard, misshapen } from '../../core/models/card.js';
import { contextOf } from '../../core/models/context.js';
import { feedsOf } from '../../core/models/feeds.js';
import { estimateOf, type Forecast, forecastOf, isAbsurd } from '../../core/models/forecast.js';
import { ForecastResiduals } from '../../core/models/residuals.js';
import { Tally, useOf } from '../../core/models/use.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory, Report } from '../../core/plugin/tokens.js';
import { duration, time } from '../../core/quantity.js';

const Options = z.strictObject({
  card: z.string().min(1).meta({
    description: "The model's card (JSON), relative to the scenario; or the name of a shipped model.",
  }),
  worker: z.boolean().optional().meta({ description: 'In a process of its own; left out: where it is large or slow.' }),
  timeLimit: duration('In real time, how long an answer is waited for.').prefault('2 s'),
  queue: z.int().min(1).default(4).meta({ description: 'In real time, how many questions wait for a worker.' }),
  latency: time('In simulated time, how long the model takes to answer.', { min: 0 }).prefault(0),
  context: z.int().min(2).optional().meta({ description: 'How many measurements at most it is shown.' }),
});

/** Measurements that a context is cut from. */
const SHOWN = 1024;

/** No answer has come: later than its time limit, or newer questions were asked first. */
const LATE = 'late';

/** Answers that came, when all that they say was past. */
const OUTLIVED = 'no answer before its forecast was over';

/** Answers that are bit for bit the same to different questions, before a model counts as stuck. */
const SAME = 3;

/**
 * Forecasts by a trained model: the last measurements are detrended in double precision, resampled as the model's card
 * wants them, normalised and asked with; the forecast (median or mean, and a deviation from its quantiles) is followed
 * between its steps. One question for each measurement, however often it is asked for the time. With a `latency` an answer
 * comes into force that much later; until then what was told goes on.
 *
 * A forecast that is late, not finite, absurd (farther off than any clock can be), has crossing quantiles, or is bit for
 * bit the same as to other questions is counted, reported (the first, the tenth, the hundredth, …) and dropped: there is
 * no answer, and the next in a `fallback` order gives one. Models without quantiles get their deviation from how far
 * their own forecasts were off, each scored before it was replaced; until eight have been, from what the line leaves.
 *
 * @see docs/models.md for cards, and for models made elsewhere.
 */
@plugin({
  kind: 'predictor',
  name: 'onnx',
  summary: 'Forecasts by a model in the ONNX format',
  options: Options,
  example: { card: 'model.json' },
})
export class OnnxPredictor implements Predictor {
  readonly revised = new Subject<void>();
  private readonly model: Model;
  private open: OpenModel | undefined;
  private card: ForecastCard | undefined;
  private readonly dropped = new Tally((why, times) =>
    this.report(`model '${this.card!.id}': answer dropped, ${why} (${times} so far)`),
  );
  private readonly outlived = new Tally((why, times) =>
    this.report(`model '${this.card!.id}': ${why} (${times} so far)`),
  );
  private readonly residuals = new ForecastResiduals();
  /** In force, and those that a latency still holds back: there are several where it is longer than a poll. */
  private current: Answer | undefined;
  private coming: readonly Answer[] = [];
  /** Why there was no question about the last measurement. */
  private silence: string | undefined;
  /** The measurement last asked about. */
  private asked: Measurement | undefined;
  private pending: Promise<void> | undefined;
  private last: { readonly question: string; readonly answer: string; same: number } | undefined;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(World) private readonly world: World,
    @inject(PluginFactory) make: PluginFactory,
    @inject(Report) private readonly report: Report,
  ) {
    const { card, worker, timeLimit, queue } = options;
    this.model = make('model', { use: 'onnx', card, timeLimit, queue, ...(worker !== undefined && { worker }) });
  }

  readonly load = async (): Promise<void> => {
    const open = await this.model.open();
    if (open.card.task !== 'forecast') {
      throw new InputError(this.options.card, `expected a model that forecasts, found a task '${open.card.task}'`);
    }
    this.open = open;
    this.card = open.card;
    this.report(`model '${open.card.id}' runs ${open.where}`);
  };

  check(): Promise<void> {
    return this.load();
  }

  predict(history: History, at: ClockReading): Estimate | undefined | PromiseLike<Estimate | undefined> {
    const measurement = history.measurements.at(-1);
    if (this.open === undefined || measurement === undefined) return undefined;
    this.advance(timeOn(history.axis, at));
    if (measurement !== this.asked) this.ask(history, measurement);
    const answer = (): Estimate | undefined => this.answer(history, at);
    // In real time nobody waits here: what is in force answers until the new forecast has come, while it is good.
    if (this.pending === undefined || (this.world.kind === 'real' && this.current !== undefined)) return answer();
    return this.pending.then(answer);
  }

  modelUse(): ModelUse | undefined {
    const refused = [...this.dropped.counts].filter(([why]) => why !== LATE);
    if (this.open === undefined) return undefined;
    const use = useOf(this.open, refused);
    return { ...use, late: use.late + (this.outlived.counts.get(OUTLIVED) ?? 0) };
  }

  leap(by: number): void {
    this.current = this.current && shift(this.current, by);
    this.coming = this.coming.map(answer => shift(answer, by));
    this.residuals.clear();
  }

  private ask({ axis, measurements }: History, measurement: Measurement): void {
    const { scheduler, kind } = this.world;
    const card = this.card!;
    this.asked = measurement;
    if (this.current !== undefined) this.residuals.score(this.current.forecast, measurement, axis);
    const context = contextOf(measurements.last(this.options.context ?? SHOWN), axis, card, this.silent);
    if (context === undefined) {
      this.current = undefined;
      return;
    }
    this.silence = undefined;
    const latency = kind === 'real' ? 0 : this.options.latency;
    const ready = scheduler.time + latency;
    const feeds = feedsOf(context, card);
    const question = feeds[card.inputs.find(({ role }) => role === 'values')!.name]!.data.join();
    const asking = this.open!.run(feeds).then(
      outputs => {
        if (outputs === undefined) return this.drop(LATE);
        const wrong = card.outputs.map(output => misshapen(output, outputs[output.name]!.dims, 1)).find(Boolean);
        if (wrong !== undefined) return this.drop(`misshapen: ${wrong}`);
        const forecast = forecastOf(outputs, context, card);
        if (typeof forecast === 'string') return this.drop(forecast);
        if (isAbsurd(forecast)) return this.drop('absurd');
        if (this.stuck(question, card.outputs.map(({ name }) => outputs[name]!.data.join()).join())) {
          return this.drop('constant');
        }
        this.coming = [...this.coming, { forecast, ready, measurement }];
        if (latency > 0) scheduler.at(ready, () => this.revised.next());
        else this.advance();
        return undefined;
      },
      error => this.drop(`failed: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`),
    );
    this.pending = asking.finally(() => {
      if (this.pending === waiting) this.pending = undefined;
    });
    const waiting = this.pending;
  }

  /** Reports why there is nothing to ask with, when that changes; not each measurement that is still missing. */
  private readonly silent = (kind: string, numbers: string): void => {
    if (kind !== this.silence) this.report(`model '${this.card!.id}' is not asked: ${kind} (${numbers})`);
    this.silence = kind;
  };

  /** The newest answer that is ready comes into force; one that older questions get later does not. */
  private advance(at?: number): void {
    const now = this.world.scheduler.time;
    for (const answer of this.coming) {
      if (answer.ready > now) continue;
      // With a latency that is longer than the horizon no answer is ever told: that has to show.
      if (at !== undefined && at > answer.forecast.times.at(-1)!) this.outlived.add(OUTLIVED);
      if (answer.ready >= (this.current?.ready ?? Number.NEGATIVE_INFINITY)) this.current = answer;
    }
    this.coming = this.coming.filter(({ ready }) => ready > now);
  }

  private answer({ axis }: History, at: ClockReading): Estimate | undefined {
    if (this.current === undefined) return undefined;
    const { forecast, measurement } = this.current;
    if (timeOn(axis, at) > forecast.times.at(-1)!) return undefined;
    const deviations = forecast.deviations ?? this.residuals.deviations(forecast);
    return estimateOf(forecast, deviations, at, axis, measurement, 'onnx');
  }

  /** Whether the model says the same whatever it is asked. */
  private stuck(question: string, answer: string): boolean {
    if (this.last === undefined || this.last.answer !== answer) {
      this.last = { question, answer, same: 1 };
      return false;
    }
    if (this.last.question !== question) this.last.same += 1;
    return this.last.same >= SAME;
  }

  private drop(why: string): void {
    // What is told must not go on from a forecast that newer measurements have not confirmed.
    this.current = undefined;
    this.coming = [];
    this.dropped.add(why);
  }
}

interface Answer {
  readonly forecast: Forecast;
  /** By the scheduler: from when it may be told. */
  readonly ready: number;
  /** The last measurement that it knew. */
  readonly measurement: Measurement;
}

function shift(answer: Answer, by: number): Answer {
  const { forecast, measurement } = answer;
  return {
    ...answer,
    forecast: { ...forecast, offsets: forecast.offsets.map(offset => offset + by) },
    measurement: { ...measurement, offset: measurement.offset + by },
  };
}
