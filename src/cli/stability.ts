import Table from 'cli-table3';
import { readColumn } from '../core/column.js';
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
  if (scale === 0) throw new InputError('--scale', `expected another number than 0, found '${options.scale}'`);
  const level = options.level === undefined ? undefined : numberOf('--level', options.level, 'a probability');
  if (level !== undefined && !(level > 0 && level < 1)) {
    throw new InputError('--level', `expected a probability between 0 and 1, found ${options.level}`);
  }
  const estimators = options.estimators === undefined ? undefined : estimatorsOf(options.estimators);
  const factors = options.factors === undefined ? undefined : factorsOf(options.factors);
  const values = readColumn(readText(file), file, options.column, '--column').map(value => value * scale);
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
