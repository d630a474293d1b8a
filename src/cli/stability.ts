import Table from 'cli-table3';
import { parse } from 'csv-parse/sync';
import { InputError, unknownName } from '../core/errors.js';
import {
  ESTIMATORS,
  type Estimator,
  phaseFromFrequency,
  type Spacing,
  type StabilityRow,
  stability as stabilityOf,
} from '../core/metrics/stability/index.js';
import { formatTime } from '../core/quantity.js';
import type { POWER_LAWS } from '../core/world/power-law.js';
import { readText } from './scenario-files.js';

export interface StabilityCommandOptions {
  readonly phase?: boolean;
  readonly frequency?: boolean;
  /** Samples per second. */
  readonly rate?: string;
  /** Name of a column, or its number from 1. */
  readonly column?: string;
  readonly scale?: string;
  readonly estimators?: string;
  readonly factors?: string;
  readonly level?: string;
  readonly json?: boolean;
}

const SPACINGS = ['octave', 'decade', 'all'] as const;

/** `escapement stability FILE`: deviations of people's own data, with confidence intervals. */
export function stability(file: string, options: StabilityCommandOptions): void {
  if ((options.phase ?? false) === (options.frequency ?? false)) {
    throw new InputError(
      'escapement stability',
      `expected one of --phase and --frequency, found ${options.phase ? 'both' : 'neither'}`,
      'does the file hold time errors in seconds, or fractional frequencies?',
    );
  }
  const tau0 = 1 / positive('--rate', options.rate ?? '1', 'a number of samples per second');
  const scale = options.scale === undefined ? 1 : numberOf('--scale', options.scale, 'a number');
  const level = options.level === undefined ? undefined : numberOf('--level', options.level, 'a probability');
  if (level !== undefined && !(level > 0 && level < 1)) {
    throw new InputError('--level', `expected a probability between 0 and 1, found ${options.level}`);
  }
  const estimators = options.estimators === undefined ? undefined : estimatorsOf(options.estimators);
  const factors = options.factors === undefined ? undefined : factorsOf(options.factors);
  const values = readColumn(readText(file), file, options.column).map(value => value * scale);
  const fewest = options.phase ? 3 : 2;
  if (values.length < fewest) throw new InputError(file, `expected at least ${fewest} values, found ${values.length}`);
  const phase = options.phase ? values : phaseFromFrequency(values, tau0);
  let rows: readonly StabilityRow[];
  try {
    rows = (estimators ?? ESTIMATORS.filter(estimator => fits(estimator, phase.length))).flatMap(estimator =>
      stabilityOf(phase, tau0, {
        estimators: [estimator],
        ...(factors && { factors }),
        ...(level !== undefined && { level }),
      }),
    );
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InputError(file, error.message.replace(/^stability\.[^:]*: /, ''));
  }
  process.stdout.write(options.json ? `${JSON.stringify(rows.map(jsonRow), null, 2)}\n` : tableOf(rows));
}

/** Where no estimator is asked for, those are shown that have a term at all: HDEV and its kin need four samples. */
function fits(estimator: Estimator, samples: number): boolean {
  return samples >= (estimator === 'hdev' || estimator === 'ohdev' ? 4 : 3);
}

function jsonRow({ estimator, m, tau, deviation, n, low, high, alpha, edf }: StabilityRow) {
  return {
    estimator,
    m,
    tau,
    deviation,
    n,
    low: low ?? null,
    high: high ?? null,
    alpha: alpha ?? null,
    edf: edf ?? null,
  };
}

const NOISES: Readonly<Record<(typeof POWER_LAWS)[number], string>> = {
  '2': 'white PM',
  '1': 'flicker PM',
  '0': 'white FM',
  '-1': 'flicker FM',
  '-2': 'random-walk FM',
};

function tableOf(rows: readonly StabilityRow[]): string {
  const table = new Table({
    head: ['estimator', 'm', 'tau', 'deviation', 'low', 'high', 'n', 'noise'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [], compact: true },
  });
  const show = (value: number | undefined): string => (value === undefined ? '–' : value.toExponential(4));
  for (const { estimator, m, tau, deviation, n, low, high, alpha } of rows) {
    const noise = alpha === undefined ? '–' : NOISES[alpha];
    const time = tau >= 1000 ? `${Number(tau.toPrecision(4))} s` : formatTime(tau);
    table.push([estimator, m, time, show(deviation), show(low), show(high), n, noise]);
  }
  return `${table.toString()}\n`;
}

function estimatorsOf(list: string): readonly Estimator[] {
  return list.split(',').map(entry => {
    const name = entry.trim().toLowerCase();
    const found = ESTIMATORS.find(estimator => estimator === name);
    if (found === undefined) throw unknownName('--estimators', 'estimator', entry.trim(), ESTIMATORS);
    return found;
  });
}

function factorsOf(text: string): Spacing {
  const spacing = SPACINGS.find(one => one === text.trim());
  if (spacing !== undefined) return spacing;
  return text.split(',').map(entry => {
    const m = Number(entry);
    if (entry.trim() === '' || !Number.isInteger(m) || m < 1) {
      throw new InputError('--factors', `expected ${SPACINGS.join(', ')} or integers from 1, found '${entry.trim()}'`);
    }
    return m;
  });
}

function positive(place: string, text: string, what: string): number {
  const value = numberOf(place, text, what);
  if (!(value > 0)) throw new InputError(place, `expected more than 0, found ${text}`);
  return value;
}

function numberOf(place: string, text: string, what: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InputError(place, `expected ${what}, found '${text}'`);
  return value;
}

interface Line {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

/**
 * One column of a CSV file (or of a file with one number a line) as numbers. Lines that begin with # are comments; a
 * first row that holds no number is a heading; cells are divided by commas, semicolons, tabs or spaces.
 */
export function readColumn(text: string, file: string, column: string | undefined): Float64Array {
  const body = text.replace(/^\uFEFF/, '');
  const first = body.split(/\r?\n/).find(line => line.trim() !== '' && !line.startsWith('#')) ?? '';
  const delimiter = [',', ';', '\t'].find(mark => first.includes(mark)) ?? ' ';
  let lines: readonly Line[];
  try {
    lines = parse(body, {
      delimiter,
      comment: '#',
      comment_no_infix: true,
      trim: true,
      ltrim: true,
      skip_empty_lines: true,
      relax_column_count: true,
      info: true,
    }) as unknown as readonly Line[];
  } catch (error) {
    throw new InputError(file, `is not CSV: ${error instanceof Error ? error.message : String(error)}`);
  }
  const cellsOf = ({ record }: Line): readonly string[] =>
    delimiter === ' ' ? record.filter(cell => cell !== '') : record;
  if (lines.length === 0) throw new InputError(file, 'expected a column of numbers, found nothing');
  const heading = cellsOf(lines[0]!);
  const headed = heading.every(cell => cell === '' || !Number.isFinite(Number(cell)));
  const index = columnIndex(heading, headed, column, file);
  const data = headed ? lines.slice(1) : lines;
  if (data.length === 0) throw new InputError(file, 'expected numbers under the heading, found nothing');
  return Float64Array.from(data, line => {
    const cell = cellsOf(line)[index];
    const value = Number(cell);
    if (cell === undefined || cell === '' || !Number.isFinite(value)) {
      const found = cell === undefined || cell === '' ? 'nothing' : `'${cell}'`;
      throw new InputError(`${file}:${line.info.lines}`, `expected a number in column ${index + 1}, found ${found}`);
    }
    return value;
  });
}

function columnIndex(heading: readonly string[], headed: boolean, column: string | undefined, file: string): number {
  const list = headed ? heading.join(', ') : `1 to ${heading.length}`;
  if (column === undefined) {
    if (heading.length === 1) return 0;
    throw new InputError(file, `has ${heading.length} columns: name one with --column`, `columns: ${list}`);
  }
  if (headed && heading.includes(column)) return heading.indexOf(column);
  const number = Number(column);
  if (Number.isInteger(number) && number >= 1 && number <= heading.length) return number - 1;
  throw headed
    ? unknownName(`--column`, 'column', column, heading)
    : new InputError('--column', `expected a number from 1 to ${heading.length}, found '${column}'`);
}
