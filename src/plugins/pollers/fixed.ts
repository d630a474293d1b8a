import { inject } from 'inversify';
import { z } from 'zod';
import type { Poller, PollState } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { duration } from '../../core/quantity.js';

const Options = z.strictObject({
  interval: duration('From question to question.').prefault('64 s'),
  burst: z.int().min(1).max(16).default(4).meta({ description: 'Questions at the start that follow quickly.' }),
  burstInterval: duration('Between the questions of the burst.').prefault('2 s'),
});

/** A burst at the start, then the same interval for ever; slower where a server asks for it. */
@plugin({ kind: 'poller', name: 'fixed', summary: 'A burst at the start, then a constant interval', options: Options })
export class FixedPoller implements Poller {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  next({ sent, floor }: PollState): number {
    const { interval, burst, burstInterval } = this.options;
    // `sent` counts the questions before the one that is being sent now.
    return Math.max(floor, sent < burst - 1 ? Math.min(burstInterval, interval) : interval);
  }
}
