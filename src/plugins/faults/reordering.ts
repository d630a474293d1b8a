import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { PacketOptions } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { probability, time } from '../../core/quantity.js';

const Options = z.strictObject({
  ...PacketOptions,
  share: probability('That a packet is overtaken.').prefault('10 %'),
  by: time('How much longer it takes.', { min: 0 }).prefault('3 s'),
});

/** Some packets are overtaken by later ones: they take a way of their own, by so much longer. */
@plugin({ kind: 'fault', name: 'reordering', summary: 'Some packets are overtaken by later ones', options: Options })
export class Reordering implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { share, by } = this.options;
    return target.disturb(this.options, { delay: random => (random.uniform() < share ? by : 0) });
  }
}
