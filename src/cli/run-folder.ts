import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parse } from 'yaml';
import type { RunSummary } from '../core/contracts/index.js';
import { InputError } from '../core/errors.js';
import { BARE_CLOCK } from '../core/experiment/load-scenario.js';
import { CsvTable } from '../core/recording/csv-table.js';
import { numberColumns } from '../core/recording/number-columns.js';
import { courseOf, known, linearBelow, type RawCourse } from '../report/course.js';
import type { FaultSpan, ReportRun, RunEvent } from '../report/data.js';
import { readText, reasonOf } from './scenario-files.js';

/** A run's folder, as a report needs it. */
export interface RunFolder extends ReportRun {
  readonly manifest: Readonly<Record<string, unknown>>;
  /** The resolved scenario (YAML). */
  readonly scenario: string;
}

/** Of the events, which are listed one by one, the first so many are kept. */
const LISTED = 2000;

/** The summary of a finished run. Throws an `InputError` for a folder that holds none. */
export function summaryIn(folder: string): RunSummary {
  if (!existsSync(folder)) throw new InputError(folder, 'no such folder');
  const path = join(folder, 'summary.json');
  if (!existsSync(join(folder, 'manifest.json'))) {
    throw new InputError(
      folder,
      "expected a run's folder, found none of its files",
      'escapement run SCENARIO --out DIR',
    );
  }
  if (!existsSync(path)) throw new InputError(folder, 'the run has no summary.json: was it killed?');
  const summary = jsonIn(path) as Partial<RunSummary> | null;
  const [first] = Array.isArray(summary?.pipelines) ? summary.pipelines : [];
  if (first?.reference === undefined || first.bounds === undefined) {
    throw new InputError(path, 'expected the summary of a run, found something else');
  }
  return summary as RunSummary;
}

/** Reads a run's folder. Its figures are the summary's; the samples are for the pictures. */
export function readRun(folder: string): RunFolder {
  const summary = summaryIn(folder);
  const scenario = readText(join(folder, 'scenario.yaml'));
  const reference = summary.pipelines[0]!.reference;
  const events = eventsIn(folder);
  const faults = faultsIn(events);
  // Where the counting begins, in the run's own time.
  const from = summary.pipelines[0]!.behaviour?.course?.from ?? summary.warmup;
  const raws = summary.pipelines.flatMap(({ name }): RawCourse[] => {
    const file = join(folder, `${reference === 'truth' ? 'samples' : 'scored'}-${name}.csv`);
    // A recording's own answers and disciplined wall clocks have no samples.
    return existsSync(file) ? [known(rawCourse(name, file))] : [];
  });
  const interval = reference === 'truth' ? intervalOf(raws) : undefined;
  const sizes = summary.pipelines.flatMap(({ name, error }) => (name === BARE_CLOCK ? [] : (error?.p50 ?? [])));
  const linear = linearBelow(sizes.length > 0 ? sizes : [summary.pipelines[0]!.error?.p50 ?? 0]);
  const edges = faults.flatMap(({ from, to }) => (to === undefined ? [from] : [from, to]));
  return {
    name: basename(resolve(folder)),
    summary,
    description: descriptionIn(scenario, join(folder, 'scenario.yaml')),
    epoch: epochOf(folder),
    interval,
    linear,
    courses: raws.map(raw =>
      courseOf(raw, {
        from,
        linear,
        interval,
        edges,
        worst: summary.pipelines.find(({ name }) => name === raw.name)?.behaviour?.worst ?? undefined,
      }),
    ),
    faults,
    events: events.filter(({ part }) => part.includes('/')).slice(0, LISTED),
    manifest: jsonIn(join(folder, 'manifest.json')) as Record<string, unknown>,
    scenario,
  };
}

function jsonIn(file: string): unknown {
  try {
    return JSON.parse(readText(file));
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(file, 'is not JSON');
  }
}

function rawCourse(name: string, file: string): RawCourse {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new InputError(file, `cannot be read: ${reasonOf(error)}`);
  }
  const columns = ['t_s', 'error_s', 'uncertainty_s', 'max_error_s'];
  const [t, error, uncertainty, maxError] = numberColumns(bytes, columns, file);
  return { name, t: t!, error: error!, uncertainty: uncertainty!, maxError: maxError! };
}

/** What lies between most samples. */
function intervalOf(raws: readonly RawCourse[]): number | undefined {
  const t = raws.find(raw => raw.t.length > 1)?.t;
  if (t === undefined) return undefined;
  const gaps = t.subarray(1, 1000).map((at, i) => at - t[i]!);
  return Number(gaps.sort()[gaps.length >> 1]!.toPrecision(9));
}

/** The first line of measurements.csv says when the run's time began. */
function epochOf(folder: string): number {
  const file = join(folder, 'measurements.csv');
  if (!existsSync(file)) return 0;
  const head = Buffer.alloc(200);
  const descriptor = openSync(file, 'r');
  readSync(descriptor, head);
  closeSync(descriptor);
  return Number(/epoch (-?[\d.e+]+)/.exec(head.toString())?.[1] ?? 0);
}

function descriptionIn(text: string, file: string): string {
  let scenario: unknown;
  try {
    scenario = parse(text);
  } catch {
    throw new InputError(file, 'is not YAML');
  }
  const { description } = (scenario ?? {}) as { readonly description?: unknown };
  return typeof description === 'string' ? description.trim() : '';
}

function eventsIn(folder: string): readonly RunEvent[] {
  const file = join(folder, 'events.csv');
  if (!existsSync(file)) return [];
  const table = new CsvTable(readText(file).split('\n'), file);
  const [t, part, what] = ['t_s', 'part', 'what'].map(name => table.column(name));
  return [...table.rows()].map(row => ({ t: row.number(t!), part: row.text(part!), what: row.text(what!) }));
}

/** Faults report without a path; of several of one kind at once the first to begin is taken to end first. */
function faultsIn(events: readonly RunEvent[]): readonly FaultSpan[] {
  const spans: { what: string; from: number; to: number | undefined }[] = [];
  for (const { t, part, what } of events) {
    if (what === 'begins') spans.push({ what: part, from: t, to: undefined });
    else if (what === 'ends') {
      const open = spans.find(span => span.what === part && span.to === undefined);
      if (open !== undefined) open.to = t;
    }
  }
  return spans;
}
