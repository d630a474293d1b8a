import { resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { isOneWay, type RecordedEvent, type RecordedTruth, type Recording } from '../core/contracts/index.js';
import { InputError } from '../core/errors.js';
import type { LoadedScenario } from '../core/experiment/load-scenario.js';
import { formatDuration, parseQuantity } from '../core/quantity.js';
import { namedPipelines } from './pipelines.js';
import { openTrace, type Trace } from './recordings.js';
import { replayOneWay } from './replay-one-way.js';
import { execute } from './run.js';
import { parseScenario, readText } from './scenario-files.js';

/** Where nothing says what not to score, seconds: at the first measurement every pipeline is still the bare clock. */
const WARM_UP = 180;

export interface ReplayOptions {
  readonly truth?: string;
  readonly pipeline?: readonly string[];
  readonly format?: string;
  readonly warmup?: string;
  readonly seed?: string;
  readonly out?: string;
  readonly json?: boolean;
  readonly plugin?: readonly string[];
}

/** `escapement replay TRACE`: what pipelines would have made of a recording. */
export async function replay(trace: string, options: ReplayOptions): Promise<void> {
  const opened = await openTrace({ trace, truth: options.truth, format: options.format }, options.plugin);
  const { recording } = opened;
  if (isOneWay(recording)) {
    for (const unfit of ['pipeline', 'truth', 'warmup', 'out'] as const) {
      if (options[unfit] === undefined) continue;
      throw new InputError(`--${unfit}`, `${opened.file} holds one-way packets, which no pipeline can take`);
    }
    replayOneWay(recording, opened, options.json ?? false);
    return;
  }
  const { loaded, ...given } = await scenarioOf(opened, recording, trace, options);
  const summary = await execute(loaded, { ...options, recording: given });
  if (options.json) process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
  if (summary.interrupted) process.exitCode = 130;
}

export interface Replayed {
  readonly loaded: LoadedScenario;
  readonly recording: Recording;
  readonly truth?: RecordedTruth;
}

/** The scenario that plays a recording to pipelines. */
export async function scenarioOf(
  opened: Trace,
  recording: Recording,
  trace: string,
  options: ReplayOptions,
): Promise<Replayed> {
  const groups = [...new Set(recording.events.map(({ group }) => group))];
  const pipelines = await pipelinesFor(opened, groups, options);
  const earlier = opened.scenarioFile === undefined ? {} : settingsOf(opened.scenarioFile);
  const text = stringify({
    ...earlier,
    name: earlier.name ?? nameOf(trace),
    description: describe(opened),
    ...(options.seed !== undefined && { seed: options.seed }),
    warmup:
      warmupFor(options.warmup, recording.events) ??
      earlier.warmup ??
      opened.warmup ??
      Math.min(WARM_UP, lengthOf(recording.events) / 10),
    world: {
      kind: 'replayed',
      trace: resolve(opened.file),
      ...(opened.truthFile !== undefined && { truth: resolve(opened.truthFile) }),
      format: opened.format,
    },
    sources: Object.fromEntries(groups.map(group => [group, 'replay'])),
    pipelines,
  });
  const loaded = await parseScenario(text, opened.file, options.plugin);
  return { loaded, recording, ...(opened.truth && { truth: opened.truth }) };
}

/** The pipelines that were asked for; a run's own where its folder is replayed; otherwise the default comparison. */
async function pipelinesFor(
  { scenarioFile }: Trace,
  groups: readonly string[],
  { pipeline, plugin }: ReplayOptions,
): Promise<unknown[]> {
  const names = pipeline ?? (scenarioFile === undefined ? undefined : [scenarioFile]);
  const entries = await namedPipelines(names, plugin);
  for (const entry of entries as { readonly name: string; readonly source?: string | readonly string[] }[]) {
    for (const source of entry.source === undefined ? [] : [entry.source].flat()) {
      if (groups.includes(source)) continue;
      const hint = `the recording has ${groups.map(group => `'${group}'`).join(', ')}`;
      throw new InputError(`--pipeline ${entry.name}`, `listens to a source '${source}' that was not recorded`, hint);
    }
  }
  return entries;
}

/** What of the scenario of a run holds for its replay too. */
function settingsOf(scenarioFile: string): Record<string, unknown> {
  const scenario: unknown = parse(readText(scenarioFile));
  if (typeof scenario !== 'object' || scenario === null) return {};
  const kept = ['name', 'seed', 'warmup', 'level', 'sampling'];
  return Object.fromEntries(Object.entries(scenario).filter(([key]) => kept.includes(key)));
}

function describe({ file, format, truthFile, recording }: Trace): string {
  if (isOneWay(recording)) return '';
  const servers = [...new Set(recording.events.map(sourceOf))];
  const shown =
    servers.length > 6 ? `${servers.slice(0, 6).join(', ')} and ${servers.length - 6} more` : servers.join(', ');
  const sentences = [
    `${file}, read as ${format}.`,
    `${servers.length === 1 ? 'Server' : `${servers.length} servers`}: ${shown}.`,
    ...(truthFile === undefined ? [] : [`Truth from ${truthFile}.`]),
    ...recording.notes,
  ];
  return sentences.join(' ');
}

function sourceOf({ event }: RecordedEvent): string {
  return event.type === 'exchange' ? event.exchange.source : event.failure.source;
}

/** `--warmup`, seconds; refused where it leaves nothing to score. */
function warmupFor(text: string | undefined, events: readonly RecordedEvent[]): number | undefined {
  if (text === undefined) return undefined;
  const warmup = parseQuantity(text, 'time');
  if (typeof warmup === 'string') throw new InputError('--warmup', warmup);
  if (warmup < 0) throw new InputError('--warmup', `expected 0 or more, found ${text}`);
  const length = lengthOf(events);
  if (warmup > 0 && warmup >= length) {
    throw new InputError('--warmup', `expected less than the recording's ${formatDuration(length)}, found ${text}`);
  }
  return warmup;
}

/** Seconds on the counter from the first event to the last. */
function lengthOf(events: readonly RecordedEvent[]): number {
  const [first, last] = [events[0], events.at(-1)];
  return first === undefined || last === undefined ? 0 : Math.max(0, settled(last) - settled(first));
}

function settled({ event }: RecordedEvent): number {
  return event.type === 'exchange' ? event.exchange.arrived.counter : event.failure.settled.counter;
}

/** A scenario's name from a path: without folders and the ends that say how it is stored. */
function nameOf(trace: string): string {
  const base = resolve(trace).split(/[/\\]/).at(-1) ?? '';
  const bare = base.replace(/\.gz$/, '').replace(/\.(csv|log|txt|ya?ml)$/, '');
  return bare.replace(/[^\w.-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '') || 'replay';
}
