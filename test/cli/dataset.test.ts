import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parquetReadObjects } from 'hyparquet';
import { describe, expect, test } from 'vitest';
import { type CliRun, escapement, start } from '../support/cli.js';

const scratch = mkdtempSync(join(tmpdir(), 'escapement-dataset-'));
const trainer = fileURLToPath(new URL('../../models/train/train.py', import.meta.url));
const draw = (name: string, ...more: string[]) =>
  escapement([
    'dataset',
    '--out',
    join(scratch, name),
    '--clocks',
    '16',
    '--turns',
    '20..40',
    '--windows',
    '6',
    ...more,
  ]);
const bytes = (name: string, file: string): Buffer => readFileSync(join(scratch, name, file));

/** A folder's files by name, with what they hold. */
const held = (name: string) =>
  Object.fromEntries(readdirSync(join(scratch, name)).map(file => [file, bytes(name, file).toString('latin1')]));
/** More than anybody waits for: its part of the folder is there. */
async function endless(name: string, ...more: string[]): Promise<CliRun> {
  const run = start(['dataset', '--out', join(scratch, name), '--clocks', '100000', ...more]);
  const parts = () => (existsSync(join(scratch, name)) ? readdirSync(join(scratch, name)) : []);
  // Until it has begun to write there.
  while (!parts().some(part => part.startsWith('dataset.part-') && readdirSync(join(scratch, name, part)).length > 0)) {
    expect(run.child.exitCode).toBeNull();
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  return run;
}

/** A NumPy file's shape and values. */
function npy(name: string, file: string) {
  const buffer = bytes(name, `${file}.npy`);
  const [, shape] = /'shape': \(([\d, ]+)\)/.exec(buffer.toString('latin1', 0, 128))!;
  const dims = shape!.split(',').filter(Boolean).map(Number);
  const data = buffer.subarray(128);
  const count = dims.reduce((product, n) => product * n, 1);
  expect(data.length % count).toBe(0);
  return { dims, values: new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length)) };
}

describe('escapement dataset', () => {
  test('writes the same bytes for the same seed, others for another, in both formats the same windows', async () => {
    const [first] = await Promise.all([draw('one'), draw('again'), draw('other', '--seed', '2')]);
    await draw('numpy', '--format', 'npy');
    expect(first).toMatchObject({ code: 0, stderr: '' });
    // Six were asked of each clock.
    expect(first!.stdout).toMatch(
      /^\d+ windows of 16 clocks: .*\nThat is [345]\.\d of a clock, not 6: a turn gives one .*\n$/,
    );
    expect(bytes('one', 'windows.parquet')).toEqual(bytes('again', 'windows.parquet'));
    expect(bytes('one', 'windows.parquet')).not.toEqual(bytes('other', 'windows.parquet'));

    const about = JSON.parse(bytes('one', 'dataset.json').toString());
    const { buffer, byteOffset, length } = bytes('one', 'windows.parquet');
    const rows = await parquetReadObjects({
      file: buffer.slice(byteOffset, byteOffset + length) as ArrayBuffer,
    });
    expect(rows.length).toBe(about.windows);
    expect(rows.length).toBeGreaterThan(40);
    // A clock of every family, and one more.
    expect(new Set(rows.map(({ family }) => family)).size).toBe(15);
    expect(about.clocks.length).toBe(16);
    const { dims, values } = npy('numpy', 'samples');
    expect(dims).toEqual([rows.length, 64, 12]);
    const targets = npy('numpy', 'targets');
    expect(targets.dims).toEqual([rows.length, 6]);
    rows.forEach((row, i) => {
      expect(row['samples']).toEqual([...values.subarray(i * 64 * 12, (i + 1) * 64 * 12)]);
      expect(row['targets']).toEqual([...targets.values.subarray(i * 6, (i + 1) * 6)]);
      for (const value of [...row['samples'], ...row['globals'], ...row['targets'], ...row['scales'], row['at']]) {
        expect(Number.isFinite(value)).toBe(true);
      }
    });
  });

  test('leaves a clock’s draws alone where there are more clocks or fewer families', async () => {
    await draw('few', '--families', 'jumps', '--clocks', '2', '--format', 'npy');
    await draw('more', '--families', 'jumps', '--clocks', '3', '--format', 'npy');
    const few = npy('few', 'targets').values;
    expect(npy('more', 'targets').values.subarray(0, few.length)).toEqual(few);
  });

  test('gives one clear error for what it cannot do, and leaves nothing behind', async () => {
    const cases = [
      [['--clocks', '0'], /--clocks: expected a number from 1 to 10000000, found '0'/],
      [['--clocks', 'many'], /--clocks: expected a number .* found 'many'/],
      [['--turns', '50..20'], /--turns: expected one number, or two as in 60..800, found '50..20'/],
      [['--polls', '64 parsecs'], /--polls: .*unit 'parsecs'/],
      [['--polls', '64 s..16 s'], /--polls: expected an interval .* found '64 s..16 s'/],
      [['--families', 'jumps,flikker'], /--families: unknown family 'flikker' \(did you mean 'flicker'\?\)/],
      [['--families', 'jumps,flicker,jumps'], /--families: expected each family once, found 'jumps' twice/],
      [['--format', 'hdf5'], /--format: unknown format 'hdf5'/],
      // Objects inherit something of that name.
      [['--format', 'constructor'], /--format: unknown format 'constructor' \(known: parquet, npy\)/],
      [['--randomised', '2'], /--randomised: expected a number from 0 to 1, found '2'/],
    ] as const;
    const results = await Promise.all(cases.map(([args]) => draw('bad', ...args)));
    results.forEach((result, i) => {
      expect(result.code).toBe(2);
      expect(result.stderr).toMatch(cases[i]![1]);
      expect(result.stderr.trim().split('\n').length).toBe(1);
    });
    expect(existsSync(join(scratch, 'bad'))).toBe(false);
  });

  test('replaces an earlier set’s files and no others', async () => {
    await draw('twice', '--clocks', '2', '--format', 'npy');
    writeFileSync(join(scratch, 'twice', 'labels.npy'), 'mine');
    expect(await draw('twice', '--clocks', '2')).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(join(scratch, 'twice')).sort()).toEqual(['dataset.json', 'labels.npy', 'windows.parquet']);
    expect(bytes('twice', 'labels.npy').toString()).toBe('mine');
  });

  test('leaves a folder alone that holds something else, of whatever name', async () => {
    const foreign = [
      { 'thesis.txt': 'mine' },
      { 'dataset.json': '{"name":"my nnUNet"}', 'labels.npy': 'mine', 'table.parquet': 'mine' },
      { 'windows.parquet': 'mine' },
    ];
    for (const [i, files] of foreign.entries()) {
      const name = `foreign-${i}`;
      mkdirSync(join(scratch, name));
      for (const [file, text] of Object.entries(files)) writeFileSync(join(scratch, name, file), text);
      const { code, stderr } = await draw(name);
      expect(code).toBe(2);
      expect(stderr).toMatch('the folder holds something other than a data set; it is left alone');
      expect(held(name)).toEqual(files);
    }
  });

  test('says where a folder has the name of one of its files, before anything is taken away', async () => {
    await draw('blocked', '--clocks', '2', '--format', 'npy');
    const before = held('blocked');
    const refused = async (message: string) => {
      const { code, stderr } = await draw('blocked', '--clocks', '2', '--format', 'npy');
      expect(stderr).toBe(`escapement: --out ${join(scratch, 'blocked')}${message}; nothing is changed\n`);
      expect(code).toBe(2);
    };
    const inside = (name: string) => join(scratch, 'blocked', name);
    mkdirSync(inside('windows.parquet'));
    await refused(': expected windows.parquet in it to be a file, found a folder');
    rmdirSync(inside('windows.parquet'));
    expect(held('blocked')).toEqual(before);

    renameSync(inside('samples.npy'), inside('samples.away'));
    mkdirSync(inside('samples.npy'));
    await refused(': expected samples.npy in it to be a file, found a folder');
    rmdirSync(inside('samples.npy'));
    renameSync(inside('samples.away'), inside('samples.npy'));
    expect(held('blocked')).toEqual(before);

    // In what a killed run has left.
    const part = 'dataset.part-abc123';
    mkdirSync(inside(join(part, 'samples.npy')), { recursive: true });
    await refused(`/${part}: expected samples.npy in it to be a file, found a folder`);
    renameSync(inside(join(part, 'samples.npy')), inside(join(part, 'mine')));
    await refused(`/${part}: expected what a killed run has left, found mine`);
    rmdirSync(inside(join(part, 'mine')));
    rmdirSync(inside(part));
    expect(held('blocked')).toEqual(before);

    // Made while it draws.
    const run = await endless('blocked', '--clocks', '60', '--turns', '20..40');
    renameSync(inside('at.npy'), inside('kept.npy'));
    mkdirSync(inside('at.npy'));
    const { code, stderr } = await run.ended;
    expect(stderr).toMatch(/blocked: expected at\.npy in it to be a file, found a folder; nothing is changed\n$/);
    expect(code).toBe(2);
    rmdirSync(inside('at.npy'));
    renameSync(inside('kept.npy'), inside('at.npy'));
    expect(held('blocked')).toEqual(before);
  });

  test('leaves the earlier set as it was where it is interrupted', async () => {
    await draw('kept', '--clocks', '2');
    const before = held('kept');
    const stopped = await endless('kept');
    stopped.child.kill('SIGINT');
    const { code, stderr } = await stopped.ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(/^escapement: dataset: interrupted: what was written is taken away, and .*kept as it was/);
    expect(held('kept')).toEqual(before);
  });

  test('takes away what a killed run has left, beside an earlier set and without one', async () => {
    await draw('killed', '--clocks', '2');
    const before = held('killed');
    for (const name of ['killed', 'new']) {
      const killed = await endless(name);
      killed.child.kill('SIGKILL');
      await killed.ended;
      const part = readdirSync(join(scratch, name)).find(file => file.startsWith('dataset.part-'))!;
      for (const [file, text] of Object.entries(name === 'new' ? {} : before)) {
        expect(bytes(name, file).toString('latin1')).toBe(text);
      }
      expect(part).toBeDefined();
      expect(await draw(name, '--clocks', '2')).toMatchObject({ code: 0, stderr: '' });
      expect(held(name)).toEqual(before);
    }
    // Killed while the files took their places.
    const part = join(scratch, 'new', 'dataset.part-abc123');
    mkdirSync(part);
    renameSync(join(scratch, 'new', 'dataset.json'), join(part, 'dataset.json'));
    expect(await draw('new', '--clocks', '2', '--format', 'npy')).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(join(scratch, 'new'))).not.toContain('windows.parquet');
    expect(existsSync(part)).toBe(false);
  });

  test('two at once in one folder: the one that began first says that it has lost its place', async () => {
    const first = await endless('both', '--format', 'npy');
    expect(await draw('both', '--clocks', '2')).toMatchObject({ code: 0, stderr: '' });
    first.child.kill('SIGINT');
    const { code, stderr } = await first.ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(/--out .*both: another run has begun in this folder/);
    expect(readdirSync(join(scratch, 'both')).sort()).toEqual(['dataset.json', 'windows.parquet']);
  });

  test.runIf(existsSync('/usr/lib/python3/dist-packages/torch'))('training says which format it reads', async () => {
    await draw('columns', '--clocks', '1');
    const data = join(scratch, 'columns');
    const { status, stdout, stderr } = spawnSync(
      '/usr/bin/python3',
      ['-B', trainer, '--data', data, '--validation', data, '--out', join(scratch, 'model.onnx')],
      { encoding: 'utf8' },
    );
    const found = 'found no samples.npy';
    expect(stderr).toBe(`train.py: ${data}: expected what escapement dataset --format npy writes, ${found}\n`);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(existsSync(join(scratch, 'model.log'))).toBe(false);
  });
});
