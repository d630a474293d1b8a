import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { signed, some } from '../../core/plugin/chaos-draws.js';
import { ServersOption } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  servers: ServersOption,
  out: time('Added to the way there; a negative way is no way, so it is never less than 0 in all.').prefault('5 ms'),
  back: time('Added to the way back.').prefault('5 ms'),
});

/** Packets take another route, longer or shorter, in each direction by its own. */
@plugin({
  kind: 'fault',
  name: 'route-flip',
  summary: 'Packets take another route',
  options: Options,
  chaos: (random, scope) => ({
    out: signed(random, 1e-4, 5e-2),
    back: signed(random, 1e-4, 5e-2),
    servers: some(random, scope.servers),
  }),
})
export class RouteFlip implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { servers, out, back } = this.options;
    const ends = [
      target.disturb({ servers, directions: ['out'] }, { delay: () => out }),
      target.disturb({ servers, directions: ['back'] }, { delay: () => back }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }
}
