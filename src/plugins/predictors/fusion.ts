import { inject } from 'inversify';
import { merge } from 'rxjs';
import { z } from 'zod';
import { type ClockReading, type Estimate, type History, type Predictor, World } from '../../core/contracts/index.js';
import { CacheShape, cacheOptionsOf } from '../../core/estimation/cache-options.js';
import { type Cached, ForecastCache } from '../../core/estimation/forecast-cache.js';
import { loadingOf } from '../../core/pipeline/loading.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory } from '../../core/plugin/tokens.js';
import { isPromise } from '../../core/world/scheduler.js';

const Member = z.strictObject({
  name: z.string().min(1).meta({ description: 'What an answer of this one alone is called: short, long.' }),
  predictor: choice('predictor', 'Whose forecasts are fused.'),
  ...CacheShape,
});

const Options = z.strictObject({
  members: z.array(Member).min(2).meta({ description: 'Two predictors or more.' }),
  timeWeighted: z.boolean().default(false).meta({ description: 'Weighs a forecast less the nearer its horizon is.' }),
  errors: z.enum(['independent', 'shared']).default('independent').meta({
    description: '`shared`: all learn from the same measurements, so that fusing makes nobody surer.',
  }),
});

/**
 * Several predictors, each with its own interval, horizon, lead and context, combined by inverse variance:
 * θ = Σ wᵢθᵢ/Σ wᵢ with wᵢ = 1/σᵢ², times the share of its horizon that is left where `timeWeighted`; drift and its
 * covariance with the same weights, so that what is told goes along the fused path. The variance is 1/Σ(1/σᵢ²) for
 * independent errors; for shared ones the weighted mean of the variances plus the scatter of the answers about θ.
 *
 * An answer is named after its one source, or `fusion`.
 */
@plugin({
  kind: 'predictor',
  name: 'fusion',
  summary: 'Several predictors by inverse variance',
  options: Options,
  example: {
    members: [
      { name: 'short', predictor: 'linear-regression' },
      { name: 'long', predictor: 'kalman' },
    ],
  },
})
export class FusionPredictor implements Predictor {
  readonly load: Predictor['load'];
  private readonly members: readonly { readonly name: string; readonly cache: ForecastCache }[];

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(World) world: World,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    const predictors = options.members.map(({ name, predictor }) => make('predictor', predictor, name));
    this.members = options.members.map(({ name, ...member }, i) => ({
      name,
      cache: new ForecastCache(predictors[i]!, cacheOptionsOf(member), world),
    }));
    const loading = predictors.filter(({ load }) => load !== undefined);
    if (loading.length > 0) this.load = () => merge(...loading.map(predictor => loadingOf(predictor, world.scheduler)));
  }

  predict(history: History, at: ClockReading): ReturnType<Predictor['predict']> {
    const answers = this.members.map(({ cache }) => cache.at(history, at));
    return answers.some(isPromise)
      ? Promise.all(answers).then(cached => this.fuse(cached))
      : this.fuse(answers as (Cached | undefined)[]);
  }

  leap(by: number): void {
    for (const { cache } of this.members) cache.leap(by);
  }

  private fuse(answers: readonly (Cached | undefined)[]): Estimate | undefined {
    const known = answers.flatMap((answer, i) => (answer ? [{ ...answer, name: this.members[i]!.name }] : []));
    const first = known[0];
    if (first === undefined) return undefined;
    if (known.length === 1) return { ...first.estimate, by: first.name };
    // Where every forecast has passed its horizon there is no time to weigh by.
    const byTime = this.options.timeWeighted && known.some(({ fresh }) => fresh > 0);
    const weights = known.map(({ estimate, fresh }) => (byTime ? fresh : 1) / Math.max(estimate.p00, LEAST));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const mean = (value: (estimate: Estimate) => number): number =>
      known.reduce((sum, { estimate }, i) => sum + weights[i]! * value(estimate), 0) / total;
    const offset = mean(estimate => estimate.offset);
    const drift = mean(estimate => estimate.drift);
    const common = {
      ...first.estimate,
      offset,
      drift,
      whiteFm: mean(({ whiteFm }) => whiteFm),
      randomWalkFm: mean(({ randomWalkFm }) => randomWalkFm),
      maxError: Math.min(...known.map(({ estimate }) => estimate.maxError + Math.abs(estimate.offset - offset))),
      maxErrorRate: Math.max(...known.map(({ estimate }) => estimate.maxErrorRate)),
      by: 'fusion',
    };
    if (this.options.errors === 'shared') {
      return {
        ...common,
        p00: mean(estimate => estimate.p00 + (estimate.offset - offset) ** 2),
        p01: mean(estimate => estimate.p01 + (estimate.offset - offset) * (estimate.drift - drift)),
        p11: mean(estimate => estimate.p11 + (estimate.drift - drift) ** 2),
      };
    }
    // Σ ωᵢ²·Pᵢ with ωᵢ the normed weights: for plain inverse variance p00 is 1/Σ(1/σᵢ²).
    const square = (value: (estimate: Estimate) => number): number =>
      known.reduce((sum, { estimate }, i) => sum + (weights[i]! / total) ** 2 * value(estimate), 0);
    return { ...common, p00: square(e => e.p00), p01: square(e => e.p01), p11: square(e => e.p11) };
  }
}

/** Least variance that a weight is made from, s². */
const LEAST = 1e-24;
