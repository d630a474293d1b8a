import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { makeSink } from '../../src/cli/make-sink.js';
import { parseScenario } from '../../src/cli/scenario-files.js';
import type { RunSummary, Sink } from '../../src/core/contracts/index.js';
import { type RunInputs, runScenario } from '../../src/core/experiment/run.js';
import { filesIn } from './escapement.js';

/** Runs a scenario's text in this process. */
export async function runText(text: string, more: Partial<RunInputs> = {}): Promise<RunSummary> {
  const { scenario, file } = await parseScenario(text, 'test.yaml');
  return runScenario({ scenario, file, ...more });
}

/** The files that `run --out` writes for a scenario's text (but for those of the command itself). */
export async function outputOf(text: string, below: string): Promise<Readonly<Record<string, string>>> {
  mkdirSync(below, { recursive: true });
  const folder = mkdtempSync(join(below, 'run-'));
  await parseScenario(text, 'test.yaml');
  await runText(text, { outputFolder: folder, sinks: sinksInto(folder) });
  return filesIn(folder);
}

function sinksInto(folder: string): readonly Sink[] {
  return ['csv', 'summary-json'].map(use => makeSink(use, folder));
}
