import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { beforeAll, describe, expect, test } from 'vitest';
import { escapement, scratch, write } from '../../support/escapement.js';

/** As the design documents have it, in this order. */
const COLUMNS =
  'sample_number, elapsed_seconds, datetime, system_time, chronotick_time_fix1, chronotick_time_fix2, ' +
  'chronotick_offset_ms, chronotick_drift_rate, chronotick_prediction_time, chronotick_uncertainty_ms, ' +
  'chronotick_confidence, chronotick_source, time_since_ntp_s, ntp_time, ntp_offset_ms, ntp_uncertainty_ms, ' +
  'ntp_mad_ms, ntp_n_combined, ntp_n_total, ntp_n_rejected, ntp_rejected_servers, has_ntp';

/** A clock 20 ms ahead and 12 ppm fast is stepped after 5 min; one of five servers lies. */
const scenario = (axis: string): string => `
name: v3
duration: 10 min
world:
  clock: { use: oscillator, timeError: 20 ms, frequencyError: 12 ppm }
  servers:
${['a', 'b', 'c', 'd', 'liar'].map(name => `    - { name: ${name}, jitter: { use: exponential, mean: 200 us } }`).join('\n')}
  faults:
    - { use: falseticker, at: 0, servers: [liar], by: 500 ms }
    - { use: clock-step, at: 300.5, by: -250 ms }
sources:
  ntp: { use: ntp, poller: { use: fixed, interval: 60 s, burst: 1 } }
pipelines:
  - name: model
    axis: ${axis}
    combiner: median
    predictor: { use: ntp-drift }
    predictEvery: 5 s
    corrector: none
sinks: [validation-csv]
`;

type Row = Readonly<Record<string, string>>;
const folder = scratch();
const runs: Record<string, { readonly rows: readonly Row[]; readonly log: string; readonly stdout: string }> = {};

beforeAll(() => {
  for (const axis of ['wall', 'counter']) {
    const out = join(folder, axis);
    const file = write(folder, `${axis}.yaml`, scenario(axis));
    const { status, stdout, stderr } = escapement(['run', file, '--out', out]);
    expect([status, stderr]).toEqual([0, '']);
    const text = readFileSync(join(out, 'validation-model.csv'), 'utf8');
    expect(text.split('\n')[0]).toBe(COLUMNS.replaceAll(' ', ''));
    const log = readFileSync(join(out, 'validation-model.log'), 'utf8');
    runs[axis] = { rows: parse(text, { columns: true }) as Row[], log, stdout };
  }
});

const EPOCH = 1_767_225_600n;

/** Seconds since the run's epoch, of Unix seconds with nine digits behind the point. */
function seconds(text: string): number {
  const [whole, nanos] = text.split('.');
  expect(nanos).toMatch(/^\d{9}$/);
  return Number(BigInt(whole!) - EPOCH) + Number(nanos) / 1e9;
}

describe.each(['wall', 'counter'])('V3 rows of a pipeline on the %s', axis => {
  test('come once a second, with NTP in one of sixty', () => {
    const { rows } = runs[axis]!;
    expect(rows.length).toBe(600);
    rows.forEach((row, i) => {
      expect(row['sample_number']).toBe(String(i + 1));
      expect(Number(row['elapsed_seconds'])).toBe(i + 1);
    });
    const heard = rows.filter(row => row['has_ntp'] === 'True').map(row => Number(row['elapsed_seconds']));
    expect(heard).toEqual([1, 61, 121, 181, 241, 301, 361, 421, 481, 541]);
    for (const row of rows) {
      expect([5, '']).toContain(row['ntp_n_total'] === '' ? '' : Number(row['ntp_n_total']));
      expect(row['ntp_offset_ms'] === '').toBe(row['has_ntp'] === 'False');
    }
    expect(rows[60]).toMatchObject({ ntp_n_combined: '4', ntp_n_rejected: '1', ntp_rejected_servers: 'liar' });
  });

  test('Fix 1 is system time + offset + drift × time since the prediction, in every row', () => {
    for (const row of runs[axis]!.rows.filter(({ chronotick_offset_ms: offset }) => offset !== '')) {
      const system = seconds(row['system_time']!);
      const since = system - seconds(row['chronotick_prediction_time']!);
      const expected =
        system + Number(row['chronotick_offset_ms']) / 1e3 + Number(row['chronotick_drift_rate']) * since;
      expect(seconds(row['chronotick_time_fix1']!)).toBeCloseTo(expected, 8);
    }
  });

  test('Fix 2 walks from the last anchor on the counter, and is not scored against its own', () => {
    const { rows } = runs[axis]!;
    const heard = rows.findIndex(row => row['elapsed_seconds'] === '181.000');
    const [at, next] = [rows[heard]!, rows[heard + 1]!];
    // At the measurement it still walks from the one before: noise keeps it from being exact.
    expect(Number(at['time_since_ntp_s'])).toBeGreaterThan(60);
    const miss = Math.abs(seconds(at['chronotick_time_fix2']!) - seconds(at['ntp_time']!));
    expect(miss).toBeGreaterThan(1e-6);
    expect(miss).toBeLessThan(2e-3);
    // A second later it has been anchored: the measured time, walked on.
    expect(Number(next['time_since_ntp_s'])).toBeLessThan(2);
    const elapsed = seconds(next['system_time']!) - seconds(at['system_time']!);
    const since = Number(next['time_since_ntp_s']);
    const walked = seconds(at['ntp_time']!) + elapsed + Number(next['chronotick_drift_rate']) * since;
    expect(seconds(next['chronotick_time_fix2']!)).toBeCloseTo(walked, 7);
  });

  test('before anything is known both are the system time, and time since NTP is 0', () => {
    const [first] = runs[axis]!.rows;
    expect(first).toMatchObject({ chronotick_offset_ms: '', chronotick_confidence: '0', time_since_ntp_s: '0' });
    expect(first!['chronotick_time_fix1']).toBe(first!['system_time']);
    expect(first!['chronotick_time_fix2']).toBe(first!['system_time']);
  });

  test('the log says the same, in lines that grep finds', () => {
    const { log, stdout } = runs[axis]!;
    const lines = log.trimEnd().split('\n');
    expect(lines.filter(line => !/NTP:|ChronoTick|Fix/.test(line))).toEqual([]);
    expect(stdout).toContain(log);
    const ms = '[+-]\\d+\\.\\d\\d';
    const third = lines.findIndex(line => line.startsWith('[120s]'));
    expect(lines[third]).toMatch(
      new RegExp(`^\\[120s\\] 📡 NTP: offset=${ms}ms ± \\d+\\.\\d\\dms \\(combined 4/5, MAD=0\\.\\d\\dms\\)$`),
    );
    expect(lines[third + 1]).toMatch(
      new RegExp(`^ {6}ChronoTick \\(Fix1\\): offset=${ms}ms, drift=[+-]\\d+\\.\\d{3}\u03bcs/s, source=last-value$`),
    );
    expect(lines[third + 2]).toMatch(/^ {6}Fix1 vs NTP: [+-]\d+\.\d{3}ms \| Fix2 vs NTP: [+-]\d+\.\d{3}ms$/);
  });
});

test('a step of the system clock reaches Fix 1 of a pipeline on it, and never Fix 2', () => {
  const miss = (axis: string, fix: string, elapsed: string): number => {
    const row = runs[axis]!.rows.find(({ elapsed_seconds: at }) => at === elapsed)!;
    return seconds(row[`chronotick_time_${fix}`]!) - Number(elapsed);
  };
  // Between the step and the next measurement, and at that measurement, before it is used.
  for (const elapsed of ['301.000', '350.000', '361.000']) {
    expect(miss('wall', 'fix1', elapsed)).toBeLessThan(-0.24);
    expect(Math.abs(miss('wall', 'fix2', elapsed))).toBeLessThan(2e-3);
    expect(Math.abs(miss('counter', 'fix1', elapsed))).toBeLessThan(2e-3);
    expect(Math.abs(miss('counter', 'fix2', elapsed))).toBeLessThan(2e-3);
  }
});

describe('the validation-csv sink', () => {
  const file = write(folder, 'errors.yaml', scenario('wall').replace('[validation-csv]', 'SINKS'));
  const ended = (sinks: string, ...args: string[]) => {
    write(folder, 'errors.yaml', readFileSync(file, 'utf8').replace(/^sinks:.*$/m, `sinks: ${sinks}`));
    return escapement(['run', file, ...args]);
  };

  test('only prints where there is no folder', () => {
    const { status, stdout } = ended('[validation-csv]');
    expect(status).toBe(0);
    expect(stdout).toMatch(/Fix1 vs NTP/);
  });

  test('keeps standard output to itself where that is one JSON document', () => {
    const { stdout } = ended('[validation-csv]', '--json');
    expect(JSON.parse(stdout).scenario).toBe('v3');
  });

  test('names what is wrong', () => {
    expect(ended('[{ use: validation-csv, print: false }]')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/sink validation-csv: has no folder to write to: give one with --out DIR/),
    });
    expect(ended('[{ use: validation-csv, pipeline: modle }]')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/unknown pipeline 'modle' \(did you mean 'model'\?\)/),
    });
  });
});
