import { inject } from 'inversify';
import { EMPTY, merge, type Observable } from 'rxjs';
import { z } from 'zod';
import {
  type ClockReading,
  type Estimate,
  type History,
  type Measurement,
  type Predictor,
  timeOn,
  World,
} from '../../core/contracts/index.js';
import { carry, shifted } from '../../core/pipeline/estimates.js';
import { loadingOf } from '../../core/pipeline/loading.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory } from '../../core/plugin/tokens.js';
import { isPromise } from '../../core/world/scheduler.js';

const Member = z.strictObject({
  name: z.string().min(1).meta({ description: 'What an answer that is mostly its own is called.' }),
  predictor: choice('predictor', 'Whose forecasts are weighed.'),
});

const Options = z.strictObject({
  members: z.array(Member).min(2).meta({ description: 'Two predictors or more.' }),
  window: z.number().min(2).default(40).meta({ description: 'Measurements that the scores look back on.' }),
  sharpness: z
    .number()
    .min(0)
    .default(8)
    .meta({ description: 'How much a worse record costs: η; 0 weighs all alike.' }),
});

/**
 * Several predictors, each weighed by how well it has forecast the last measurements: wᵢ ∝ exp(−η·(eᵢ − e_min)/e_min),
 * with eᵢ the exponential average over about `window` measurements of its |forecast − measured|, every forecast as it
 * was before its measurement was known (the exponentially weighted forecaster of Vovk 1990, Littlestone and Warmuth
 * 1994, with losses in units of the best member's). The noise of the measurements is in all eᵢ alike, so that the
 * weights of nearly equal members stay nearly equal, and their mean is better than either.
 *
 * θ = Σ wᵢθᵢ, drift alike; all learn from the same measurements, so the variance is that of the mixture,
 * Σ wᵢ·(Pᵢ + (θᵢ − θ)²), and fusing makes nobody surer.
 */
@plugin({
  kind: 'predictor',
  name: 'experts',
  summary: 'Several predictors by how well each has forecast',
  options: Options,
  example: {
    members: [
      { name: 'line', predictor: 'linear-regression' },
      { name: 'median', predictor: 'running-median' },
    ],
  },
})
export class ExpertsPredictor implements Predictor {
  readonly load: Predictor['load'];
  readonly revised: Observable<unknown>;
  private readonly members: readonly Scored[];
  /** The instant of the last measurement that forecasts were scored by. */
  private seen: ClockReading | undefined;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(World) world: World,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    this.members = options.members.map(
      ({ name, predictor }) => new Scored(name, make('predictor', predictor, name), options.window),
    );
    this.revised = merge(...this.members.map(({ predictor }) => predictor.revised ?? EMPTY));
    const loading = this.members.filter(({ predictor }) => predictor.load !== undefined);
    if (loading.length > 0) {
      this.load = () => merge(...loading.map(({ predictor }) => loadingOf(predictor, world.scheduler)));
    }
  }

  predict(history: History, at: ClockReading): ReturnType<Predictor['predict']> {
    const last = history.measurements.at(-1);
    if (last !== undefined && last.at !== this.seen) {
      this.seen = last.at;
      for (const member of this.members) member.score(last, history.axis);
    }
    const answers = this.members.map(({ predictor }) => predictor.predict(history, at));
    return answers.some(isPromise)
      ? Promise.all(answers).then(known => this.fuse(known))
      : this.fuse(answers as (Estimate | undefined)[]);
  }

  leap(by: number): void {
    for (const member of this.members) member.leap(by);
  }

  private fuse(answers: readonly (Estimate | undefined)[]): Estimate | undefined {
    answers.forEach((answer, i) => {
      this.members[i]!.answered = answer;
    });
    const known = this.members.flatMap(member => (member.answered ? [{ member, estimate: member.answered }] : []));
    const first = known[0];
    if (first === undefined) return undefined;
    const least = Math.max(LEAST, Math.min(...known.map(({ member }) => member.error)));
    const raw = known.map(({ member }) => Math.exp((-this.options.sharpness * (member.error - least)) / least));
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    const weights = raw.map(weight => weight / total);
    const mean = (value: (estimate: Estimate) => number): number =>
      known.reduce((sum, { estimate }, i) => sum + weights[i]! * value(estimate), 0);
    const offset = mean(estimate => estimate.offset);
    const drift = mean(estimate => estimate.drift);
    const most = weights.indexOf(Math.max(...weights));
    return {
      ...first.estimate,
      offset,
      drift,
      p00: mean(estimate => estimate.p00 + (estimate.offset - offset) ** 2),
      p01: mean(estimate => estimate.p01 + (estimate.offset - offset) * (estimate.drift - drift)),
      p11: mean(estimate => estimate.p11 + (estimate.drift - drift) ** 2),
      whiteFm: mean(({ whiteFm }) => whiteFm),
      randomWalkFm: mean(({ randomWalkFm }) => randomWalkFm),
      maxError: Math.min(...known.map(({ estimate }) => estimate.maxError + Math.abs(estimate.offset - offset))),
      maxErrorRate: Math.max(...known.map(({ estimate }) => estimate.maxErrorRate)),
      by: weights[most]! > 0.5 ? known[most]!.member.name : 'experts',
    };
  }
}

/** Errors under this count as this, seconds: members that are all exact weigh alike. */
const LEAST = 1e-9;

/** One member with its record. */
class Scored {
  /** Mean |forecast − measured|, seconds. */
  error = 0;
  answered: Estimate | undefined;
  private n = 0;

  constructor(
    readonly name: string,
    readonly predictor: Predictor,
    private readonly window: number,
  ) {}

  /** A measurement that no answer so far has seen. One from before the last answer scores nothing. */
  score({ at, offset }: Measurement, axis: History['axis']): void {
    const { answered } = this;
    if (answered === undefined || timeOn(axis, at) < timeOn(axis, answered.at)) return;
    this.n += 1;
    const weight = Math.max(1 / this.n, 1 / this.window);
    this.error += weight * (Math.abs(carry(answered, at).offset - offset) - this.error);
  }

  leap(by: number): void {
    this.predictor.leap?.(by);
    this.answered = this.answered && shifted(this.answered, by);
  }
}
