import { inject } from 'inversify';
import { z } from 'zod';
import type { DelayLaw, RandomStream } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({ mean: time('Mean queueing delay.', { min: 0 }).prefault('1 ms') });

/** Exponential queueing delay, density e^(−x/μ)/μ: the classical model of a path with light traffic. */
@plugin({ kind: 'delay', name: 'exponential', summary: 'Exponential queueing delay', options: Options })
export class ExponentialDelay implements DelayLaw {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  draw(random: RandomStream): number {
    return this.options.mean * random.exponential();
  }
}
