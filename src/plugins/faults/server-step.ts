import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { signed, some } from '../../core/plugin/chaos-draws.js';
import { ServersOption } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  servers: ServersOption,
  by: time('Added to their time: positive, ahead.').prefault('50 ms'),
});

/** Servers' clocks are stepped: they were wrong before, or are now. A whole site moves together. */
@plugin({
  kind: 'fault',
  name: 'server-step',
  summary: 'Steps the clock of servers',
  options: Options,
  chaos: (random, scope) => ({ by: signed(random, 1e-3, 10), servers: some(random, scope.servers) }),
})
export class ServerStep implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { servers = target.servers, by } = this.options;
    for (const server of servers) target.server(server).shift(by);
    return () => {
      for (const server of servers) target.server(server).shift(-by);
    };
  }
}
