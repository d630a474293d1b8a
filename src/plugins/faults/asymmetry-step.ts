import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { signed, some } from '../../core/plugin/chaos-draws.js';
import { ServersOption } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  servers: ServersOption,
  by: time('Added to the way there; negative: to the way back.').prefault('10 ms'),
});

/** One way gets longer by a constant and the other as it was: offsets move by half of it, and nobody can tell but by the
 * round trip. */
@plugin({
  kind: 'fault',
  name: 'asymmetry-step',
  summary: 'One way gets longer than the other',
  options: Options,
  chaos: (random, scope) => ({ by: signed(random, 1e-4, 5e-2), servers: some(random, scope.servers) }),
})
export class AsymmetryStep implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { servers, by } = this.options;
    const delay = Math.abs(by);
    return target.disturb({ servers, directions: [by < 0 ? 'back' : 'out'] }, { delay: () => delay });
  }
}
