import { dirname, join, resolve } from 'node:path';
import type { RecordedTruth, Recording, RunSummary, Sink } from '../core/contracts/index.js';
import { InputError } from '../core/errors.js';
import type { KeptState } from '../core/experiment/keeping.js';
import type { LoadedScenario } from '../core/experiment/load-scenario.js';
import { type RunHandle, runScenario } from '../core/experiment/run.js';
import { PHASE } from '../core/pipeline/phases.js';
import type { PluginChoice } from '../core/plugin/registry.js';
import { makeSink } from './make-sink.js';
import { OutputDirectory } from './output-directory.js';
import { openRecording } from './recordings.js';
import { openScenario } from './scenario-files.js';

export interface RunOptions {
  readonly seed?: string;
  readonly out?: string;
  readonly json?: boolean;
  readonly report?: boolean;
  readonly shrink?: boolean;
  readonly plugin?: readonly string[];
}

/** Where `--report` keeps a run's files unless told otherwise. */
const RUNS = 'runs';

/** `escapement run`: exit code 1 where an expectation is broken. */
export async function run(files: readonly string[], options: RunOptions): Promise<void> {
  if (options.shrink) throw new InputError('--shrink', 'reduces a timeline of --chaos: expected --chaos with it');
  const loaded: LoadedScenario[] = [];
  for (const file of files) loaded.push(await openScenario(file, options.plugin));
  // A report needs a folder: where none is named, each run gets one of its scenario's name.
  const out = options.out ?? (options.report ? RUNS : undefined);
  const several = files.length > 1 || options.out === undefined;
  if (out !== undefined && several) {
    for (const [index, { scenario, file }] of loaded.entries()) {
      const other = loaded.findIndex(one => one.scenario.name === scenario.name);
      if (other === index) continue;
      throw new InputError(
        file,
        `is named '${scenario.name}' as ${files[other]} is: both would be kept in ${join(out, scenario.name)}`,
      );
    }
  }
  const summaries: RunSummary[] = [];
  const folders: string[] = [];
  for (const one of loaded) {
    const seeded = options.seed === undefined ? one : { ...one, scenario: { ...one.scenario, seed: options.seed } };
    const summary = await execute(seeded, { ...options, ...(out !== undefined && { out }), several });
    summaries.push(summary);
    if (out !== undefined) folders.push(several ? join(out, summary.scenario) : out);
    if (summary.interrupted) break;
  }
  if (options.report) {
    const { writePage } = await import('./report.js');
    const file = writePage(folders, folders.length > 1 ? join(options.out ?? RUNS, 'report.html') : undefined);
    if (!options.json) process.stdout.write(`Report: ${file}\n`);
  }
  if (options.json) process.stdout.write(`${JSON.stringify(files.length === 1 ? summaries[0] : summaries, null, 2)}\n`);
  if (summaries.some(summary => summary.expectations.some(({ holds }) => !holds))) process.exitCode = 1;
  if (summaries.some(summary => summary.interrupted)) process.exitCode = 130;
}

export interface ExecuteOptions {
  readonly out?: string;
  readonly json?: boolean;
  /** The samples that are kept are for a report: as many as are scored. */
  readonly report?: boolean;
  readonly plugin?: readonly string[];
  /** Several runs share `out`: each gets a folder of its own in it. */
  readonly several?: boolean;
  readonly extraSinks?: readonly Sink[];
  /** No view of what happens, and no table at the end. */
  readonly quiet?: boolean | undefined;
  /** Ends the run; left out, Ctrl-C and SIGTERM do. */
  readonly signal?: AbortSignal;
  readonly kept?: KeptState | undefined;
  readonly underWay?: (handle: RunHandle) => void;
  /** What a replayed world plays, where it has been read already. */
  readonly recording?: { readonly recording: Recording; readonly truth?: RecordedTruth };
}

/** Rows of samples that a run with a report may leave in its folder: some 300 MB. */
const MOST_SAMPLES = 2e6;

/** The scoring grid's, or, in a run so long that its folder would overflow, the shortest multiple that is left. */
function reportInterval({ duration, sampling, pipelines }: LoadedScenario['scenario']): number | undefined {
  if (duration === undefined) return undefined;
  const scored = (duration / sampling.interval) * (pipelines.length + 1);
  return sampling.interval * Math.max(1, Math.ceil(scored / MOST_SAMPLES));
}

/** A replayed world's paths are relative to its scenario file: the resolved scenario that is kept stands elsewhere. */
function withAbsolutePaths({ scenario, file }: LoadedScenario): LoadedScenario['scenario'] {
  const { world } = scenario;
  if (world.kind !== 'replayed') return scenario;
  const from = dirname(file);
  const { trace, truth, ...rest } = world;
  const paths = { trace: resolve(from, trace), ...(truth !== undefined && { truth: resolve(from, truth) }) };
  return { ...scenario, world: { ...rest, ...paths } };
}

/** Whether a protocol is spoken on standard input and output, so that nothing else may be written there. */
export function speaksOnStdio(sinks: readonly PluginChoice[]): boolean {
  return sinks.some(sink => sink.use === 'mcp' && sink['transport'] === 'stdio');
}

/** A scenario's sink without what it prints for people: none, where it does nothing else. */
function silenced(sink: PluginChoice, hasFolder: boolean): readonly PluginChoice[] {
  if (sink.use === 'table' || (sink.use === 'log' && sink['to'] !== 'stderr')) return [];
  if (sink.use !== 'validation-csv') return [sink];
  return hasFolder ? [{ ...sink, print: false }] : [];
}

/** Runs one scenario with the sinks of the command line; Ctrl-C ends it early and leaves readable files. */
export async function execute(loaded: LoadedScenario, options: ExecuteOptions): Promise<RunSummary> {
  const { file } = loaded;
  const scenario = withAbsolutePaths(loaded);
  const { world } = scenario;
  const recording =
    world.kind === 'replayed' ? (options.recording ?? (await openRecording(world, file, options.plugin))) : undefined;
  const output =
    options.out === undefined
      ? undefined
      : OutputDirectory.create(options.out, options.several ? scenario.name : undefined, [
          ...scenario.pipelines.map(({ name }) => name),
          // Another program's answers in a recording are scored, too.
          ...Object.keys(recording?.recording.answers ?? {}),
        ]);
  output?.begin(scenario, options.plugin ?? []);
  const sinks: Sink[] = [...(options.extraSinks ?? [])];
  const chosen = new Set(scenario.sinks.map(({ use }) => use));
  if (output !== undefined) {
    sinks.push({
      start: ({ clock }) => {
        if (clock !== undefined) output.add({ clock });
      },
      event: ({ t, part, what }) => {
        if (what.startsWith(PHASE)) output.phase(part, what.slice(PHASE.length), t);
      },
    });
    const interval = options.report ? reportInterval(scenario) : undefined;
    if (!chosen.has('csv')) sinks.push(makeSink('csv', output.path, interval === undefined ? {} : { interval }));
    if (!chosen.has('summary-json')) sinks.push(makeSink('summary-json', output.path));
  }
  const spoken = speaksOnStdio(scenario.sinks);
  const silent = options.json || spoken;
  if (!silent && !options.quiet) {
    // Whoever watches real time wants to see it pass.
    const view = scenario.world.kind === 'real' ? 'log' : 'progress';
    const watched = view === 'log' && chosen.has('validation-csv');
    for (const use of [view, 'table'])
      if (!chosen.has(use) && !(use === view && watched)) sinks.push(makeSink(use, undefined));
  }
  // Where standard output is one JSON document, or a protocol's, what a scenario would write there for people is left out.
  const quiet = { ...scenario, sinks: scenario.sinks.flatMap(sink => silenced(sink, output !== undefined)) };

  const abort = new AbortController();
  const interrupt = (): void => abort.abort();
  if (options.signal === undefined) {
    process.once('SIGINT', interrupt);
    process.once('SIGTERM', interrupt);
  }
  if (spoken) process.stdin.once('end', interrupt);
  try {
    const summary = await runScenario({
      scenario: silent ? quiet : scenario,
      file,
      ...recording,
      sinks,
      ...(output && { outputFolder: output.path }),
      signal: options.signal === undefined ? abort.signal : AbortSignal.any([options.signal, abort.signal]),
      kept: options.kept,
      ...(options.underWay && { underWay: options.underWay }),
      behaviour: true,
    });
    output?.end(summary.interrupted ? 'interrupted' : 'finished');
    if (output !== undefined && !silent) process.stdout.write(`Files: ${output.shown}\n`);
    return summary;
  } catch (error) {
    output?.end('failed');
    throw error;
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}
