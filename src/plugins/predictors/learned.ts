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
  World,
} from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { LEVELS, ROWS } from '../../core/learned/correction.js';
import { LearnedEstimator, noAnswers, type Question, type Reason } from '../../core/learned/learned-estimator.js';
import { FEATURES, GLOBALS, HORIZONS, LAYOUT, WINDOW } from '../../core/learned/residual-window.js';
import type { ModelCard } from '../../core/models/card.js';
import { Tally, useOf } from '../../core/models/use.js';
import { propagate, shifted } from '../../core/pipeline/estimates.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory, Report } from '../../core/plugin/tokens.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  model: choice('model', 'The trained model; `onnx` takes the `card` of one of yours.').prefault({
    use: 'onnx',
    card: 'clock-gru',
    timeLimit: '200 ms',
  }),
  latency: time('In simulated time, how long the model takes to answer.', { min: 0 }).prefault(0),
  gate: z.boolean().default(true).meta({
    description:
      'Tell the classical estimate for as long as the learned one has scored worse; false shows what that is worth.',
  }),
});

/**
 * The default estimator with a learned correction on it. Every measurement goes to the classical estimator first; a small
 * recurrent network is shown the last 64 as residuals to its line, with their delays, and answers with quantiles of how
 * far that line is off, now and a while ahead, and of the drift. A gate tells the classical estimate while there are
 * fewer than four measurements, where several sources are heard, where an answer is late, not finite or absurd, and for
 * as long as the learned answers have scored worse on the measurements that can tell. Intervals are widened or narrowed
 * by how often they have held (conformal prediction). What it has answered is never its own input.
 *
 * With a `latency` the classical estimate of a measurement is told at once and the answer that much later, unless a newer
 * measurement has come by then: what that one says is worth more than a correction that does not know it, which after a
 * step would be wrong by the step.
 *
 * Without its model (missing, damaged, or no runtime on this machine) the classical estimator answers, and a report says
 * why. Use it with `corrector: none`.
 *
 * @see docs/learned.md for what it is worth, and where not.
 */
@plugin({
  kind: 'predictor',
  name: 'learned',
  summary: 'The default estimator, corrected by a model trained on the simulator',
  options: Options,
})
export class LearnedPredictor implements Predictor {
  readonly revised = new Subject<void>();
  private readonly model: Model;
  private open: OpenModel | undefined;
  private opening: Promise<OpenModel | undefined> | undefined;
  private estimator: LearnedEstimator | undefined;
  /** The last measurement taken, by its exchange: a leap second makes new measurements of old exchanges. */
  private newest: Measurement['exchange'] | undefined;
  private current: Estimate | undefined;
  private asked: Question | undefined;
  private pending: Promise<void> | undefined;
  /** The answer that a latency still holds back. */
  private coming: Coming | undefined;
  /** Seconds that UTC has leapt: a question may be asked before and answered after. */
  private leapt = 0;
  private told: Reason | 'learned' | undefined;
  private readonly counts = noAnswers();
  private readonly missing = new Tally((what, times) => this.tellOf(what, times));
  private readonly dropped = new Tally((why, times) => this.tellOf(`answer dropped, ${why}`, times));

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(World) private readonly world: World,
    @inject(PluginFactory) make: PluginFactory,
    @inject(Report) private readonly report: Report,
  ) {
    this.model = make('model', options.model);
  }

  predict(history: History, at: ClockReading): Estimate | undefined | PromiseLike<Estimate | undefined> {
    this.arrive();
    const question = this.take(history);
    const answer = (): Estimate | undefined => this.current && propagate(this.current, at, this.current.by);
    if (question === undefined) return this.pending === undefined ? answer() : this.pending.then(answer);
    const asking = this.ask(question).finally(() => {
      if (this.pending === asking) this.pending = undefined;
    });
    this.pending = asking;
    return asking.then(answer);
  }

  modelUse(): ModelUse | undefined {
    if (this.open === undefined) return undefined;
    const use = useOf(this.open, this.dropped.counts);
    const told = Object.fromEntries(Object.entries(this.counts).filter(([, count]) => count > 0));
    return { ...use, late: use.late + (this.missing.counts.get(OVERTAKEN) ?? 0), told };
  }

  leap(by: number): void {
    this.estimator?.leap(by);
    this.current = this.current && shifted(this.current, by);
    this.leapt += by;
  }

  /** Shows the estimator what it has not seen; the question after the last of it, or undefined: nothing new that is believed. */
  private take({ axis, measurements }: History): Question | undefined {
    const news: Measurement[] = [];
    for (let i = -1; ; i--) {
      const one = measurements.at(i);
      if (one === undefined) {
        // Nothing that is known is left in it: another history, or the beginning.
        if (news.length > 0) {
          this.estimator = undefined;
          this.coming = undefined;
        }
        break;
      }
      if (one.exchange === this.newest) break;
      news.unshift(one);
    }
    const last = news.at(-1);
    if (last === undefined) return undefined;
    this.newest = last.exchange;
    this.estimator ??= new LearnedEstimator(axis, this.report, this.options.gate, this.counts);
    let question: Question | undefined;
    for (const measurement of news) question = this.estimator.take(measurement) ?? question;
    if (question === undefined) return undefined;
    this.asked = question;
    const { coming } = this;
    this.coming = undefined;
    if (coming !== undefined) this.conclude(coming);
    return question;
  }

  private async ask(question: Question): Promise<void> {
    const { world, options, leapt } = this;
    const ready = world.scheduler.time + options.latency;
    this.opening ??= this.openModel();
    const open = await this.opening;
    const { window } = question;
    let answer: Float32Array | undefined;
    if (open !== undefined && window !== undefined) {
      try {
        const outputs = await open.run({
          samples: { data: window.samples, dims: [1, WINDOW, FEATURES] },
          globals: { data: window.globals, dims: [1, GLOBALS] },
        });
        answer = outputs?.['quantiles']?.data as Float32Array | undefined;
        if (outputs === undefined) this.missing.add('no answer in time');
      } catch (error) {
        this.dropped.add(`failed: ${firstLine(error)}`);
      }
    }
    if (world.kind === 'real' || options.latency === 0 || open === undefined || window === undefined) {
      this.conclude({ question, answer, leapt });
      return;
    }
    this.current = shifted(question.classical, this.leapt - leapt);
    const coming = { question, answer, leapt, ready };
    this.coming = coming;
    world.scheduler.at(ready, () => {
      if (this.coming === coming) this.revised.next();
    });
  }

  /** What a latency has held back until now is told from now on. */
  private arrive(): void {
    const { coming } = this;
    if (coming === undefined || coming.ready > this.world.scheduler.time) return;
    this.coming = undefined;
    this.conclude(coming);
  }

  /** An answer to an older question than the last comes too late: it does not know what has been measured since. */
  private conclude({ question, answer, leapt }: Concluded): void {
    const late = question !== this.asked;
    if (late && answer !== undefined) this.missing.add(OVERTAKEN);
    const now = { ...question, classical: shifted(question.classical, this.leapt - leapt) };
    const { estimate, by, problem } = this.estimator!.answer(now, late ? undefined : answer);
    if (!late) this.current = estimate;
    if (problem !== undefined) this.dropped.add(problem);
    if (by !== this.told && this.open !== undefined) {
      if (this.told !== undefined || by === 'learned') this.report(MEANS[by]);
      this.told = by;
    }
  }

  async check(): Promise<void> {
    await this.openFit();
  }

  private async openFit(): Promise<OpenModel> {
    const open = await this.model.open();
    const problem = unfit(open.card);
    if (problem !== undefined) throw new InputError(`card of '${open.card.id}'`, problem);
    return open;
  }

  private async openModel(): Promise<OpenModel | undefined> {
    try {
      const open = await this.openFit();
      this.open = open;
      return open;
    } catch (error) {
      this.report(`the model cannot be used, the classical estimator answers: ${firstLine(error)}`);
      return undefined;
    }
  }

  private tellOf(what: string, times: number): void {
    this.report(`model: ${what}; the classical estimator answers (${times} so far)`);
  }
}

/** Answers that came, after newer measurements had. */
const OVERTAKEN = 'no answer before the next measurement';

/** A question, what became of it, and how far UTC had leapt when it was asked. */
interface Concluded {
  readonly question: Question;
  readonly answer: Float32Array | undefined;
  readonly leapt: number;
}

interface Coming extends Concluded {
  /** By the scheduler: from when it is told. */
  readonly ready: number;
}

const MEANS: Readonly<Record<Reason | 'learned', string>> = {
  learned: 'the learned correction answers',
  'few-measurements': 'the classical estimator answers: too few measurements',
  'several-sources': 'the classical estimator answers: there are several sources',
  'no-answer': 'the classical estimator answers: the model has not',
  'absurd-answer': 'the classical estimator answers: the model has said something impossible',
  gate: 'the classical estimator answers: the learned correction has scored worse',
};

/** What is wrong with a model of another kind, or undefined. */
function unfit(card: ModelCard): string | undefined {
  if (card.task !== 'correction') return `expected a model that corrects (task 'correction'), found '${card.task}'`;
  if (card.features !== LAYOUT) return `expected the features '${LAYOUT}', found '${card.features}'`;
  const { levels, horizons } = card.parameters;
  for (const [name, own, found] of [
    ['levels', LEVELS, levels],
    ['horizons', HORIZONS, horizons],
  ] as const) {
    if (JSON.stringify(own) !== JSON.stringify(found)) {
      return `expected parameters.${name} to be ${JSON.stringify(own)}, found ${JSON.stringify(found)}`;
    }
  }
  const shapes = [
    ['samples', card.inputs, [WINDOW, FEATURES]],
    ['globals', card.inputs, [GLOBALS]],
    ['quantiles', card.outputs, [ROWS, LEVELS.length]],
  ] as const;
  for (const [name, tensors, shape] of shapes) {
    const found = tensors.find(tensor => tensor.name === name);
    if (found === undefined)
      return `expected a tensor '${name}', found ${tensors.map(tensor => tensor.name).join(', ')}`;
    if (found.shape.slice(1).join() !== shape.join()) {
      return `expected '${name}' to be [batch, ${shape.join(', ')}], found [${found.shape.join(', ')}]`;
    }
  }
  return undefined;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
