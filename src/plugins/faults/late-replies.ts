import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { ServersOption } from '../../core/plugin/fault-options.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { probability } from '../../core/quantity.js';

const Options = z.strictObject({
  servers: ServersOption,
  share: probability('That an answer is held back.').prefault('20 %'),
});

/** Answers are held back and arrive when the next question has been asked, as answers to it. */
@plugin({ kind: 'fault', name: 'late-replies', summary: 'Answers arrive with the next question', options: Options })
export class LateReplies implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): () => void {
    const { servers, share } = this.options;
    return target.disturb({ servers, directions: ['back'] }, { late: random => random.uniform() < share });
  }
}
