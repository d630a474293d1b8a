import {
  type Axis,
  type ExchangeRecord,
  type Measurement,
  measure,
  offsetAfter,
  type Sample,
  type Sink,
  timeOn,
} from '../core/contracts/index.js';
import { runScenario } from '../core/experiment/run.js';
import { ClassicalTrack } from '../core/learned/classical-track.js';
import { HORIZONS, scalesOf } from '../core/learned/residual-window.js';
import type { Draw } from './dataset-draws.js';
import { parseScenario } from './scenario-files.js';

/** One example: what a model is shown, and how far the classical estimator was from the truth. */
export interface Example {
  /** Local counter at the newest measurement, s from the clock's first. */
  readonly at: number;
  readonly samples: Float32Array;
  readonly globals: Float32Array;
  /** Truth less the classical line at each horizon, then the same of the drift, in `scales`. */
  readonly targets: Float32Array;
  /** s, and s/s for the drift. */
  readonly scales: Float32Array;
}

/** The truth of an axis at any reading of the counter: lines between the instants at which it was looked at. */
class Truth {
  private readonly at: number[] = [];
  private readonly offset: number[] = [];

  add(counter: number, offset: number): void {
    if (this.at.length > 0 && counter <= this.at.at(-1)!) return;
    this.at.push(counter);
    this.offset.push(offset);
  }

  /** Undefined outside of what was looked at. */
  offsetAt(counter: number): number | undefined {
    const { at, offset } = this;
    let low = 0;
    let high = at.length - 1;
    if (high < 1 || counter < at[0]! || counter > at[high]!) return undefined;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (at[middle]! <= counter) low = middle;
      else high = middle;
    }
    const share = (counter - at[low]!) / (at[high]! - at[low]!);
    return offset[low]! + share * (offset[high]! - offset[low]!);
  }
}

/** Listens to a run: the measurements as they come, and the truth on a grid that is fine beside the polling. */
class Listener implements Sink {
  readonly measurements: Measurement[] = [];
  readonly truth = new Truth();

  constructor(
    readonly interval: number,
    private readonly axis: Axis,
  ) {}

  sample({ pipeline, reading, t }: Sample): void {
    if (pipeline === BARE) this.truth.add(reading.counter, t - timeOn(this.axis, reading));
  }

  exchange({ event, truth }: ExchangeRecord): void {
    if (event.type !== 'exchange' || truth === undefined) return;
    const { exchange } = event;
    this.truth.add(exchange.arrived.counter, -truth[this.axis]);
    const measurement = measure(exchange, this.axis);
    if (Number.isFinite(measurement.offset + measurement.delay)) this.measurements.push(measurement);
  }
}

const BARE = 'bare-clock';

/** Plays a draw and returns examples from `windows` places at most, spread over all of it. */
export async function examplesOf(one: Draw, seed: string, windows: number): Promise<readonly Example[]> {
  const interval = one.poll / 8;
  const pipeline = { name: 'held', corrector: 'offset-only', timekeeper: 'hold', axis: one.axis };
  const text = JSON.stringify({
    ...one.scenario,
    name: one.family,
    seed,
    sampling: { interval },
    pipelines: [pipeline],
  });
  const { scenario } = await parseScenario(text, `dataset ${one.family} ${seed}`);
  const listener = new Listener(interval, one.axis);
  await runScenario({ scenario, file: one.family, sinks: [listener] });

  const { measurements, truth } = listener;
  const track = new ClassicalTrack(one.axis);
  const examples: Example[] = [];
  const every = Math.max(1, measurements.length / windows);
  let next = 0;
  measurements.forEach((measurement, index) => {
    const estimate = track.observe(measurement);
    if (estimate === undefined || index < next) return;
    next += every;
    const window = track.window.features();
    if (window === undefined) return;
    const { spacing } = window;
    const scales = scalesOf(estimate, spacing);
    const { counter } = measurement.at;
    const ahead = [...HORIZONS].map(horizon => truth.offsetAt(counter + horizon * spacing));
    if (!ahead.every(offset => offset !== undefined)) return;
    const off = HORIZONS.map((horizon, i) => ahead[i]! - offsetAfter(estimate, horizon * spacing));
    const later = HORIZONS.indexOf(1);
    const targets = [...off.map((error, i) => error / scales[i]!), (off[later]! - off[0]!) / spacing / scales.at(-1)!];
    examples.push({
      at: counter - measurements[0]!.at.counter,
      samples: window.samples,
      globals: window.globals,
      targets: Float32Array.from(targets),
      scales: Float32Array.from(scales),
    });
  });
  return examples;
}
