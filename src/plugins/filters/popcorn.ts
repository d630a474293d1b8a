import { inject } from 'inversify';
import { z } from 'zod';
import type { Filter, Measurement, Passage, Rejection, Snapshot } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';
import { formatTime, time } from '../../core/quantity.js';

const Options = z.strictObject({
  gate: z
    .number()
    .positive()
    .default(3)
    .meta({ description: 'Spikes are farther than this many jitters from the last.' }),
  floor: time('Jitter under this counts as this.', { min: 0 }).prefault('100 us'),
});

/** Weight of the newest difference in the jitter's exponential average: RFC 5905's AVG. */
const WEIGHT = 1 / 4;

const State = z.strictObject({ last: z.number().nullable(), square: z.number().min(0), spiked: z.boolean() });
const VERSION = 1;

/**
 * Popcorn spike suppressor (RFC 5905 section 10, ntpd): a lone measurement farther than gate × jitter from the last is
 * rejected; a second one in a row is a step and passes. Jitter: exponential RMS of differences between neighbours.
 */
@plugin({ kind: 'filter', name: 'popcorn', summary: 'Rejects a lone spike, lets a step pass', options: Options })
export class PopcornFilter implements Filter {
  private last: number | undefined;
  private square = 0;
  private spiked = false;

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  filter(measurement: Measurement): Measurement | Rejection {
    const { offset } = measurement;
    if (this.last === undefined) {
      this.last = offset;
      return measurement;
    }
    const difference = Math.abs(offset - this.last);
    const limit = this.options.gate * Math.max(this.options.floor, Math.sqrt(this.square));
    if (difference > limit && !this.spiked) {
      this.spiked = true;
      return { rejected: `spike of ${formatTime(difference)}, limit ${formatTime(limit)}` };
    }
    this.spiked = false;
    this.square += WEIGHT * (Math.min(difference, limit) ** 2 - this.square);
    this.last = offset;
    return measurement;
  }

  snapshot(): Snapshot {
    return { version: VERSION, state: { last: this.last ?? null, square: this.square, spiked: this.spiked } };
  }

  restore(snapshot: Snapshot, { continues }: Passage): void {
    const { last, square, spiked } = stateIn(snapshot, VERSION, State);
    this.square = square;
    if (!continues || last === null) return;
    this.last = last;
    this.spiked = spiked;
  }
}
