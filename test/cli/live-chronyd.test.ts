import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RunSummary } from '../../src/core/contracts/index.js';
import { type Chronyd, startChronyd, whyNoChronyd } from '../support/chronyd.js';
import { escapement } from '../support/cli.js';
import { scratch } from '../support/escapement.js';
import { median, runLive } from '../support/live-run.js';

const below = scratch();

/** The server shares our system clock, so its offset is zero, and whatever we find is our own error. */
describe('against a real chronyd (Debian’s chrony; fails in CI where it is missing)', () => {
  const missing = whyNoChronyd();
  let chronyd: Chronyd | undefined;
  beforeAll(async () => {
    if (missing === undefined) chronyd = await startChronyd();
  });
  afterAll(() => chronyd?.stop());
  beforeEach(context => {
    if (missing !== undefined) context.skip(missing);
  });

  // A machine that is busy with something else may spoil one try.
  test('escapement live finds no offset where there is none, and leaves sane measurements', { retry: 2 }, async () => {
    const out = join(below, String(performance.now()));
    const { code, stdout, stderr } = await escapement([
      ...['live', '--server', `127.0.0.1:${chronyd!.port}`, '--interval', '200 ms', '--for', '6s'],
      ...['--json', '--out', out],
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const summary = JSON.parse(stdout) as RunSummary;
    expect(summary.exchanges.answered).toBeGreaterThan(20);
    expect(summary.exchanges.failed).toBe(0);
    for (const { name, error } of summary.pipelines) expect(error!.p50, name).toBeLessThan(1e-3);

    const rows = readFileSync(join(out, 'measurements.csv'), 'utf8').trim().split('\n').slice(1);
    const head = rows[0]!.split(',');
    const column = (name: string) => rows.slice(1).map(row => Number(row.split(',')[head.indexOf(name)]));
    expect(new Set(column('stratum'))).toEqual(new Set([8]));
    expect(new Set(column('leap'))).toEqual(new Set([0]));
    const [t1, t2, t3, t4] = ['sent_wall_s', 'receive_s', 'transmit_s', 'arrived_wall_s'].map(column) as [
      number[],
      number[],
      number[],
      number[],
    ];
    const delays = t1.map((sent, i) => t4[i]! - sent - (t3[i]! - t2[i]!));
    for (const delay of delays) {
      expect(delay).toBeGreaterThan(0);
      expect(delay).toBeLessThan(0.5);
    }
    expect(median(delays)).toBeLessThan(5e-3);
    // One clock on both sides: causality can be seen. T1 is taken before departure, T4 after arrival.
    t1.forEach((sent, i) => {
      expect(t2[i]!).toBeGreaterThan(sent);
      expect(t4[i]!).toBeGreaterThan(t3[i]!);
    });
  });

  // A machine that is busy with something else may spoil one try.
  test('every answer is usable, and pipelines on the wall clock and on the counter agree', { retry: 2 }, async () => {
    const { offsets, failures, rounds } = await runLive({
      servers: [`127.0.0.1:${chronyd!.port}`],
      duration: 2,
      interval: 0.1,
      pipelines: [
        { name: 'counter', filters: ['delay-excess'] },
        { name: 'wall', axis: 'wall', filters: ['delay-excess'] },
      ],
    });
    expect(failures).toEqual([]);
    expect(offsets.length).toBeGreaterThan(10);
    expect(Math.abs(median(offsets))).toBeLessThan(1e-3);
    const [counter, wall] = ['counter', 'wall'].map(name => rounds.filter(({ pipeline }) => pipeline === name).at(-1)!);
    expect(Math.abs(counter!.told.time - counter!.reading.wall)).toBeLessThan(2e-3);
    expect(Math.abs(wall!.told.time - wall!.reading.wall)).toBeLessThan(2e-3);
  });

  test('one that limits its clients by silence: time-outs, and right answers in between', async () => {
    const strict = await startChronyd(['local stratum 8', 'ratelimit interval 1 burst 2 leak 1']);
    try {
      const { offsets, failures } = await runLive({
        servers: [`127.0.0.1:${strict.port}`],
        duration: 3,
        interval: 0.1,
        timeout: 0.09,
      });
      expect(offsets.length).toBeGreaterThan(0);
      expect(new Set(failures)).toEqual(new Set(['timeout']));
      for (const offset of offsets) expect(Math.abs(offset)).toBeLessThan(0.045);
    } finally {
      await strict.stop();
    }
  });

  test('one that is not synchronised is not believed', async () => {
    const lost = await startChronyd([]);
    try {
      const { offsets, failures } = await runLive({ servers: [`127.0.0.1:${lost.port}`], duration: 0.5 });
      expect(offsets).toEqual([]);
      expect(new Set(failures)).toEqual(new Set(['unsynchronised (leap 3)']));
    } finally {
      await lost.stop();
    }
  });
});
