import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunSummary } from '../../src/core/contracts/index.js';
import type { ReportRun } from '../../src/report/data.js';
import { escapement } from '../support/cli.js';

const SCENARIO = `
name: two-faults
seed: 7
duration: 1 h
warmup: 2 min
world:
  clock: { use: oscillator, timeError: 20 ms, frequencyError: 12 ppm, whiteFm: 1e-9 }
  servers: [{ name: near, delay: 8 ms, jitter: { use: exponential, mean: 0.5 ms } }]
  faults:
    - { use: clock-step, at: 1000.4 s, by: -250 ms }
    - { use: outage, at: 30 min, for: 10 min }
sources: { ntp: { use: ntp, poller: { use: fixed, interval: 64 s } } }
pipelines:
  - { name: kalman, filters: [delay-excess], timekeeper: drift }
  - { name: offset-only, predictor: last-value, corrector: offset-only, timekeeper: hold }
`;

describe('report', () => {
  let folder: string;
  let run: string;
  let summary: RunSummary;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'report-'));
    writeFileSync(join(folder, 'two.yaml'), SCENARIO);
    run = join(folder, 'run');
    expect((await escapement(['run', join(folder, 'two.yaml'), '--out', run, '--report'])).code).toBe(0);
    summary = JSON.parse(readFileSync(join(run, 'summary.json'), 'utf8')) as RunSummary;
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const dataIn = (file: string): readonly ReportRun[] => {
    const html = readFileSync(file, 'utf8');
    const data = /<script type="text\/plain" id="data">([^<]*)<\/script>/.exec(html)![1]!;
    return JSON.parse(gunzipSync(Buffer.from(data, 'base64')).toString()) as readonly ReportRun[];
  };

  test('is one page that fetches nothing, with the summary inside', () => {
    const html = readFileSync(join(run, 'report.html'), 'utf8');
    expect(html).toContain("default-src 'none'");
    expect(html).not.toMatch(/(src|href)="(?!data:)/);
    expect(dataIn(join(run, 'report.html'))[0]!.summary).toEqual(summary);
  });

  test('keeps the worst error of every pipeline and the samples on either side of every fault', () => {
    const [{ courses, faults, interval }] = dataIn(join(run, 'report.html')) as [ReportRun];
    expect(interval).toBe(1);
    expect(faults).toEqual([
      { what: 'clock-step', from: 1000.4 },
      { what: 'outage', from: 1800, to: 2400 },
    ]);
    for (const { name, t, error } of courses) {
      const { worst } = summary.pipelines.find(one => one.name === name)!.behaviour!;
      const place = t.indexOf(worst!.at);
      expect(error[place]! / worst!.error).toBeCloseTo(1, 5);
      expect(t).toEqual(expect.arrayContaining([1000, 1001, 1799, 1800, 2399, 2400]));
    }
  });

  test('computes distribution, quantiles and stability from all samples after the warm-up', () => {
    const [{ courses }] = dataIn(join(run, 'report.html')) as [ReportRun];
    for (const { name, distribution, quantiles, stability } of courses) {
      const { error } = summary.pipelines.find(one => one.name === name)!;
      expect(distribution.shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 4);
      expect(quantiles.find(({ p }) => p === 0.5)!.size / error!.p50).toBeCloseTo(1, 2);
      expect(quantiles.at(-1)!.size / error!.max).toBeCloseTo(1, 5);
      expect(new Set(stability.map(({ estimator }) => estimator))).toEqual(new Set(['oadev', 'tdev', 'mtie']));
      expect(stability[0]!.tau).toBe(1);
    }
  });

  test('draws a folder whose samples are coarse with the worst error that the summary knows', async () => {
    const coarse = join(folder, 'coarse');
    await escapement(['run', join(folder, 'two.yaml'), '--out', coarse]);
    const { code, stdout } = await escapement(['report', coarse]);
    expect([code, stdout]).toEqual([0, `${join(coarse, 'report.html')}\n`]);
    const [{ courses, interval, summary: own }] = dataIn(join(coarse, 'report.html')) as [ReportRun];
    expect(interval).toBe(10);
    for (const { name, error } of courses) {
      const { max } = own.pipelines.find(one => one.name === name)!.error!;
      expect(Math.max(...error.map(Math.abs))).toBeGreaterThanOrEqual(max * (1 - 1e-5));
    }
  });

  test('shows several runs on one page, and says which is which', async () => {
    const again = join(folder, 'again', 'run');
    await escapement(['run', join(folder, 'two.yaml'), '--seed', '8', '--out', again]);
    const page = join(folder, 'both.html');
    expect((await escapement(['report', run, again, '--out', page])).code).toBe(0);
    expect(dataIn(page).map(({ name, summary: { seed } }) => [name, seed])).toEqual([
      [run, '7'],
      [again, '8'],
    ]);
    expect(readFileSync(page, 'utf8').match(/<tr data-pipeline/g)).toHaveLength(6);
  });

  test('names from a scenario are text, never markup', async () => {
    writeFileSync(join(folder, 'odd.yaml'), SCENARIO.replace('seed: 7', 'description: "</script><b>odd &amp;"'));
    const out = join(folder, 'odd');
    expect((await escapement(['run', join(folder, 'odd.yaml'), '--out', out, '--report'])).stderr).toBe('');
    const html = readFileSync(join(out, 'report.html'), 'utf8');
    expect(html).not.toContain('<b>odd');
    expect(html).toContain('&#60;/script&#62;&#60;b&#62;odd &#38;amp;');
  });

  test('writes the charts as SVG', async () => {
    const out = join(folder, 'svg');
    const { code, stdout } = await escapement([
      'report',
      run,
      '--format',
      'svg',
      '--out',
      out,
      '--theme',
      'dark',
      '--utc',
    ]);
    expect(code).toBe(0);
    const written = readdirSync(out).sort();
    expect(stdout.trim().split('\n').sort()).toEqual(written.map(name => join(out, name)));
    expect(written).toEqual(
      ['adev', 'calibration', 'cdf', 'distribution', 'error-panels', 'error', 'mtie', 'pit', 'tdev'].map(
        name => `${name}.svg`,
      ),
    );
    const error = readFileSync(join(out, 'error.svg'), 'utf8');
    for (const text of ['kalman', 'offset-only', 'bare-clock', 'clock-step', 'outage', 'two-faults'])
      expect(error).toContain(text);
    expect(error).toMatch(/>\d\d:\d\d:\d\d</);
    expect(error).not.toContain('NaN');
  });

  test('writes the charts as PNG, letters included, whatever fonts a machine has', async () => {
    const out = join(folder, 'png');
    expect((await escapement(['report', run, '--format', 'png', '--chart', 'pit', 'error', '--out', out])).code).toBe(
      0,
    );
    expect(readdirSync(out).sort()).toEqual(['error.png', 'pit.png']);
    const png = readFileSync(join(out, 'error.png'));
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    expect(png.readUInt32BE(16)).toBe(2400);
  });

  test.each([
    ['a folder that is not there', () => join(folder, 'none'), /none: no such folder/],
    ['a folder without a run', () => folder, /expected a run's folder, found none of its files/],
    [
      'a run that was killed',
      () => broken('killed', ({ at }) => rmSync(join(at, 'summary.json'))),
      /the run has no summary.json: was it killed\?/,
    ],
    [
      'a summary that is cut off',
      () => broken('cut', ({ at, text }) => writeFileSync(join(at, 'summary.json'), text.slice(0, 100))),
      /summary.json: is not JSON/,
    ],
    [
      "something else's summary",
      () => broken('other', ({ at }) => writeFileSync(join(at, 'summary.json'), '{"pipelines": [1]}')),
      /expected the summary of a run, found something else/,
    ],
    [
      'samples that are cut off',
      () =>
        broken('rows', ({ at }) =>
          writeFileSync(join(at, 'samples-kalman.csv'), 't_s,error_s,uncertainty_s,max_error_s\n1,2'),
        ),
      /samples-kalman.csv:2: expected 4 fields, found 2/,
    ],
  ])('refuses %s with one clear line', async (_, make, expected) => {
    const { code, stdout, stderr } = await escapement(['report', make()]);
    expect(stderr).toMatch(expected);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect([code, stdout]).toEqual([2, '']);
  });

  test.each([
    [['--format', 'pgn'], "--format: unknown format 'pgn' (did you mean 'png'?)"],
    [['--format', 'svg', '--chart', 'adv'], "--chart: unknown chart 'adv' (did you mean 'adev'?)"],
    [['--format', 'svg', '--theme', 'blue'], "--theme: unknown theme 'blue'"],
    [['--utc'], '--utc: is for pictures'],
  ])('refuses %j', async (options, expected) => {
    const { code, stderr } = await escapement(['report', run, ...options]);
    expect(stderr).toContain(expected);
    expect(code).toBe(2);
  });

  /** A copy of the run with something wrong in it. */
  function broken(name: string, spoil: (copy: { readonly at: string; readonly text: string }) => void): string {
    const at = join(folder, name);
    mkdirSync(at);
    for (const file of readdirSync(run)) if (existsSync(join(run, file))) copyFileSync(join(run, file), join(at, file));
    spoil({ at, text: readFileSync(join(run, 'summary.json'), 'utf8') });
    return at;
  }
});
