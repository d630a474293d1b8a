import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { PredictorOptions } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  ...PredictorOptions,
  sigma: time('One standard deviation of every offset.', { min: 0 }).prefault('10 us'),
});

/** A predictor says the same uncertainty of every answer, however good it is. */
@plugin({
  kind: 'fault',
  name: 'predictor-constant-sigma',
  summary: 'A predictor is always as sure of itself',
  options: Options,
})
export class PredictorConstantSigma implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { sigma } = this.options;
    return target.tamper(this.options, answer => answer && { ...answer, p00: sigma ** 2, p01: 0 });
  }
}
