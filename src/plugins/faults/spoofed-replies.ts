import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { ServersOption } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { probability, time } from '../../core/quantity.js';

const Options = z.strictObject({
  servers: ServersOption,
  share: probability('That a question is answered by the forger too.').prefault('50 %'),
  by: time('What the forged answer adds to the time.').prefault('1 s'),
  after: time('From the question to the forged answer.', { min: 0 }).prefault('1 ms'),
  onPath: z.boolean().default(false).meta({ description: 'Whether the forger can read the question.' }),
  elsewhere: z
    .boolean()
    .default(false)
    .meta({ description: "Whether it comes from another address than the server's." }),
});

/** Somebody forges answers that shift the time, and they arrive before the right ones. Off the path the forger has to guess
 * the origin timestamp; on the path the question is known, and only authentication would tell. */
@plugin({
  kind: 'fault',
  name: 'spoofed-replies',
  summary: 'Forged answers arrive before the right ones',
  options: Options,
})
export class SpoofedReplies implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { servers, share, by, after, onPath, elsewhere } = this.options;
    return target.disturb(
      { servers, directions: ['back'] },
      {
        forge: (random, at) => {
          const forged = random.uniform() < share;
          const guess = { seconds: random.uint32(), fraction: random.uint32() };
          if (!forged) return undefined;
          const make = (question: Uint8Array): Uint8Array =>
            target.forge(question, at + after + by, onPath ? undefined : guess);
          return { after, make, elsewhere };
        },
      },
    );
  }
}
