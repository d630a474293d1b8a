import { inject } from 'inversify';
import { z } from 'zod';
import type { RandomStream, Reply, ServerBehaviour, ServerSide } from '../../core/contracts/index.js';
import { referenceIdOf } from '../../core/ntp/packet.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Streams } from '../../core/plugin/tokens.js';
import { duration } from '../../core/quantity.js';

const Options = z.strictObject({
  interval: duration('Mean interval between questions of one client that the server agrees to.').prefault('8 s'),
  burst: z.int().min(1).default(8).meta({ description: 'Questions that may come at once after a silence.' }),
  leak: z
    .int()
    .min(0)
    .max(16)
    .default(2)
    .meta({ description: 'Of the questions beyond the limit one in 2^leak is answered all the same.' }),
  kiss: z.boolean().default(true).meta({ description: 'Whether the others get a RATE kiss, or nothing.' }),
});

/**
 * Answers a client only so often (chronyd's `ratelimit`): a bucket of `burst` tokens for each client, which fills by one
 * every `interval`. A question that finds it empty is answered with probability 2^−leak, so that a forger cannot lock a
 * client out, and else gets a RATE kiss (RFC 5905 section 7.4) or nothing.
 */
@plugin({
  kind: 'server',
  name: 'rate-limited',
  summary: 'Answers each client only so often, and says so with a RATE kiss',
  options: Options,
})
export class RateLimitedServer implements ServerBehaviour {
  private readonly clients = new Map<string, { tokens: number; at: number; readonly random: RandomStream }>();

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Streams) private readonly streams: Streams,
  ) {}

  answer(question: Uint8Array, asker: string, at: number, server: ServerSide): readonly Reply[] {
    const { interval, burst, leak, kiss } = this.options;
    let client = this.clients.get(asker);
    if (client === undefined) {
      client = { tokens: burst, at, random: this.streams(asker) };
      this.clients.set(asker, client);
    }
    client.tokens = Math.min(burst, client.tokens + (at - client.at) / interval);
    client.at = at;
    const leaks = client.random.uniform() < 2 ** -leak;
    const within = client.tokens >= 1;
    if (within) client.tokens -= 1;
    if (!within && !leaks && !kiss) return [];
    const lie = within || leaks ? undefined : { state: { stratum: 0, referenceId: referenceIdOf('RATE') } };
    const bytes = server.respond(question, at, lie);
    return bytes === undefined ? [] : [{ bytes, after: server.processing }];
  }
}
