import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import Table from 'cli-table3';
import { isOneWay, type RunSummary } from '../core/contracts/index.js';
import { InputError, unknownName } from '../core/errors.js';
import {
  type Compared,
  type Contrast,
  compareSeries,
  type ErrorSeries,
  isBare,
} from '../core/experiment/comparison.js';
import { ErrorSeriesSink } from '../core/experiment/error-series.js';
import { BARE_CLOCK, type LoadedScenario } from '../core/experiment/load-scenario.js';
import { runScenario } from '../core/experiment/run.js';
import { formatTime } from '../core/quantity.js';
import { CsvTable } from '../core/recording/csv-table.js';
import { openRecording, openTrace } from './recordings.js';
import { scenarioOf } from './replay.js';
import { openScenario, readText } from './scenario-files.js';

export interface CompareOptions {
  readonly baseline?: string;
  readonly seeds?: string;
  readonly pipeline?: readonly string[];
  readonly warmup?: string;
  readonly level?: string;
  readonly json?: boolean;
  readonly plugin?: readonly string[];
}

/** What one input gave. */
interface Input {
  readonly name: string;
  readonly reference: 'truth' | 'ntp';
  /** How many runs, and what for people: "8 h simulated, seed 1". */
  readonly what: string;
  readonly series: readonly ErrorSeries[];
}

/** `escapement compare`: pipelines of scenarios, recordings and finished runs, with intervals for what lies between. */
export async function compare(inputs: readonly string[], options: CompareOptions): Promise<void> {
  const level = levelOf(options.level);
  const opened: Input[] = [];
  for (const input of inputs) opened.push(await open(input, options));
  const [first] = opened;
  const other = opened.find(({ reference }) => reference !== first!.reference);
  if (other !== undefined) {
    throw new InputError(
      other.name,
      `is measured against ${referenceName(other.reference)}, ${first!.name} against ${referenceName(first!.reference)}`,
      'errors against different references do not compare',
    );
  }
  const series = opened.flatMap(({ name, series: own }, index) =>
    opened.length === 1 ? own : own.map(one => ({ ...one, pipeline: `${label(opened, index, name)}/${one.pipeline}` })),
  );
  const names = [...new Set(series.map(({ pipeline }) => pipeline))];
  const baseline = options.baseline;
  if (baseline !== undefined && !names.includes(baseline)) {
    throw unknownName('--baseline', 'pipeline', baseline, names);
  }
  const compared = compareSeries(series, baseline, level);
  const reference = first!.reference;
  const inputsOf = opened.map(({ name, what }) => ({ name, what }));
  const result = { inputs: inputsOf, reference, level, baseline: baseline ?? null, pipelines: compared };
  if (options.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else process.stdout.write(`${render(result)}\n`);
}

function levelOf(text: string | undefined): number {
  const level = text === undefined ? 0.95 : Number(text);
  if (!(level > 0 && level < 1))
    throw new InputError('--level', `expected a probability between 0 and 1, found ${text}`);
  return level;
}

function referenceName(reference: 'truth' | 'ntp'): string {
  return reference === 'truth' ? 'true time' : 'NTP measurements';
}

/** Inputs of one name are told apart by their place. */
function label(opened: readonly Input[], index: number, name: string): string {
  return opened.filter(input => input.name === name).length > 1 ? `${name}#${index + 1}` : name;
}

async function open(input: string, options: CompareOptions): Promise<Input> {
  if (isFinishedRun(input)) return finishedRun(input, options);
  if (/\.ya?ml$/i.test(input)) return scenarioRuns(input, options);
  return recording(input, options);
}

function isFinishedRun(path: string): boolean {
  return existsSync(join(path, 'manifest.json')) && existsSync(join(path, 'scenario.yaml'));
}

function seedsOf({ seeds }: CompareOptions): number {
  const count = seeds === undefined ? 1 : Number(seeds);
  if (!Number.isInteger(count) || count < 1) {
    throw new InputError('--seeds', `expected a whole number from 1, found '${seeds}'`);
  }
  return count;
}

async function scenarioRuns(file: string, options: CompareOptions): Promise<Input> {
  refuse(options, ['pipeline', 'warmup'], 'is for recordings: a scenario has its own');
  const loaded = await openScenario(file, options.plugin);
  const { scenario } = loaded;
  const count = seedsOf(options);
  if (scenario.world.kind === 'real') throw new InputError(file, 'plays in the real world: `escapement live` runs it');
  const given = scenario.world.kind === 'replayed' ? await openRecording(scenario.world, file, options.plugin) : {};
  const seeds = count === 1 ? [scenario.seed] : Array.from({ length: count }, (_, k) => nextSeed(scenario.seed, k));
  const runs: Awaited<ReturnType<typeof run>>[] = [];
  for (const seed of seeds) runs.push(await run({ ...loaded, scenario: { ...scenario, seed } }, given, seed));
  const { summary } = runs[0]!;
  const what = `${summary.world}, ${count === 1 ? `seed ${scenario.seed}` : `${count} seeds from ${scenario.seed}`}`;
  return { name: scenario.name, reference: runs[0]!.reference, what, series: runs.flatMap(({ series }) => series) };
}

/** The k-th seed: a number counts on, anything else gets a number. */
function nextSeed(seed: string, k: number): string {
  return /^\d+$/.test(seed) ? String(Number(seed) + k) : k === 0 ? seed : `${seed}-${k + 1}`;
}

async function recording(trace: string, options: CompareOptions): Promise<Input> {
  refuse(options, ['seeds'], 'a recording has one realisation');
  const opened = await openTrace({ trace }, options.plugin);
  if (isOneWay(opened.recording)) {
    throw new InputError(
      opened.file,
      'holds one-way packets, which no pipeline can take',
      `escapement replay ${trace}`,
    );
  }
  const { loaded, ...given } = await scenarioOf(opened, opened.recording, trace, options);
  const { series, reference } = await run(loaded, given, loaded.scenario.seed);
  return { name: loaded.scenario.name, reference, what: `replayed, read as ${opened.format}`, series };
}

async function run(
  { scenario, file }: LoadedScenario,
  given: object,
  seed: string,
): Promise<{
  readonly summary: RunSummary;
  readonly series: readonly ErrorSeries[];
  readonly reference: 'truth' | 'ntp';
}> {
  const sink = new ErrorSeriesSink(scenario.sampling.interval, `${resolve(file)}#${seed}`);
  const summary = await runScenario({ scenario, file, ...given, sinks: [sink] });
  return { summary, series: sink.series, reference: sink.info!.reference };
}

function refuse(options: CompareOptions, keys: readonly (keyof CompareOptions)[], why: string): void {
  for (const key of keys) if (options[key] !== undefined) throw new InputError(`--${key}`, why);
}

/** A run's folder: what its samples (or, against NTP, its scores) hold. */
function finishedRun(folder: string, options: CompareOptions): Input {
  refuse(options, ['pipeline', 'warmup', 'seeds'], `${folder} is a finished run: nothing is run again`);
  const path = join(folder, 'summary.json');
  if (!existsSync(path)) throw new InputError(folder, 'the run has no summary.json: was it killed?');
  const summary = summaryOf(readText(path), path);
  const reference = summary.pipelines[0]!.reference;
  const series = summary.pipelines.flatMap(({ name, corrections }): ErrorSeries[] => {
    const file = join(folder, `${reference === 'truth' ? 'samples' : 'scored'}-${name}.csv`);
    if (!existsSync(file)) {
      // The columns that a recording brought with it, and the bare clock, may have none.
      if (corrections === undefined) return [];
      throw new InputError(file, 'is missing, and with it what the pipeline told', 'run it again');
    }
    const { error, bareError } = errorsIn(file, summary.warmup);
    return [{ pipeline: name, run: resolve(folder), error, bareError, corrections }];
  });
  const scored = series.filter(({ error }) => error.length > 0);
  if (scored.length === 0) throw new InputError(folder, 'the run holds no errors against a reference');
  const what = `finished${summary.interrupted ? ' (interrupted)' : ''} run, ${summary.world}, seed ${summary.seed}`;
  return { name: basename(resolve(folder)), reference, what, series: scored };
}

function summaryOf(text: string, file: string): RunSummary {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new InputError(file, 'is not JSON');
  }
  const { pipelines } = (parsed ?? {}) as Partial<RunSummary>;
  if (!Array.isArray(pipelines) || pipelines[0]?.reference === undefined) {
    throw new InputError(file, 'expected the summary of a run, found something else');
  }
  return parsed as RunSummary;
}

function errorsIn(file: string, warmup: number): { readonly error: number[]; readonly bareError: number[] } {
  const table = new CsvTable(readText(file).split('\n'), file);
  const [t, error, bare] = ['t_s', 'error_s', 'bare_error_s'].map(name => table.column(name));
  const errors: number[] = [];
  const bareErrors: number[] = [];
  for (const row of table.rows()) {
    if (row.number(t!) < warmup || row.text(error!) === '') continue;
    errors.push(row.number(error!));
    bareErrors.push(row.number(bare!));
  }
  return { error: errors, bareError: bareErrors };
}

interface Result {
  readonly inputs: readonly { readonly name: string; readonly what: string }[];
  readonly reference: 'truth' | 'ntp';
  readonly level: number;
  readonly baseline: string | null;
  readonly pipelines: readonly Compared[];
}

function render({ inputs, reference, level, baseline, pipelines }: Result): string {
  const errors = tableOf(['pipeline', 'mean |error|', 'deviation', 'RMS', 'p95', 'p99', 'worst', 'bias']);
  for (const one of pipelines) {
    const times = [one.mae, one.std, one.rms, one.p95, one.p99, one.max].map(time => formatTime(time));
    errors.push([one.name, ...times, formatTime(one.bias, true)]);
  }
  const contrasts = tableOf([
    'pipeline',
    'against',
    'nearer',
    'improvement',
    `${100 * level} %`,
    'mean |error| by',
    `${100 * level} %`,
  ]);
  for (const { name, bare, baseline: chosen } of pipelines) {
    for (const one of [bare, isBare(chosen?.against ?? '') ? null : chosen]) {
      if (one !== null) contrasts.push([name, one.against, ...contrastCells(one)]);
    }
  }
  const samples = new Set(pipelines.map(one => one.samples));
  const lines = [
    '',
    ...inputs.map(({ name, what }) => `${name}: ${what}`),
    '',
    errors.toString(),
    `Error = told − ${referenceName(reference)} (positive: ahead); ${[...samples].join(', ')} samples. Deviation is about the mean.`,
    '',
    contrasts.toString(),
    `Nearer: share of the samples, ties counting half. Improvement: 100 · (1 − MAE / MAE of the other). Intervals: paired`,
    'stationary block bootstrap; none where fewer than 10 independent stretches are left.',
  ];
  const corrected = pipelines.filter(({ corrections }) => corrections !== null);
  if (corrected.length > 0) {
    const table = tableOf(['pipeline', 'corrections that helped', 'by', 'that hurt', 'by', 'not made']);
    for (const { name, corrections } of corrected) {
      const { helped, helpedBy, hurt, hurtBy, declined } = corrections!;
      table.push([name, String(helped), formatTime(helpedBy), String(hurt), formatTime(hurtBy), String(declined)]);
    }
    lines.push('', table.toString(), 'Each against the prediction that it replaced, when the next round closed.');
  }
  if (baseline === null) lines.push('', `Another baseline than ${BARE_CLOCK}: --baseline NAME`);
  return lines.join('\n');
}

function contrastCells({ winRate, improvement, difference, interval }: Contrast): string[] {
  const range = (low: string, high: string): string => `${low} … ${high}`;
  const percent = (value: number): string => `${value > 0 ? '+' : ''}${value.toFixed(1)} %`;
  return [
    winRate === null ? '–' : `${(100 * winRate).toFixed(1)} %`,
    improvement === null ? '–' : percent(improvement),
    interval === undefined ? '–' : range(percent(interval.improvement.low), percent(interval.improvement.high)),
    formatTime(difference, true),
    interval === undefined
      ? '–'
      : range(formatTime(interval.difference.low, true), formatTime(interval.difference.high, true)),
  ];
}

function tableOf(head: readonly string[]): InstanceType<typeof Table> {
  return new Table({
    head: [...head],
    colAligns: head.map((_, index) => (index === 0 || head[index] === 'against' ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
}
