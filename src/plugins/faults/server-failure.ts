import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { LEAP_UNSYNCHRONISED } from '../../core/ntp/packet.js';
import { some } from '../../core/plugin/chaos-draws.js';
import { ServersOption } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({
  servers: ServersOption,
  how: z
    .enum(['silent', 'unsynchronised'])
    .default('silent')
    .meta({ description: 'Whether they are silent, or say that they are not synchronised.' }),
});

/** Servers lose their reference and say so (leap 3, stratum 16), or do not answer any more. */
@plugin({
  kind: 'fault',
  name: 'server-failure',
  summary: 'Servers lose their reference, or do not answer',
  options: Options,
  chaos: (random, scope) => ({
    how: random.uniform() < 0.5 ? 'silent' : 'unsynchronised',
    servers: some(random, scope.servers),
  }),
})
export class ServerFailure implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { servers = target.servers, how } = this.options;
    const ends = servers.map(name => {
      const server = target.server(name);
      return how === 'silent'
        ? server.behave({ answer: () => [] })
        : server.claim({ leap: LEAP_UNSYNCHRONISED, stratum: 16 });
    });
    return () => {
      for (const end of ends) end();
    };
  }
}
