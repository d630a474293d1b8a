import { inject } from 'inversify';
import { z } from 'zod';
import type { DelayLaw, RandomStream } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  median: time('Half of the packets wait less.', { min: 0 }).prefault('1 ms'),
  sigma: z.number().min(0).max(5).default(0.7).meta({ description: 'Standard deviation of the logarithm.' }),
});

/** Log-normal queueing delay, median·e^(σ·N): the product of many small causes, as on long paths. */
@plugin({ kind: 'delay', name: 'log-normal', summary: 'Log-normal queueing delay', options: Options })
export class LogNormalDelay implements DelayLaw {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  draw(random: RandomStream): number {
    return this.options.median * Math.exp(this.options.sigma * random.normal());
  }
}
