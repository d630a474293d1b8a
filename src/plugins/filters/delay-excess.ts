import { inject } from 'inversify';
import { z } from 'zod';
import type { Filter, Measurement, Snapshot } from '../../core/contracts/index.js';
import { withUncertainty } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  window: z.int().min(2).default(64).meta({ description: 'How many of the last delays are remembered.' }),
  floor: time('Deviation of a measurement that met no queue, at least.', { min: 0 }).prefault('1 us'),
});

const State = z.strictObject({ delays: z.array(z.number()) });
const VERSION = 1;

/**
 * Reads a measurement's noise from its delay. An exchange whose round trip exceeds the path's minimum by e has an
 * offset error uniform within ±e/2, so σ² = e²/12 + σ₀². The minimum itself is known to about the mean excess over the
 * number of delays seen, which is σ₀ (and never less than `floor` or the server's precision).
 */
@plugin({
  kind: 'filter',
  name: 'delay-excess',
  summary: 'Reads the noise of a measurement from its delay',
  options: Options,
})
export class DelayExcessFilter implements Filter {
  private readonly delays: number[] = [];

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  filter(measurement: Measurement): Measurement {
    const { window, floor } = this.options;
    const { delays } = this;
    delays.push(measurement.delay);
    if (delays.length > window) delays.shift();
    let shortest = Number.POSITIVE_INFINITY;
    let sum = 0;
    for (const delay of delays) {
      if (delay < shortest) shortest = delay;
      sum += delay;
    }
    const mean = sum / delays.length - shortest;
    // One delay says nothing about queues: until there is a second, the whole round trip may be one.
    const minimum = delays.length === 1 ? Math.abs(measurement.delay) / 4 : mean / Math.sqrt(delays.length);
    const excess = measurement.delay - shortest;
    const rest = Math.max(floor, measurement.exchange.precision, minimum);
    return withUncertainty(measurement, Math.sqrt(excess ** 2 / 12 + rest ** 2));
  }

  snapshot(): Snapshot {
    return { version: VERSION, state: { delays: this.delays } };
  }

  restore(snapshot: Snapshot): void {
    this.delays.push(...stateIn(snapshot, VERSION, State).delays.slice(-this.options.window));
  }
}
