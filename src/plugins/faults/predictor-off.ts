import { inject } from 'inversify';
import { z } from 'zod';
import { type Fault, type FaultTarget, timeOn } from '../../core/contracts/index.js';
import { signed, some } from '../../core/plugin/chaos-draws.js';
import { PredictorOptions } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { duration, time } from '../../core/quantity.js';

const Options = z.strictObject({
  ...PredictorOptions,
  by: time('Added to every offset.').prefault('10 ms'),
  swing: time('How far that goes up and down.', { min: 0 }).prefault(0),
  period: duration('From one crest of the swing to the next.').prefault('40 min'),
});

/**
 * A predictor is off by b + s·sin(2πt/T), and its drift by the slope of that, as sure of itself as ever: a model that was
 * trained on something else, or whose forecasts are labelled with the wrong times.
 */
@plugin({
  kind: 'fault',
  name: 'predictor-off',
  summary: 'A predictor is off, by a constant and a swing',
  options: Options,
  chaos: (random, scope) => ({ by: signed(random, 1e-4, 1e-1), pipelines: some(random, scope.pipelines) }),
})
export class PredictorOff implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { by, swing, period } = this.options;
    const omega = (2 * Math.PI) / period;
    let since: number | undefined;
    return target.tamper(this.options, answer => {
      if (answer === undefined) return undefined;
      const now = timeOn(answer.axis, answer.at);
      since ??= now;
      const phase = omega * (now - since);
      return {
        ...answer,
        offset: answer.offset + by + swing * Math.sin(phase),
        drift: answer.drift + swing * omega * Math.cos(phase),
      };
    });
  }
}
