import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { PacketOptions } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { probability, time } from '../../core/quantity.js';

const Options = z.strictObject({
  ...PacketOptions,
  share: probability('That a packet is doubled.').prefault('20 %'),
  after: time('Mean time from the packet to its copy, exponential.', { min: 0 }).prefault('1 ms'),
});

/** Packets arrive twice, the copy a little later. */
@plugin({ kind: 'fault', name: 'duplication', summary: 'Packets arrive twice', options: Options })
export class Duplication implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { share, after } = this.options;
    return target.disturb(this.options, {
      copy: random => {
        const doubled = random.uniform() < share;
        const later = after * random.exponential();
        return doubled ? later : undefined;
      },
    });
  }
}
