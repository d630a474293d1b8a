import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { PredictorOptions } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({
  ...PredictorOptions,
});

/** A predictor answers NaN, as a network does that was given something absurd. */
@plugin({ kind: 'fault', name: 'predictor-nan', summary: 'A predictor answers NaN', options: Options })
export class PredictorNan implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    return target.tamper(this.options, answer => answer && { ...answer, offset: Number.NaN });
  }
}
