import { inject } from 'inversify';
import { z } from 'zod';
import type { Poller, PollState } from '../../core/contracts/index.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory } from '../../core/plugin/tokens.js';
import { duration } from '../../core/quantity.js';

const Options = z.strictObject({
  poller: choice('poller', 'When to ask otherwise.').prefault('fixed'),
  retries: z.int().min(1).max(8).default(3).meta({ description: 'How often a silent server is asked again.' }),
  backOff: duration('Before the first of them; twice as long before each further one.').prefault('2 s'),
});

/** Another poller; a server that does not answer is asked again after a back-off that doubles, before its next turn. */
@plugin({ kind: 'poller', name: 'retry', summary: 'Asks a silent server again, backing off', options: Options })
export class RetryPoller implements Poller {
  private readonly inner: Poller;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    this.inner = make('poller', options.poller);
  }

  next(state: PollState): number {
    return this.inner.next(state);
  }

  retry({ missed }: PollState): number | undefined {
    const { retries, backOff } = this.options;
    return missed >= 1 && missed <= retries ? backOff * 2 ** (missed - 1) : undefined;
  }
}
