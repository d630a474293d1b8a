import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  servers: z.array(z.string()).min(1).meta({ description: 'Which servers lie.' }),
  by: time('Added to their time: positive, ahead.').prefault('100 ms'),
});

/** Servers that claim to be right and tell a wrong time. */
@plugin({ kind: 'fault', name: 'falseticker', summary: 'Servers that tell a wrong time', options: Options })
export class Falseticker implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { servers, by } = this.options;
    for (const server of servers) target.server(server).shift(by);
    return () => {
      for (const server of servers) target.server(server).shift(-by);
    };
  }
}
