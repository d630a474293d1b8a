import { inject } from 'inversify';
import { z } from 'zod';
import type { Filter, Measurement, Rejection, Snapshot } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';
import { formatTime, time } from '../../core/quantity.js';

const Options = z.strictObject({
  ratio: z
    .number()
    .gt(1)
    .default(3)
    .meta({ description: 'Largest delay, as a multiple of the shortest in the window.' }),
  margin: time('Always let through: this much over the shortest.', { min: 0 }).prefault('1 ms'),
  window: z.int().min(2).default(32).meta({ description: 'How many of the last delays are remembered.' }),
});

const State = z.strictObject({ delays: z.array(z.number()) });
const VERSION = 1;

/** Rejects measurements that took too long: δ > max(ratio·δ_min, δ_min + margin), δ_min the shortest of the window. */
@plugin({
  kind: 'filter',
  name: 'delay-gate',
  summary: 'Rejects measurements with a long round trip',
  options: Options,
})
export class DelayGate implements Filter {
  private readonly delays: number[] = [];

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  filter(measurement: Measurement): Measurement | Rejection {
    const { ratio, margin, window } = this.options;
    // Rejected delays are remembered too: after a change of route the window forgets the shorter one.
    this.delays.push(measurement.delay);
    if (this.delays.length > window) this.delays.shift();
    const shortest = Math.max(0, Math.min(...this.delays));
    const limit = Math.max(ratio * shortest, shortest + margin);
    if (measurement.delay <= limit) return measurement;
    return { rejected: `delay ${formatTime(measurement.delay)}, limit ${formatTime(limit)}` };
  }

  snapshot(): Snapshot {
    return { version: VERSION, state: { delays: this.delays } };
  }

  restore(snapshot: Snapshot): void {
    this.delays.push(...stateIn(snapshot, VERSION, State).delays.slice(-this.options.window));
  }
}
