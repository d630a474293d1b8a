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
