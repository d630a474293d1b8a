import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { signed, some } from '../../core/plugin/chaos-draws.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { ratio, time } from '../../core/quantity.js';

const Options = z.strictObject({
  servers: z.array(z.string()).min(1).meta({ description: 'Which servers lie.' }),
  by: time('Added to their time: positive, ahead.').prefault('100 ms'),
  drift: ratio('And it runs away by this.').prefault(0),
  apart: time('Each is this much further off than the one before it; 0: they agree with each other.').prefault(0),
});

/**
 * Servers that claim to be right and tell a wrong time: a constant error or one that grows, the same for all (a minority or
 * a majority that colludes) or for each another one.
 */
@plugin({
  kind: 'fault',
  name: 'falseticker',
  summary: 'Servers that tell a wrong time',
  options: Options,
  example: { servers: ['a'] },
  chaos: (random, scope) => ({ by: signed(random, 1e-3, 10), servers: some(random, scope.servers) }),
})
export class Falseticker implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { servers, by, drift, apart } = this.options;
    const ends = servers.map((name, index) => {
      const server = target.server(name);
      const shift = by + apart * index;
      server.shift(shift);
      const stop = drift === 0 ? () => 0 : server.drift(drift);
      return () => server.shift(-shift - stop());
    });
    return () => {
      for (const end of ends) end();
    };
  }
}
