import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { describe, expect, test } from 'vitest';
import { escapement } from '../support/cli.js';

const scratch = mkdtempSync(join(tmpdir(), 'escapement-dataset-'));
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
      [['--format', 'hdf5'], /--format: unknown format 'hdf5'/],
      [['--randomised', '2'], /--randomised: expected a number from 0 to 1, found '2'/],
    ] as const;
    const results = await Promise.all(cases.map(([args]) => draw('bad', ...args)));
    results.forEach((result, i) => {
      expect(result.code).toBe(2);
      expect(result.stderr).toMatch(cases[i]![1]);
      expect(result.stderr.trim().split('\n').length).toBe(1);
    });
    expect(existsSync(join(scratch, 'bad'))).toBe(false);
    const mine = mkdtempSync(join(scratch, 'mine-'));
    writeFileSync(join(mine, 'thesis.txt'), 'mine');
    const { code, stderr } = await escapement(['dataset', '--out', mine]);
    expect(code).toBe(2);
    expect(stderr).toMatch('the folder holds something other than a data set; it is left alone');
    expect(readdirSync(mine)).toEqual(['thesis.txt']);
  });
});
