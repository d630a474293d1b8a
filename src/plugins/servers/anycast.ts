import { inject } from 'inversify';
import { z } from 'zod';
import type { RandomStream, Reply, ServerBehaviour, ServerSide } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Streams } from '../../core/plugin/tokens.js';
import { duration, time } from '../../core/quantity.js';

const Site = z.strictObject({
  farther: time('How much farther away it is than the nearest, one way.', { min: 0 }).prefault(0),
  timeError: time("Its clock − the server's.").prefault(0),
});

const Options = z.strictObject({
  sites: z
    .array(Site)
    .min(2)
    .default([
      { farther: 0, timeError: 0 },
      { farther: 0.015, timeError: 0.0005 },
    ])
    .meta({ description: 'The sites behind the address.' }),
  stay: duration('Mean time until the routing changes to another site, exponential.').prefault('6 h'),
});

/**
 * One address, several sites: routing decides which one answers, and changes its mind now and then. All clients of the
 * simulated machine are behind the same router, so they change together.
 */
@plugin({
  kind: 'server',
  name: 'anycast',
  summary: 'One address, several sites between which the routing flips',
  options: Options,
})
export class AnycastServer implements ServerBehaviour {
  private readonly routing: RandomStream;
  private site = 0;
  private until: number;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Streams) streams: Streams,
  ) {
    this.routing = streams('routing');
    this.until = options.stay * this.routing.exponential();
  }

  answer(question: Uint8Array, _asker: string, at: number, server: ServerSide): readonly Reply[] {
    const { sites, stay } = this.options;
    while (this.until <= at) {
      this.site = (this.site + 1 + Math.floor(this.routing.uniform() * (sites.length - 1))) % sites.length;
      this.until += stay * this.routing.exponential();
    }
    const { farther, timeError } = sites[this.site]!;
    const bytes = server.respond(question, at + farther, { shift: timeError });
    return bytes === undefined ? [] : [{ bytes, after: server.processing + 2 * farther }];
  }
}
