import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { PacketOptions } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { probability } from '../../core/quantity.js';

const Options = z.strictObject({
  ...PacketOptions,
  share: probability('That a packet is damaged.').prefault('20 %'),
  how: z.enum(['truncated', 'corrupted']).default('corrupted').meta({ description: 'What happens to it.' }),
});

/** Packets arrive truncated or with flipped bits. UDP has a checksum, but not every path keeps it. */
@plugin({
  kind: 'fault',
  name: 'malformed-packets',
  summary: 'Packets arrive truncated or with flipped bits',
  options: Options,
})
export class MalformedPackets implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { share, how } = this.options;
    return target.disturb(this.options, {
      mangle: random => {
        const hit = random.uniform() < share;
        const where = random.uniform();
        const bit = random.uint32() & 7;
        if (!hit) return undefined;
        return bytes => {
          const at = Math.floor(where * bytes.length);
          if (how === 'truncated') return bytes.slice(0, at);
          const damaged = bytes.slice();
          damaged[at]! ^= 1 << bit;
          return damaged;
        };
      },
    });
  }
}
