import { inject } from 'inversify';
import { z } from 'zod';
import type { Filter, Measurement, Rejection, Snapshot } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';

const Options = z.strictObject({
  measurements: z
    .int()
    .min(1)
    .default(3)
    .meta({ description: 'How many of the first measurements of a source are dropped.' }),
});

const State = z.strictObject({ seen: z.int().min(0) });
const VERSION = 1;

/** Drops a source's first measurements: cold caches and ARP make them late. */
@plugin({ kind: 'filter', name: 'warm-up', summary: "Drops a source's first measurements", options: Options })
export class WarmUpFilter implements Filter {
  private seen = 0;

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  filter(measurement: Measurement): Measurement | Rejection {
    this.seen += 1;
    if (this.seen > this.options.measurements) return measurement;
    return { rejected: `warm-up, ${this.seen} of ${this.options.measurements}` };
  }

  snapshot(): Snapshot {
    return { version: VERSION, state: { seen: Math.min(this.seen, this.options.measurements) } };
  }

  restore(snapshot: Snapshot): void {
    this.seen = stateIn(snapshot, VERSION, State).seen;
  }
}
