import { join, relative } from 'node:path';
import { version } from '../../package.json';
import { InputError, unknownName } from '../core/errors.js';
import { FEATURES, GLOBALS, HORIZONS, LAYOUT, WINDOW } from '../core/learned/residual-window.js';
import { parseQuantity } from '../core/quantity.js';
import { randomStream } from '../core/world/random.js';
import { draw, FAMILIES, type Family } from './dataset-draws.js';
import { type DatasetWriter, NpyDataset, ParquetDataset } from './dataset-files.js';
import { DatasetFolder } from './dataset-folder.js';
import { examplesOf } from './dataset-windows.js';

export interface DatasetOptions {
  readonly out: string;
  readonly clocks: string;
  readonly seed: string;
  readonly families?: string;
  readonly polls: string;
  readonly turns: string;
  readonly windows: string;
  readonly servers: string;
  readonly randomised: string;
  readonly format: string;
  readonly json?: boolean;
}

/** `escapement dataset`: windows for training, drawn from the simulator. The same options give the same bytes. */
export async function dataset(options: DatasetOptions): Promise<void> {
  const clocks = integer('--clocks', options.clocks, 1, 10_000_000);
  const turns = span('--turns', options.turns, 16, 1_000_000);
  const perClock = integer('--windows', options.windows, 1, 1_000_000);
  const servers = integer('--servers', options.servers, 1, 8);
  const randomised = number('--randomised', options.randomised, 0, 1);
  const polls = range(options.polls);
  const families = familiesOf(options.families);
  const { seed, format, out } = options;
  if (!isFormat(format)) throw unknownName('--format', 'format', format, Object.keys(FORMATS));

  const folder = DatasetFolder.open(out);
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    const writer = FORMATS[format](folder.part);
    const drawn: Record<string, unknown>[] = [];
    let windows = 0;
    for (let clock = 0; clock < clocks && !interrupted; clock++) {
      const family = families[clock % families.length]!;
      // A clock's draws follow from the seed, its family and its place in it: more clocks leave the first ones alone.
      const name = `${family}/${Math.floor(clock / families.length)}`;
      const one = draw(family, randomStream(seed, `dataset/${name}`), {
        polls,
        turns,
        servers,
        randomised,
        atLeast: 0,
      });
      const examples = await examplesOf(one, `${seed}/${name}`, perClock);
      writer.add(clock, family, examples);
      windows += examples.length;
      const { poll, axis, symmetric, contaminated } = one;
      drawn.push({ family, poll, axis, symmetric, contaminated, windows: examples.length });
      if (!options.json && process.stderr.isTTY && clock % 10 === 9) {
        process.stderr.write(`\r${clock + 1} of ${clocks} clocks, ${windows} windows`);
      }
    }
    if (!options.json && process.stderr.isTTY) process.stderr.write('\n');
    writer.finish();
    if (interrupted) {
      throw new InputError('dataset', `interrupted: what was written is taken away, and ${out} as it was before`);
    }
    const manifest = {
      layout: LAYOUT,
      escapement: version,
      seed,
      options: { clocks, turns, windows: perClock, servers, randomised, polls, families },
      shapes: { samples: [WINDOW, FEATURES], globals: [GLOBALS], targets: [HORIZONS.length + 1] },
      horizons: HORIZONS,
      windows,
      clocks: drawn,
    };
    folder.place(writer.files, `${JSON.stringify(manifest)}\n`);
    if (options.json) {
      const files = writer.files.map(name => join(out, name));
      const report = { folder: out, windows, asked: clocks * perClock, clocks, files };
      process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    } else {
      process.stdout.write(`${windows} windows of ${clocks} clocks: ${join(relative('.', out) || '.', '/')}\n`);
      if (windows < clocks * perClock) {
        process.stdout.write(
          `That is ${(windows / clocks).toFixed(1)} of a clock, not ${perClock}: a turn gives one window at most, and the first turns, the last and what is lost none.\n`,
        );
      }
    }
  } catch (error) {
    throw folder.abandon(error);
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

const FORMATS = {
  parquet: (folder: string): DatasetWriter => new ParquetDataset(folder),
  npy: (folder: string): DatasetWriter => new NpyDataset(folder),
} as const;

function isFormat(name: string): name is keyof typeof FORMATS {
  return Object.hasOwn(FORMATS, name);
}

function number(place: string, text: string, least: number, most: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value >= least && value <= most) return value;
  throw new InputError(place, `expected a number from ${least} to ${most}, found '${text}'`);
}

function integer(place: string, text: string, least: number, most: number): number {
  const value = number(place, text, least, most);
  if (Number.isInteger(value)) return value;
  throw new InputError(place, `expected a whole number, found '${text}'`);
}

/** `60..800`, or one number. */
function span(place: string, text: string, least: number, most: number): readonly [number, number] {
  const [low, high = low, ...more] = text.split('..').map(end => integer(place, end, least, most));
  if (more.length === 0 && low! <= high!) return [low!, high!];
  throw new InputError(place, `expected one number, or two as in 60..800, found '${text}'`);
}

/** `16 s..4096 s`, or one interval. */
function range(text: string): readonly [number, number] {
  const ends = text.split('..').map(end => parseQuantity(/^[\d.]+$/.test(end.trim()) ? Number(end) : end, 'time'));
  const [least, most = least] = ends;
  if (ends.length > 2 || typeof least !== 'number' || typeof most !== 'number' || !(least >= 1 && most >= least)) {
    const wrong = ends.find(end => typeof end === 'string');
    throw new InputError(
      '--polls',
      wrong ?? `expected an interval such as 64 s, or two as in 16 s..4096 s, found '${text}'`,
    );
  }
  if (most > 131_072) throw new InputError('--polls', `expected at most 131072 s (2^17), found ${most} s`);
  return [least, most];
}

function familiesOf(text: string | undefined): readonly Family[] {
  if (text === undefined) return FAMILIES;
  const families = text.split(',').map(name => {
    const family = FAMILIES.find(known => known === name.trim());
    if (family === undefined) throw unknownName('--families', 'family', name.trim(), FAMILIES);
    return family;
  });
  const again = families.find((family, i) => families.indexOf(family) < i);
  // A clock's draws follow from its place in the family: the second time would give the same clocks.
  if (again !== undefined) throw new InputError('--families', `expected each family once, found '${again}' twice`);
  return families;
}
