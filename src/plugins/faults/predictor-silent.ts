import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { PredictorOptions } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({
  ...PredictorOptions,
});

/** A predictor has no answer, as one whose model does not load. */
@plugin({ kind: 'fault', name: 'predictor-silent', summary: 'A predictor has no answer', options: Options })
export class PredictorSilent implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    return target.tamper(this.options, () => undefined);
  }
}
