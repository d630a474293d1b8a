import { inject } from 'inversify';
import { z } from 'zod';
import { type Estimate, type Fault, type FaultTarget, timeOn } from '../../core/contracts/index.js';
import { propagate } from '../../core/pipeline/estimates.js';
import { PredictorOptions } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { duration } from '../../core/quantity.js';

const Options = z.strictObject({
  ...PredictorOptions,
  by: duration('How late.').prefault('5 min'),
});

/** A predictor's answers come late: what it gives is what it would have given `by` ago, at best. */
@plugin({
  kind: 'fault',
  name: 'predictor-late',
  summary: 'A predictor answers with what was right a while ago',
  options: Options,
})
export class PredictorLate implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { by } = this.options;
    const given: Estimate[] = [];
    return target.tamper(this.options, answer => {
      if (answer === undefined) return undefined;
      given.push(answer);
      const now = timeOn(answer.axis, answer.at);
      while (given.length > 1 && now - timeOn(given[1]!.axis, given[1]!.at) >= by) given.shift();
      const first = given[0]!;
      return now - timeOn(first.axis, first.at) >= by ? propagate(first, answer.at, first.by) : undefined;
    });
  }
}
