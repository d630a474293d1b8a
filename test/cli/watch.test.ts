import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { start } from '../support/cli.js';

const quiet = readFileSync(fileURLToPath(new URL('../../scenarios/quiet-lan.yaml', import.meta.url)), 'utf8');
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

test('run --watch runs again when the scenario, or one that it extends, changes; bad input does not end it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'watch-'));
  folders.push(folder);
  const [base, own] = [join(folder, 'base.yaml'), join(folder, 'own.yaml')];
  writeFileSync(base, quiet);
  writeFileSync(own, 'extends: base.yaml\nname: first\nduration: 40 min\n');
  const { child, ended, shows } = start(['run', own, '--watch']);
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString();
  });
  const says = (times: number, pattern: RegExp): Promise<void> =>
    expect.poll(() => stderr.match(pattern)?.length, { timeout: 30_000 }).toBe(times);
  await shows(/first: 40 min simulated/);
  await says(1, /Watching/g);
  writeFileSync(own, 'extends: base.yaml\nname: second\nduration: 40 min\n');
  await shows(/second: 40 min simulated/);
  writeFileSync(own, 'extends: base.yaml\nname: third\nduration: soon\n');
  await says(1, /expected a time/g);
  await says(3, /Watching/g);
  writeFileSync(own, 'extends: base.yaml\nname: fourth\nduration: 40 min\n');
  await shows(/fourth: 40 min simulated/);
  writeFileSync(base, quiet.replace(/^seed: .*$/m, 'seed: 4711'));
  await shows(/fourth: 40 min simulated, seed 4711/);
  child.kill('SIGINT');
  expect((await ended).signal).toBeNull();
});

test('run --watch runs again when a plugin file changes, and reads it anew', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'watch-'));
  folders.push(folder);
  const [scenario, module] = [join(folder, 'own.yaml'), join(folder, 'half.ts')];
  const source = (bias: number): string => `
import { type Corrector, type Estimate, firstEstimate, type History, type Measurement, plugin } from 'escapement';
import { z } from 'zod';
@plugin({ kind: 'corrector', name: 'biased', summary: 'As measured, and more', options: z.strictObject({}) })
export class Biased implements Corrector {
  correct(_: Estimate | undefined, measurement: Measurement, { axis }: History): Estimate {
    const measured = firstEstimate(measurement, axis, 30e-6, { whiteFm: 0, randomWalkFm: 0 }, 'biased');
    return { ...measured, offset: measured.offset + ${bias} };
  }
}`;
  writeFileSync(module, source(1));
  const expected = '{ pipeline: own, metric: error.rms, atMost: 5 ms }';
  writeFileSync(
    scenario,
    `extends: base.yaml\nduration: 40 min\nwarmup: 10 min\npipelines: [{ name: own, predictor: last-value, corrector: biased, timekeeper: hold }]\nexpectations: [${expected}]\n`,
  );
  writeFileSync(join(folder, 'base.yaml'), quiet);
  const { child, ended, shows } = start(['run', scenario, '--plugin', module, '--watch']);
  await shows(/BROKEN {2}own error\.rms/);
  writeFileSync(module, source(0));
  await shows(/holds {3}own error\.rms/);
  child.kill('SIGINT');
  expect((await ended).signal).toBeNull();
});
