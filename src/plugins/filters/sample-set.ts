import { inject } from 'inversify';
import { z } from 'zod';
import type { Filter } from '../../core/contracts/index.js';
import { type Measurement, type Rejection, withUncertainty } from '../../core/contracts/index.js';
import { median } from '../../core/estimation/lines.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { duration } from '../../core/quantity.js';

const Options = z.strictObject({
  samples: z
    .int()
    .min(1)
    .max(16)
    .default(3)
    .meta({ description: 'Measurements in a set, as the poller asks for them.' }),
  spacing: duration('From one to the next.').prefault('2 s'),
  take: z.enum(['median', 'shortest']).default('median').meta({
    description: 'The one in the middle by offset, or the one with the shortest delay.',
  }),
});

/**
 * Makes one measurement of each set of quick ones: that with the median offset or the shortest delay. Its deviation is no
 * less than the set shows, 1.4826·MAD. A measurement's place in its set is read from its time, so that a lost one does
 * not shift the others; where the last is lost the set gives nothing.
 */
@plugin({ kind: 'filter', name: 'sample-set', summary: 'One measurement of each set of quick ones', options: Options })
export class SampleSetFilter implements Filter {
  private set: Measurement[] = [];

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  filter(measurement: Measurement): Measurement | Rejection {
    const { samples, spacing, take } = this.options;
    const first = this.set[0];
    const age = first === undefined ? 0 : measurement.exchange.sent.counter - first.exchange.sent.counter;
    if (first === undefined || age > (samples - 0.5) * spacing) this.set = [];
    this.set.push(measurement);
    const place = this.set.length === 1 ? 0 : Math.round(age / spacing);
    if (place < samples - 1) return { rejected: `sample ${place + 1} of ${samples}` };
    const { set } = this;
    this.set = [];
    const middle = median(set.map(({ offset }) => offset));
    const spread = 1.4826 * median(set.map(({ offset }) => Math.abs(offset - middle)));
    const chosen = set.reduce((a, b) => {
      if (take === 'shortest') return b.delay < a.delay ? b : a;
      return Math.abs(b.offset - middle) < Math.abs(a.offset - middle) ? b : a;
    });
    return withUncertainty(chosen, Math.max(chosen.uncertainty, spread));
  }
}
