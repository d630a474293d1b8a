import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, vi } from 'vitest';
import { type ReplayOptions, replay } from '../../src/cli/replay.js';
import { execute } from '../../src/cli/run.js';
import { parseScenario } from '../../src/cli/scenario-files.js';
import type { RunSummary } from '../../src/core/contracts/index.js';

/** A folder for one test file, removed after its tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'escapement-replay-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function put(folder: string, name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** `escapement run --out`. */
export async function runInto(out: string, scenario: string): Promise<RunSummary> {
  return execute(await parseScenario(scenario, 'test.yaml'), { out, json: true });
}

/** What `escapement replay` prints. */
export async function replayPrinting(trace: string, options: ReplayOptions = {}): Promise<string> {
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    written.push(String(text));
    return true;
  });
  try {
    await replay(trace, options);
  } finally {
    spy.mockRestore();
  }
  return written.join('');
}

/** `escapement replay --json`, read. */
export async function replayed(trace: string, options: ReplayOptions = {}): Promise<RunSummary> {
  return JSON.parse(await replayPrinting(trace, { ...options, json: true }));
}

/** The files of a run's folder whose names begin so, as text. */
export function filesOf(folder: string, prefix: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    readdirSync(folder)
      .filter(name => name.startsWith(prefix))
      .sort()
      .map(name => [name, readFileSync(join(folder, name), 'utf8')]),
  );
}

/** The same files with the same lines; `seen` is what of a file's text counts. Names the first line that differs. */
export function expectSame(
  found: Readonly<Record<string, string>>,
  expected: Readonly<Record<string, string>>,
  seen: (text: string) => string = text => text,
): void {
  expect(Object.keys(found)).toEqual(Object.keys(expected));
  expect(Object.keys(expected).length).toBeGreaterThan(0);
  for (const [name, text] of Object.entries(expected)) {
    const [lines, wanted] = [seen(found[name]!), seen(text)].map(all => all.split('\n')) as [string[], string[]];
    const differs = wanted.findIndex((line, i) => line !== lines[i]);
    if (differs >= 0)
      expect(`${name}:${differs + 1} ${lines[differs]}`).toBe(`${name}:${differs + 1} ${wanted[differs]}`);
    expect(lines.length).toBe(wanted.length);
  }
}

/** CSV text without its first column. */
export function withoutFirstColumn(text: string): string {
  return text.replace(/^[^,\n]*,/gm, '');
}
