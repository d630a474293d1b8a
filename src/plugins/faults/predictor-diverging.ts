import { inject } from 'inversify';
import { z } from 'zod';
import { type Fault, type FaultTarget, timeOn } from '../../core/contracts/index.js';
import { signed, some } from '../../core/plugin/chaos-draws.js';
import { PredictorOptions } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { ratio } from '../../core/quantity.js';

const Options = z.strictObject({
  ...PredictorOptions,
  rate: ratio('How fast they run away.').prefault('100 ppm'),
});

/** A predictor's offsets run away, by `rate` seconds a second from when the fault strikes, as sure of themselves as ever. */
@plugin({
  kind: 'fault',
  name: 'predictor-diverging',
  summary: 'A predictor drifts away from the truth',
  options: Options,
  chaos: (random, scope) => ({ rate: signed(random, 1e-7, 1e-4), pipelines: some(random, scope.pipelines) }),
})
export class PredictorDiverging implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { rate } = this.options;
    let since: number | undefined;
    return target.tamper(this.options, answer => {
      if (answer === undefined) return undefined;
      const now = timeOn(answer.axis, answer.at);
      since ??= now;
      return { ...answer, offset: answer.offset + rate * (now - since) };
    });
  }
}
