import { stringify } from 'yaml';
import type { RunSummary } from '../core/contracts/index.js';
import { InputError } from '../core/errors.js';
import { chaosSeeds, drawTimeline, shrinkTimeline, timelineEntries, withTimeline } from '../core/experiment/chaos.js';
import { showMetric } from '../core/experiment/expectations.js';
import type { LoadedScenario } from '../core/experiment/load-scenario.js';
import { runScenario } from '../core/experiment/run.js';
import type { FaultChoice } from '../core/experiment/scenario.js';
import { loadAllPlugins } from '../plugins/index.js';
import { openScenario } from './scenario-files.js';

export interface ChaosOptions {
  readonly seed?: string;
  readonly chaos: string | true;
  readonly shrink?: boolean;
  readonly json?: boolean;
  readonly report?: boolean;
  readonly out?: string;
  readonly plugin?: readonly string[];
}

const RUNS = 20;

interface Broken {
  readonly scenario: string;
  readonly seed: string;
  readonly broken: readonly string[];
  readonly timeline: readonly Record<string, unknown>[];
  readonly shrunk?: readonly Record<string, unknown>[];
}

/**
 * `escapement run --chaos [RUNS]`: every scenario with random faults, RUNS times. Reports the seed and the timeline of
 * each run whose expectations break (or that a plugin ended), and then exits with 1.
 */
export async function chaos(files: readonly string[], options: ChaosOptions): Promise<void> {
  const runs = options.chaos === true ? RUNS : Number(options.chaos);
  if (!Number.isInteger(runs) || runs < 1) {
    throw new InputError('--chaos', `expected a number of runs, found '${String(options.chaos)}'`);
  }
  for (const one of ['report', 'out'] as const) {
    if (options[one]) throw new InputError(`--${one}`, 'is for one run: --chaos makes many and keeps none');
  }
  const loaded: LoadedScenario[] = [];
  for (const file of files) loaded.push(await openScenario(file, options.plugin));
  // What can be drawn must not depend on what a scenario names.
  await loadAllPlugins();
  const found: Broken[] = [];
  let done = 0;
  for (const { scenario, file } of loaded) {
    if (scenario.world.kind !== 'simulated') throw new InputError(file, '--chaos needs a simulated world');
    if (scenario.expectations.length === 0) throw new InputError(file, '--chaos needs expectations that can break');
    for (const seed of chaosSeeds(options.seed ?? scenario.seed, runs)) {
      const judge = (timeline: readonly FaultChoice[]): Promise<readonly string[]> =>
        brokenBy({ scenario: withTimeline(scenario, seed, timeline), file });
      const timeline = drawTimeline(scenario, seed);
      const broken = await judge(timeline);
      done += 1;
      if (broken.length === 0) continue;
      const shrunk = options.shrink
        ? await shrinkTimeline(timeline, async smaller => (await judge(smaller)).length > 0)
        : undefined;
      const report: Broken = {
        scenario: scenario.name,
        seed,
        broken,
        timeline: timelineEntries(timeline),
        ...(shrunk && { shrunk: timelineEntries(shrunk) }),
      };
      found.push(report);
      if (!options.json) process.stdout.write(`${render(report)}\n`);
    }
  }
  if (options.json) process.stdout.write(`${JSON.stringify({ runs: done, broken: found }, null, 2)}\n`);
  else process.stdout.write(`${done} chaotic runs, ${found.length} with broken expectations\n`);
  if (found.length > 0) process.exitCode = 1;
}

/** What is broken in a run, for people; a plugin that ends it breaks everything. */
async function brokenBy(loaded: Pick<LoadedScenario, 'scenario' | 'file'>): Promise<readonly string[]> {
  let summary: RunSummary;
  try {
    summary = await runScenario(loaded);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return [error.message];
  }
  return summary.expectations
    .filter(({ holds }) => !holds)
    .map(({ pipeline, metric, limit, found }) => `${pipeline} ${metric} ${limit}: found ${showMetric(metric, found)}`);
}

function render({ scenario, seed, broken, timeline, shrunk }: Broken): string {
  const indented = (entries: readonly Record<string, unknown>[]): string =>
    entries.length === 0
      ? '    none: it breaks without any fault'
      : entries
          .map(entry => `    - ${stringify(entry, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd()}`)
          .join('\n');
  return [
    `${scenario}, seed ${seed}: BROKEN`,
    ...broken.map(line => `  ${line}`),
    '  faults:',
    indented(timeline),
    ...(shrunk === undefined ? [] : ['  as few and as short as still break it:', indented(shrunk)]),
    `  again: escapement run … --seed ${seed} --chaos 1`,
    '',
  ].join('\n');
}
