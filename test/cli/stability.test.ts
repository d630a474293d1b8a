import { describe, expect, it } from 'vitest';
import { escapement, scratch, write } from '../support/escapement.js';

const folder = scratch();

/** The 1,000 pseudo-random frequencies of the test suite in NIST SP 1065. */
function portableSet(): number[] {
  let n = 1234567890;
  return Array.from({ length: 1000 }, () => {
    const value = n / 2147483647;
    n = (16807 * n) % 2147483647;
    return value;
  });
}

const NBS_SET = [892, 809, 823, 798, 671, 644, 883, 903, 677];

interface Row {
  readonly estimator: string;
  readonly m: number;
  readonly tau: number;
  readonly deviation: number;
  readonly n: number;
  readonly low: number | null;
  readonly high: number | null;
}

function rowsOf(...args: string[]): readonly Row[] {
  const { status, stdout, stderr } = escapement(['stability', ...args, '--json'], folder);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout) as Row[];
}

describe('escapement stability', () => {
  write(folder, 'portable.txt', `${portableSet().join('\n')}\n`);
  write(folder, 'nbs.csv', `# NBS Monograph 140\nday,frequency\n${NBS_SET.map((y, i) => `${i},${y}`).join('\n')}\n`);

  it.each<[string, number, number, number]>([
    ['adev', 2.922319e-1, 9.965736e-2, 3.897804e-2],
    ['oadev', 2.922319e-1, 9.159953e-2, 3.241343e-2],
    ['mdev', 2.922319e-1, 6.172376e-2, 2.170921e-2],
    ['tdev', 1.687202e-1, 3.563623e-1, 1.253382],
    ['hdev', 2.943883e-1, 1.052754e-1, 3.910861e-2],
    ['ohdev', 2.943883e-1, 9.581083e-2, 3.237638e-2],
    ['totdev', 2.922319e-1, 9.134743e-2, 3.40653e-2],
    ['mtie', 0.995745, 7.59656, 55.381773],
  ])("prints %s of NIST SP 1065's 1,000 frequencies", (estimator, ...published) => {
    const rows = rowsOf('portable.txt', '--frequency', '--estimators', estimator, '--factors', '1,10,100');
    expect(rows.map(row => [row.estimator, row.m, row.tau])).toEqual([1, 10, 100].map(m => [estimator, m, m]));
    rows.forEach((row, i) => {
      expect(Math.abs(row.deviation / published[i]! - 1)).toBeLessThan(5e-7);
      if (estimator === 'mtie') return;
      expect(row.low).toBeLessThan(row.deviation);
      expect(row.high).toBeGreaterThan(row.deviation);
    });
  });

  it.each<[string, number, number]>([
    ['adev', 91.22945, 115.8082],
    ['oadev', 91.22945, 85.95287],
    ['mdev', 91.22945, 74.78849],
    ['tdev', 52.67135, 86.35831],
    ['hdev', 70.80607, 116.798],
    ['ohdev', 70.80607, 85.61487],
    ['totdev', 91.22945, 93.90379],
    ['mtie', 903, 1786],
  ])("prints %s of NBS Monograph 140's nine, from a column of a CSV file", (estimator, ...published) => {
    for (const column of ['frequency', '2']) {
      const args = ['nbs.csv', '--frequency', '--column', column, '--estimators', estimator, '--factors', '1,2'];
      const rows = rowsOf(...args);
      rows.forEach((row, i) => {
        expect(Math.abs(row.deviation / published[i]! - 1)).toBeLessThan(5e-7);
      });
      expect(rows).toHaveLength(2);
    }
  });

  it('takes phase with its rate and unit', () => {
    const phase = [0];
    for (const y of portableSet()) phase.push(phase.at(-1)! + y);
    write(folder, 'phase.tsv', `t\tx_ns\n${phase.map((x, i) => `${i / 10}\t${x * 1e8}`).join('\r\n')}\r\n`);
    const rows = rowsOf(
      'phase.tsv',
      '--phase',
      '--rate',
      '10',
      '--column',
      'x_ns',
      '--scale',
      '1e-9',
      '--factors',
      '10',
    );
    const adev = rows.find(row => row.estimator === 'adev');
    expect(adev?.tau).toBe(1);
    expect(Math.abs(adev!.deviation / 9.965736e-2 - 1)).toBeLessThan(5e-7);
    expect(rows.map(row => row.estimator)).toEqual([
      'adev',
      'oadev',
      'mdev',
      'tdev',
      'hdev',
      'ohdev',
      'totdev',
      'tie',
      'mtie',
    ]);
    expect(rows.find(row => row.estimator === 'tie')).toMatchObject({ low: null, high: null });
  });

  it('prints a table for people', () => {
    const { status, stdout } = escapement(
      ['stability', 'portable.txt', '--frequency', '--estimators', 'oadev'],
      folder,
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/estimator.*tau.*deviation.*low.*high.*noise/);
    expect(stdout).toMatch(/oadev.*1.*1\.00 s.*2\.9223e-1.*white FM/);
  });

  it.each<[string, string, readonly string[], RegExp]>([
    ['no file', '', ['none.csv', '--phase'], /none\.csv: cannot be read: no such file/],
    ['not saying what it holds', '1\n2\n3\n', ['bad.csv'], /expected one of --phase and --frequency, found neither/],
    ['saying both', '1\n2\n3\n', ['bad.csv', '--phase', '--frequency'], /found both/],
    ['an empty file', '\n', ['bad.csv', '--phase'], /bad\.csv: expected a column of numbers, found nothing/],
    [
      'a word among numbers',
      '1\n2\nx3\n4\n',
      ['bad.csv', '--phase'],
      /bad\.csv:3: expected a number in column 1, found 'x3'/,
    ],
    [
      'a gap',
      't,x\n0,1\n1,\n',
      ['bad.csv', '--phase', '--column', 'x'],
      /bad\.csv:3: expected a number in column 2, found nothing/,
    ],
    ['infinity', '1\n2\nInfinity\n', ['bad.csv', '--phase'], /bad\.csv:3: expected a number.*'Infinity'/],
    [
      'many columns, none named',
      't,x\n0,1\n',
      ['bad.csv', '--phase'],
      /has 2 columns: name one with --column \(columns: t, x\)/,
    ],
    [
      'an unknown column',
      't,phase\n0,1\n',
      ['bad.csv', '--phase', '--column', 'phse'],
      /unknown column 'phse'.*did you mean 'phase'/,
    ],
    ['a column too far', '0,1\n', ['bad.csv', '--phase', '--column', '3'], /expected a number from 1 to 2, found '3'/],
    ['too few values', '1\n2\n', ['bad.csv', '--phase'], /expected at least 3 values, found 2/],
    [
      'an unknown estimator',
      '1\n2\n3\n',
      ['bad.csv', '--phase', '--estimators', 'aev'],
      /unknown estimator 'aev'.*did you mean 'adev'/,
    ],
    [
      'a factor too large',
      '1\n2\n3\n',
      ['bad.csv', '--phase', '--factors', '9'],
      /at least 19 samples.*adev at m = 9, found 3/,
    ],
    ['no rate', '1\n2\n3\n', ['bad.csv', '--phase', '--rate', '0'], /--rate: expected more than 0, found 0/],
    [
      'no level',
      '1\n2\n3\n',
      ['bad.csv', '--phase', '--level', '1'],
      /--level: expected a probability between 0 and 1/,
    ],
  ])('says what is wrong: %s', (_, text, args, message) => {
    if (text !== '') write(folder, 'bad.csv', text);
    const { status, stdout, stderr } = escapement(['stability', ...args], folder);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });
});
