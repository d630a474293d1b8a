import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { escapement, scratch, write } from '../support/escapement.js';

const folder = scratch();
const scenario = (seed: number, server: string): string => `
name: two-ways
seed: ${seed}
duration: 8 h
warmup: 5 min
world:
  clock: { use: oscillator, frequencyError: 10 ppm, wander: 1e-9 }
  servers: [{ name: ${server}, jitter: { use: exponential, mean: 0.3 ms } }]
pipelines:
  - { name: hold, predictor: last-value, corrector: offset-only, timekeeper: hold }
  - { name: kalman, filters: [delay-excess] }
`;

interface Document {
  readonly reference: string;
  readonly pipelines: readonly {
    readonly name: string;
    readonly samples: number;
    readonly mae: number;
    readonly bare: { readonly winRate: number | null; readonly improvement: number } | null;
    readonly baseline: {
      readonly winRate: number | null;
      readonly difference: number;
      readonly interval?: {
        readonly difference: { readonly low: number; readonly high: number };
        readonly blocks: number;
      };
    } | null;
    readonly corrections: { readonly helped: number; readonly hurt: number } | null;
  }[];
}

function compared(...args: readonly string[]): Document {
  const { status, stdout, stderr } = escapement(['compare', ...args, '--json'], folder);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout) as Document;
}

const file = write(folder, 'two-ways.yaml', scenario(1, 'a'));

describe('escapement compare SCENARIO', () => {
  it('says how far apart pipelines are and how sure that is, with the figures that `run` prints', () => {
    const { pipelines, reference } = compared(file, '--baseline', 'hold');
    expect(reference).toBe('truth');
    const [bare, hold, kalman] = pipelines;
    expect([bare!.name, hold!.name, kalman!.name]).toEqual(['bare-clock', 'hold', 'kalman']);
    const run = JSON.parse(escapement(['run', file, '--json'], folder).stdout) as {
      pipelines: { name: string; error: { mae: number }; winRate: number }[];
    };
    expect(kalman!.mae).toBeCloseTo(run.pipelines[2]!.error.mae, 12);
    expect(kalman!.bare!.winRate).toBeCloseTo(run.pipelines[2]!.winRate, 12);
    expect(kalman!.samples).toBe(28_501);
    const { difference, interval } = kalman!.baseline!;
    expect(difference).toBeCloseTo(kalman!.mae - hold!.mae, 12);
    expect(interval!.blocks).toBeGreaterThanOrEqual(10);
    expect(interval!.difference.low).toBeLessThan(difference);
    expect(interval!.difference.high).toBeLessThan(0);
    expect(kalman!.corrections!.helped + kalman!.corrections!.hurt).toBeGreaterThan(400);
  });

  it('takes several seeds together', () => {
    expect(compared(file, '--seeds', '3').pipelines[1]!.samples).toBe(3 * 28_501);
  });

  it('prints a table for people', () => {
    const { stdout } = escapement(['compare', file], folder);
    expect(stdout).toMatch(/pipeline +│ mean \|error\| │ deviation │ +RMS │/);
    expect(stdout).toMatch(/kalman +│ bare-clock │ +100\.0 % │ +\+(9\d|100)\.\d % │/);
    expect(stdout).toMatch(/corrections that helped/);
  });
});

describe('escapement compare RUN-DIR…', () => {
  const runs = ['here', 'there'].map((name, i) => {
    const out = join(folder, name);
    escapement(['run', write(folder, `${name}.yaml`, scenario(i + 1, `server${i}`)), '--out', out], folder);
    return out;
  });

  it('compares finished runs of different machines, unpaired', () => {
    const { pipelines } = compared(...runs, '--baseline', 'here/hold');
    const kalman = pipelines.find(({ name }) => name === 'there/kalman')!;
    expect(kalman.baseline!.winRate).toBeNull();
    expect(kalman.baseline!.interval!.difference.high).toBeLessThan(0);
    expect(kalman.bare!.winRate).toBeGreaterThan(0.9);
    expect(kalman.samples).toBe(2851);
    // In one run they are pairs.
    expect(pipelines.find(({ name }) => name === 'here/kalman')!.baseline!.winRate).toBeGreaterThan(0.5);
  });

  it('refuses a run that has lost what a pipeline told', () => {
    const lost = join(folder, 'lost');
    cpSync(runs[0]!, lost, { recursive: true });
    rmSync(join(lost, 'samples-kalman.csv'));
    const { status, stdout, stderr } = escapement(['compare', lost], folder);
    expect(stderr).toMatch(/^escapement: \S*lost\/samples-kalman\.csv: is missing, and with it what the pipeline told/);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });

  it('refuses to mix references', () => {
    const trace = write(
      folder,
      'offsets.csv',
      ['t_s,ntp_offset_s', ...Array.from({ length: 60 }, (_, k) => `${64 * k},${(0.001 * (k % 3)).toFixed(6)}`)].join(
        '\n',
      ),
    );
    const { status, stderr } = escapement(['compare', runs[0]!, trace], folder);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^escapement: offsets: is measured against NTP measurements, here against true time/);
    expect(stderr).not.toMatch(/ at /);
  });

  it('compares what was scored against NTP, at its measurements', () => {
    const lines = Array.from({ length: 200 }, (_, k) => `${64 * k},${(1e-5 * 64 * k).toFixed(6)}`);
    const trace = write(folder, 'drifting.csv', ['t_s,ntp_offset_s', ...lines].join('\n'));
    const out = join(folder, 'replayed');
    escapement(['replay', trace, '--out', out], folder);
    const { reference, pipelines } = compared(out);
    expect(reference).toBe('ntp');
    const again = compared(trace);
    for (const { name, mae, samples } of pipelines) {
      const same = again.pipelines.find(one => one.name === name)!;
      expect([samples, mae]).toEqual([same.samples, expect.closeTo(same.mae, 12)]);
    }
  });
});

describe('bad input', () => {
  it.each([
    [['nothing.yaml'], /nothing\.yaml: cannot be read: no such file/],
    [[file, '--baseline', 'kalmn'], /unknown pipeline 'kalmn' \(did you mean 'kalman'\?\)/],
    [[file, '--seeds', 'many'], /--seeds: expected a whole number from 1, found 'many'/],
    [[file, '--level', '2'], /--level: expected a probability between 0 and 1, found 2/],
    [[file, '--pipeline', 'kalman-drift'], /--pipeline: is for recordings/],
  ])('%j', (args, message) => {
    const { status, stdout, stderr } = escapement(['compare', ...args], folder);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
  });
});
