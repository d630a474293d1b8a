import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { referenceIdOf } from '../../core/ntp/packet.js';
import { ServersOption } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({
  servers: ServersOption,
  code: z
    .string()
    .regex(/^[A-Z]{4}$/, 'expected four capital letters')
    .default('RATE')
    .meta({ description: 'Four letters: RATE slows the client down, DENY and RSTR send it away.' }),
});

/** Servers answer with a kiss of death (RFC 5905 section 7.4). DENY and RSTR end the client's association for good. */
@plugin({ kind: 'fault', name: 'kiss-code', summary: 'Servers answer with a kiss code', options: Options })
export class KissCode implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { servers = target.servers, code } = this.options;
    const ends = servers.map(name => target.server(name).claim({ stratum: 0, referenceId: referenceIdOf(code) }));
    return () => {
      for (const end of ends) end();
    };
  }
}
