import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { inject } from 'inversify';
import { z } from 'zod';
import { readColumn } from '../../core/column.js';
import type { NoisePart, RandomStream } from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { InputFolder, Streams } from '../../core/plugin/tokens.js';
import { duration, ratio, time } from '../../core/quantity.js';
import { Lattice } from '../../core/world/lattice.js';

const kelvin = (description: string) => z.number().meta({ description });

const Column = z.union([z.string(), z.int().min(1)]);

const Change = z.discriminatedUnion('shape', [
  z.strictObject({
    shape: z.literal('sinusoid'),
    amplitude: kelvin('From the mean to the peak, K.'),
    period: duration('From peak to peak.'),
    peak: time('When it is warmest, in true time from the start.').prefault(0),
  }),
  z.strictObject({
    shape: z.literal('daily'),
    amplitude: kelvin('From the mean to the peak, K.'),
    peak: time('When it is warmest, from the start of the run.').prefault('15 h'),
  }),
  z.strictObject({
    shape: z.literal('step'),
    by: kelvin('K.'),
    at: time('When, in true time from the start.', { min: 0 }),
    for: duration('How long it lasts; left out: to the end.').optional(),
  }),
  z.strictObject({
    shape: z.literal('ramp'),
    by: kelvin('K.'),
    at: time('When it begins.', { min: 0 }),
    over: duration('How long it takes.'),
  }),
  z.strictObject({
    shape: z.literal('csv'),
    file: z.string().meta({ description: 'Relative to the scenario file.' }),
    time: Column.default(1).meta({ description: 'Column of the time in seconds, ascending.' }),
    temperature: Column.default(2).meta({ description: 'Column of what is added to `base`, K.' }),
  }),
]);
type Change = z.output<typeof Change>;

const Options = z.strictObject({
  base: kelvin('Temperature around the oscillator before any change, °C.').default(25),
  ambient: z.array(Change).default([]).meta({
    description:
      'Changes that add up: `shape` is `sinusoid`, `daily`, `step`, `ramp` or `csv`, see docs/oscillators.md.',
  }),
  lag: time('Time constant with which the oscillator follows what is around it.', { min: 0 }).prefault('10 min'),
  load: z
    .strictObject({
      heating: kelvin('By how much full load heats the oscillator, K.'),
      busy: duration('Mean length of a spell of load.').prefault('5 min'),
      idle: duration('Mean length of a pause.').prefault('20 min'),
      pattern: z
        .enum(['random', 'regular'])
        .default('random')
        .meta({ description: 'Spells and pauses of exponential or of equal length.' }),
      lag: time('Time constant of this heating.', { min: 0 }).prefault('2 min'),
    })
    .optional()
    .meta({ description: 'Heat of the machine’s own load: `heating`, `busy`, `idle`, `pattern`, `lag`.' }),
  reference: kelvin('T₀: at this temperature it adds nothing, °C.').default(25),
  linear: ratio('a, per K.').prefault(0),
  quadratic: ratio('b, per K².').prefault(0),
  cubic: ratio('c, per K³.').prefault(0),
  step: duration('The lattice on which temperature is followed; in between the frequency is linear.').prefault('10 s'),
});

/** How many time constants of the past are lived through before a run starts. */
const PAST = 8;

/**
 * Frequency as a polynomial of the oscillator's temperature, y = a·ΔT + b·ΔT² + c·ΔT³ with ΔT = T − T₀.
 *
 * T follows what is around it with a first-order lag, T' = (ambient − T)/lag, solved exactly for an ambient that is linear
 * over each lattice step, plus the heat of the machine's load with a lag of its own. The phase is the integral of a
 * frequency that is linear over each step. It starts in the state that its past would have left it in.
 *
 * Coefficients (typical figures of data sheets and handbooks): an AT-cut crystal near 25 °C has b ≈ 0, c ≈ 1e-10/K³ and a
 * from 0 to −0.1 ppm/K by the angle of its cut (R. Bechmann, "Frequency-temperature-angle characteristics of AT-type
 * resonators", Proc. IRE 44 (1956)); a 32.768 kHz tuning fork b ≈ −0.034 ppm/K².
 */
@plugin({
  kind: 'noise',
  name: 'temperature',
  summary: 'Frequency that follows temperature: ambient, lag, load, polynomial',
  options: Options,
})
export class Temperature implements NoisePart {
  private readonly lattice: Lattice;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Streams) streams: Streams,
    @inject(InputFolder) folder: string,
  ) {
    const { step, lag, load, base } = options;
    const changes = options.ambient.map(change => changeOf(change, folder));
    const around = (t: number): number => changes.reduce((sum, change) => sum + change(t), base);
    const past = -Math.ceil((PAST * Math.max(lag, load?.lag ?? 0)) / step);
    const spells = load && new Spells(load, streams('load'), past * step);
    const follow = follower(lag, step);
    const heatUp = follower(load?.lag ?? 0, step);
    this.lattice = new Lattice(
      step,
      0,
      (cell, before) => {
        const t = cell.k * step;
        const now = around(t);
        const heat = load === undefined ? 0 : load.heating * spells!.busyUntil(t + step);
        // Just before the next step: a change that comes with it must not be felt before.
        cell.ambient = follow(before?.ambient ?? now, now, around(t + step * (1 - 1e-9)));
        cell.heat = heatUp(before?.heat ?? heat, heat, heat);
        cell.frequency = before?.frequencyEnd ?? this.frequencyAt(now + heat);
        cell.frequencyEnd = this.frequencyAt(cell.ambient + cell.heat);
        // The phase counts from the start of the run.
        const gained = before === undefined ? 0 : (step * (before.frequency + before.frequencyEnd)) / 2;
        cell.start = cell.k <= 0 || before === undefined ? 0 : before.start + gained;
      },
      past,
    );
  }

  phase(t: number): number {
    const cell = this.lattice.at(t);
    const within = t - cell.k * this.options.step;
    const bend = (cell.frequencyEnd - cell.frequency) / (2 * this.options.step);
    return cell.start + within * (cell.frequency + bend * within);
  }

  addPhases(first: number, sums: Float64Array): void {
    for (let i = 0; i < sums.length; i++) sums[i]! += this.phase(first + i);
  }

  frequency(t: number): number {
    const cell = this.lattice.at(t);
    const part = t / this.options.step - cell.k;
    return cell.frequency + part * (cell.frequencyEnd - cell.frequency);
  }

  private frequencyAt(temperature: number): number {
    const { reference, linear, quadratic, cubic } = this.options;
    const d = temperature - reference;
    return d * (linear + d * (quadratic + d * cubic));
  }
}

/** One step of a first-order lag, exactly, for an input that goes linearly from `from` to `to`. */
function follower(lag: number, step: number): (state: number, from: number, to: number) => number {
  if (lag === 0) return (_state, _from, to) => to;
  const kept = Math.exp(-step / lag);
  const mean = ((1 - kept) * lag) / step;
  return (state, from, to) => state * kept + from * (mean - kept) + to * (1 - mean);
}

/** When the machine is busy. */
class Spells {
  private busy: boolean;
  private until: number;

  constructor(
    private readonly load: { readonly busy: number; readonly idle: number; readonly pattern: 'random' | 'regular' },
    private readonly stream: RandomStream,
    private time: number,
  ) {
    this.busy = load.pattern === 'random' && stream.uniform() < load.busy / (load.busy + load.idle);
    this.until = load.pattern === 'random' ? time + this.length() : this.nextRegular(time);
  }

  /** Share of the time from the last call to t in which it is busy. */
  busyUntil(t: number): number {
    const from = this.time;
    let busy = 0;
    while (this.until <= t) {
      if (this.busy) busy += this.until - this.time;
      this.time = this.until;
      this.busy = !this.busy;
      this.until += this.length();
    }
    if (this.busy) busy += t - this.time;
    this.time = t;
    return t > from ? busy / (t - from) : 0;
  }

  private length(): number {
    const mean = this.busy ? this.load.busy : this.load.idle;
    return this.load.pattern === 'random' ? mean * this.stream.exponential() : mean;
  }

  /** Regular spells count from the start of the run, which they begin with a pause. */
  private nextRegular(time: number): number {
    const { busy, idle } = this.load;
    const cycle = busy + idle;
    const begun = Math.floor(time / cycle) * cycle;
    this.busy = time - begun >= idle;
    return this.busy ? begun + cycle : begun + idle;
  }
}

function changeOf(change: Change, folder: string): (t: number) => number {
  switch (change.shape) {
    case 'sinusoid':
      return t => change.amplitude * Math.cos((2 * Math.PI * (t - change.peak)) / change.period);
    case 'daily':
      return t => change.amplitude * Math.cos((2 * Math.PI * (t - change.peak)) / 86400);
    case 'step':
      return t => (t >= change.at && t < change.at + (change.for ?? Number.POSITIVE_INFINITY) ? change.by : 0);
    case 'ramp':
      return t => change.by * Math.min(1, Math.max(0, (t - change.at) / change.over));
    case 'csv':
      return recorded(change, folder);
  }
}

/** Between its points a recorded temperature is linear, before and after them it stays. */
function recorded(change: Change & { shape: 'csv' }, folder: string): (t: number) => number {
  const { file } = change;
  let text: string;
  try {
    text = readFileSync(resolve(folder, file), 'utf8');
  } catch (error) {
    const why = error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'no such file' : String(error);
    throw new InputError(file, `cannot be read: ${why}`);
  }
  const times = readColumn(text, file, String(change.time), '`time`');
  const values = readColumn(text, file, String(change.temperature), '`temperature`');
  const bad = times.findIndex((t, i) => i > 0 && t <= times[i - 1]!);
  if (bad > 0) throw new InputError(file, `expected ascending times, found ${times[bad]} after ${times[bad - 1]}`);
  const last = times.length - 1;
  let i = 0;
  return t => {
    if (t <= times[0]!) return values[0]!;
    if (t >= times[last]!) return values[last]!;
    if (times[i]! > t) i = 0;
    while (times[i + 1]! <= t) i++;
    return values[i]! + ((values[i + 1]! - values[i]!) * (t - times[i]!)) / (times[i + 1]! - times[i]!);
  };
}
