import { inject } from 'inversify';
import { z } from 'zod';
import { type ClockReading, type History, type Predictor, World } from '../../core/contracts/index.js';
import { CacheShape, cacheOptionsOf } from '../../core/estimation/cache-options.js';
import { ForecastCache } from '../../core/estimation/forecast-cache.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory } from '../../core/plugin/tokens.js';
import { isPromise } from '../../core/world/scheduler.js';

const Options = z.strictObject({ predictor: choice('predictor', 'Whose forecasts are kept.'), ...CacheShape });

/**
 * Another predictor, asked on its own interval for a stretch ahead and answered for from that meanwhile, along straight
 * lines between the instants of the forecast. Beyond its horizon an answer widens, then there is none.
 */
@plugin({
  kind: 'predictor',
  name: 'cached',
  summary: 'Keeps another predictor’s forecasts',
  options: Options,
  example: { predictor: 'kalman' },
})
export class CachedPredictor implements Predictor {
  readonly load: Predictor['load'];
  private readonly cache: ForecastCache;

  constructor(
    @inject(PluginOptions) options: z.output<typeof Options>,
    @inject(World) world: World,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    const predictor = make('predictor', options.predictor);
    this.load = predictor.load && (() => predictor.load!());
    this.cache = new ForecastCache(predictor, cacheOptionsOf(options), world);
  }

  leap(by: number): void {
    this.cache.leap(by);
  }

  predict(history: History, at: ClockReading): ReturnType<Predictor['predict']> {
    const answer = this.cache.at(history, at);
    return isPromise(answer) ? answer.then(cached => cached?.estimate) : answer?.estimate;
  }
}
