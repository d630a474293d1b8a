import { inject } from 'inversify';
import { z } from 'zod';
import type { DelayLaw, RandomStream } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  deviation: time('Standard deviation before folding.', { min: 0 }).prefault('20 us'),
});

/** The size of a normal variable (half-normal): jitter that never makes a packet faster than its path. */
@plugin({ kind: 'delay', name: 'normal', summary: 'Half-normal jitter', options: Options })
export class NormalDelay implements DelayLaw {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  draw(random: RandomStream): number {
    return Math.abs(this.options.deviation * random.normal());
  }
}
