import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({
  servers: z.array(z.string()).min(1).optional().meta({ description: 'Which servers; left out: all.' }),
});

/** Nothing comes through to or from the servers. */
@plugin({ kind: 'fault', name: 'outage', summary: 'No packet comes through', options: Options })
export class Outage implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    return target.disturb(this.options, { lost: () => true });
  }
}
