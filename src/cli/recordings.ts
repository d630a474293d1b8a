import 'reflect-metadata';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Container } from 'inversify';
import {
  type Format,
  isOneWay,
  type OneWayRecording,
  type RecordedTruth,
  type Recording,
} from '../core/contracts/index.js';
import { InputError } from '../core/errors.js';
import { findPlugin, makePlugin, pluginsOf } from '../core/plugin/registry.js';
import { CsvTable } from '../core/recording/csv-table.js';
import { Chronology, shown } from '../core/recording/fields.js';
import { loadPluginsOf } from '../plugins/index.js';
import { loadExternalPlugins } from './external-plugins.js';
import { reasonOf } from './scenario-files.js';

/** How many of a file's first lines a format sees before it says whether the file is of its kind. */
const HEAD = 16;

/** A file or folder to replay, as the user named it. */
export interface TraceChoice {
  readonly trace: string;
  readonly truth?: string | undefined;
  readonly format?: string | undefined;
}

/** A trace, read. */
export interface Trace {
  /** The file that was read, as people would type it from here. */
  readonly file: string;
  readonly format: string;
  readonly recording: Recording | OneWayRecording;
  readonly truth?: RecordedTruth;
  readonly truthFile?: string;
  /** Seconds that the recording's own description asks not to be scored. */
  readonly warmup?: number;
  /** The resolved scenario of the run whose folder this is. */
  readonly scenarioFile?: string;
}

/** The recording of a scenario's replayed world, whose paths are relative to the scenario file. */
export async function openRecording(
  world: TraceChoice,
  scenarioFile: string,
  external: readonly string[] = [],
): Promise<{ recording: Recording; truth?: RecordedTruth }> {
  const from = dirname(scenarioFile);
  try {
    const { file, recording, truth } = await openTrace(
      {
        trace: resolve(from, world.trace),
        truth: world.truth === undefined ? undefined : resolve(from, world.truth),
        format: world.format,
      },
      external,
    );
    if (isOneWay(recording)) {
      throw new InputError(file, 'holds one-way packets, which no pipeline can take', `escapement replay ${file}`);
    }
    return { recording, ...(truth && { truth }) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`${scenarioFile} world: ${error.place}`, error.problem, error.hint);
  }
}

/**
 * Reads a trace: a file in one of the known formats, gzipped or not, or a folder with a `measurements.csv` in it, and
 * the truth that is given or lies beside it. Throws an `InputError` with the file, and the line where there is one.
 */
export async function openTrace(choice: TraceChoice, external: readonly string[] = []): Promise<Trace> {
  await loadPluginsOf('formats');
  await loadExternalPlugins(external);
  const isFolder = statOf(choice.trace).isDirectory();
  const path = isFolder ? measurementsIn(choice.trace) : choice.trace;
  const folder = dirname(path);
  const file = pathFromHere(path);
  const text = readLines(path);
  const head = [...text.head(HEAD)];
  const use = choice.format ?? recognise(head, file);
  const recording = text.guard(() => formatOf(use).read(text.lines(), file));
  const truthPath = choice.truth ?? ['truth.csv', 'truth.csv.gz'].map(name => join(folder, name)).find(existsSync);
  const warmup = use === 'peer' ? warmupBeside(folder) : undefined;
  const scenarioFile = join(folder, 'scenario.yaml');
  return {
    file,
    format: use,
    recording,
    ...(truthPath !== undefined && { truth: readTruth(truthPath), truthFile: pathFromHere(truthPath) }),
    ...(warmup !== undefined && { warmup }),
    ...(isFolder && use === 'escapement' && existsSync(scenarioFile) && { scenarioFile }),
  };
}

function statOf(path: string) {
  try {
    return statSync(path);
  } catch (error) {
    throw new InputError(path, `cannot be read: ${reasonOf(error)}`);
  }
}

function measurementsIn(folder: string): string {
  const found = ['measurements.csv', 'measurements.csv.gz'].map(name => join(folder, name)).find(existsSync);
  if (found === undefined) {
    throw new InputError(folder, 'expected measurements.csv or measurements.csv.gz in this folder, found neither');
  }
  return found;
}

function pathFromHere(path: string): string {
  const here = relative('.', path);
  return here.startsWith('..') ? path : here;
}

function formatOf(use: string): Format {
  findPlugin('format', use, '--format');
  return makePlugin('format', { use }, '--format', new Container());
}

function recognise(head: readonly string[], file: string): string {
  const known = pluginsOf('format').map(({ name }) => name);
  const candidates = known.filter(name => formatOf(name).recognises(head));
  if (candidates.length === 1) return candidates[0]!;
  if (candidates.length > 1) {
    throw new InputError(file, `is claimed by the formats ${candidates.join(' and ')}`, 'choose with --format NAME');
  }
  const first = head.find(line => line.trim() !== '') ?? '';
  const problem = `is in no format that is known (${known.join(', ')}): it begins ${shown(first)}`;
  throw new InputError(file, problem, 'escapement plugins format; replay --format NAME forces one');
}

/** The lines of a text file, which may be gzipped. */
class TextFile {
  constructor(
    private readonly bytes: Buffer,
    private readonly path: string,
  ) {}

  *lines(): Generator<string> {
    const { bytes } = this;
    for (let from = 0; from < bytes.length; ) {
      const end = bytes.indexOf(0x0a, from);
      const to = end < 0 ? bytes.length : end;
      yield bytes.toString('utf8', from, bytes[to - 1] === 0x0d && to > from ? to - 1 : to);
      from = to + 1;
    }
  }

  *head(count: number): Generator<string> {
    let left = count;
    for (const line of this.lines()) {
      if (left-- === 0) return;
      yield line;
    }
  }

  /** Says of a problem in a last line that has no end that the file was cut off there. */
  guard<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof InputError) || this.bytes.at(-1) === 0x0a) throw error;
      let last = 0;
      for (const _ of this.lines()) last += 1;
      if (!error.place.endsWith(`:${last}`)) throw error;
      const hint = `${this.path} ends in the middle of line ${last}: take that line out to replay the rest`;
      throw new InputError(error.place, error.problem, hint);
    }
  }
}

function readLines(path: string): TextFile {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new InputError(path, `cannot be read: ${reasonOf(error)}`);
  }
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = gunzipSync(bytes);
    } catch (error) {
      throw new InputError(path, `cannot be unzipped: ${reasonOf(error)}`);
    }
  }
  if (bytes.length === 0) throw new InputError(path, 'is empty');
  if (bytes.subarray(0, 4096).includes(0)) throw new InputError(path, 'is not text: it holds zero bytes');
  // A byte order mark, as some editors leave it.
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) bytes = bytes.subarray(3);
  return new TextFile(bytes, pathFromHere(path));
}

/** `t_true_s`, `free_running_error_s` (clock − true): one clock, so both axes. */
function readTruth(path: string): RecordedTruth {
  const file = pathFromHere(path);
  statOf(path);
  const text = readLines(path);
  return text.guard(() => {
    const table = new CsvTable(text.lines(), file);
    const time = table.column('t_true_s');
    const error = table.column('free_running_error_s');
    const order = new Chronology(0, 'a true time');
    const t: number[] = [];
    const errors: number[] = [];
    for (const row of table.rows()) {
      const at = row.number(time);
      order.follow(at, row.place);
      t.push(at);
      errors.push(row.number(error));
    }
    if (t.length === 0) throw new InputError(file, 'holds no truth: there is no row after the header');
    const wall = Float64Array.from(errors);
    return { t: Float64Array.from(t), wall, counter: wall };
  });
}

/** What a peer recording's scenario.json asks not to be scored, seconds; undefined without one. */
function warmupBeside(folder: string): number | undefined {
  const path = join(folder, 'scenario.json');
  if (!existsSync(path)) return undefined;
  let described: unknown;
  try {
    described = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new InputError(pathFromHere(path), `is not JSON: ${reasonOf(error)}`, 'or give --warmup');
  }
  const at = (value: unknown, key: string): unknown =>
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  const given =
    at(at(described, 'parameters'), 'warmup_alt') ?? at(described, 'warmup_alt') ?? at(described, 'warmup_s');
  return typeof given === 'number' && Number.isFinite(given) && given >= 0 ? given : undefined;
}
