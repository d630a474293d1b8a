import { inject } from 'inversify';
import { z } from 'zod';
import type { LossLaw, RandomStream } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({
  period: z.int().min(1).default(20).meta({ description: 'Packets of one association until the pattern repeats.' }),
  pass: z.int().min(0).default(1).meta({ description: 'How many of them come through: the last ones.' }),
});

/** Lets the last `pass` of every `period` packets of an association through, and no others. */
@plugin({ kind: 'loss', name: 'periodic', summary: 'Only every n-th packet comes through', options: Options })
export class PeriodicLoss implements LossLaw {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  lost(_random: RandomStream, _at: number, number: number): boolean {
    const { period, pass } = this.options;
    return (number - 1) % period < period - pass;
  }
}
