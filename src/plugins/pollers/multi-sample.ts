import { inject } from 'inversify';
import { z } from 'zod';
import type { Poller, PollState } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { duration } from '../../core/quantity.js';

const Options = z.strictObject({
  interval: duration('From the first question of a set to that of the next.').prefault('60 s'),
  samples: z.int().min(1).max(16).default(3).meta({ description: 'Questions in a set.' }),
  spacing: duration(
    'Between the questions of a set; servers of others get 2 s at least, and only at the start.',
  ).prefault('2 s'),
});

/** Sets of questions that follow each other quickly; the filter `sample-set` makes one measurement of each. */
@plugin({ kind: 'poller', name: 'multi-sample', summary: 'A set of quick questions at each turn', options: Options })
export class MultiSamplePoller implements Poller {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  next({ sent, floor }: PollState): number {
    const { interval, samples, spacing } = this.options;
    // `sent` counts the questions before the one that is being sent now.
    const last = sent % samples === samples - 1;
    const rest = interval - (samples - 1) * spacing;
    return Math.max(floor, last ? Math.max(spacing, rest) : spacing);
  }
}
