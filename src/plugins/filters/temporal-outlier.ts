import { inject } from 'inversify';
import { z } from 'zod';
import {
  type Filter,
  type History,
  type Measurement,
  type Passage,
  type Rejection,
  type Snapshot,
  timeOn,
} from '../../core/contracts/index.js';
import { median, theilSen } from '../../core/estimation/lines.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';
import { formatTime, time } from '../../core/quantity.js';

const Options = z.strictObject({
  window: z.int().min(4).default(10).meta({ description: 'How many of the last measurements it is compared with.' }),
  reject: z.number().positive().default(5).meta({ description: 'Farther from their line than this many σ: rejected.' }),
  floor: time('A σ under this counts as this.', { min: 0 }).prefault('200 us'),
  confirm: z.int().min(1).default(3).meta({ description: 'This many in a row to one side are a step, and pass.' }),
});

/** Below this many there is no line to be far from. */
const LEAST = 4;

const State = z.strictObject({
  kept: z.array(z.strictObject({ at: z.strictObject({ wall: z.number(), counter: z.number() }), offset: z.number() })),
  row: z.int().min(0),
  side: z.number(),
});
const VERSION = 1;

/**
 * Rejects a measurement that is far from where the last ones of its source lead: from their robust line (Theil and Sen) by
 * more than `reject`·σ, σ = 1.4826 × the median distance of those measurements from it. As Hampel's filter, but for drift.
 * `confirm` of them in a row to one side are a step of the clock: then the past is forgotten.
 */
@plugin({
  kind: 'filter',
  name: 'temporal-outlier',
  summary: 'Rejects what is far from where the last measurements lead',
  options: Options,
})
export class TemporalOutlierFilter implements Filter {
  private readonly kept: Pick<Measurement, 'at' | 'offset'>[] = [];
  private row = 0;
  private side = 0;

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  filter(measurement: Measurement, { axis }: History): Measurement | Rejection {
    const { reject, floor, confirm } = this.options;
    const now = timeOn(axis, measurement.at);
    const points = this.kept.map(({ at, offset }) => ({ t: timeOn(axis, at) - now, offset }));
    const line = points.length < LEAST ? undefined : theilSen(points, 0);
    if (line === undefined) return this.keep(measurement);
    const sigma = 1.4826 * median(points.map(({ t, offset }) => Math.abs(offset - line.offset - line.drift * t)));
    const limit = reject * Math.max(sigma, floor);
    const distance = measurement.offset - line.offset;
    if (Math.abs(distance) <= limit) {
      this.row = 0;
      return this.keep(measurement);
    }
    this.row = Math.sign(distance) === this.side ? this.row + 1 : 1;
    this.side = Math.sign(distance);
    if (this.row < confirm) {
      return { rejected: `${formatTime(distance, true)} from where the last lead, limit ${formatTime(limit)}` };
    }
    this.row = 0;
    this.kept.length = 0;
    return this.keep(measurement);
  }

  private keep(measurement: Measurement): Measurement {
    const { at, offset } = measurement;
    this.kept.push({ at, offset });
    if (this.kept.length > this.options.window) this.kept.shift();
    return measurement;
  }

  snapshot(): Snapshot {
    return { version: VERSION, state: { kept: this.kept, row: this.row, side: this.side } };
  }

  restore(snapshot: Snapshot, { continues }: Passage): void {
    const { kept, row, side } = stateIn(snapshot, VERSION, State);
    // Offsets against another counter are of another line.
    if (!continues) return;
    this.kept.push(...kept.slice(-this.options.window));
    this.row = row;
    this.side = side;
  }
}
