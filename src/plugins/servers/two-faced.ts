import { inject } from 'inversify';
import { z } from 'zod';
import type { Reply, ServerBehaviour, ServerSide } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Streams } from '../../core/plugin/tokens.js';
import { probability, time } from '../../core/quantity.js';

const Options = z.strictObject({
  by: time('What it adds to the time that it tells to some: positive, ahead.').prefault('100 ms'),
  to: z
    .array(z.string())
    .optional()
    .meta({ description: 'Names of the sources that it lies to; left out: by chance.' }),
  share: probability('Share of the clients that it lies to, where they are not named.').prefault('50 %'),
});

/** Tells one time to some clients and another to the rest: a Byzantine server (Lamport and Melliar-Smith 1985). */
@plugin({ kind: 'server', name: 'two-faced', summary: 'Tells some clients another time', options: Options })
export class TwoFacedServer implements ServerBehaviour {
  private readonly victims = new Map<string, boolean>();

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Streams) private readonly streams: Streams,
  ) {}

  answer(question: Uint8Array, asker: string, at: number, server: ServerSide): readonly Reply[] {
    const lie = this.isVictim(asker) ? { shift: this.options.by } : undefined;
    const bytes = server.respond(question, at, lie);
    return bytes === undefined ? [] : [{ bytes, after: server.processing }];
  }

  private isVictim(asker: string): boolean {
    const { to, share } = this.options;
    if (to !== undefined) return to.includes(asker.split('/')[0]!);
    let victim = this.victims.get(asker);
    if (victim === undefined) {
      victim = this.streams(asker).uniform() < share;
      this.victims.set(asker, victim);
    }
    return victim;
  }
}
