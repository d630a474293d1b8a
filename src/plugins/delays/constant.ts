import { inject } from 'inversify';
import { z } from 'zod';
import type { DelayLaw } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({ by: time('What every packet waits.', { min: 0 }).prefault('1 ms') });

/** Every packet waits the same: a part of a mixture, or of a path that changes. */
@plugin({ kind: 'delay', name: 'constant', summary: 'The same wait for every packet', options: Options })
export class ConstantDelay implements DelayLaw {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  draw(): number {
    return this.options.by;
  }
}
