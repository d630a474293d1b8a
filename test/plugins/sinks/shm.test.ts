import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { SHM_KEY, SHM_LENGTH, ShmWriter } from '../../../src/core/serving/shm.js';
import { type Mapping, Native } from '../../../src/platform/native.js';
import type { NtpServer } from '../../../src/plugins/sinks/ntp-server.js';
import { whyNoChronyd } from '../../support/chronyd.js';
import { type ServingRun, serving, upstream } from '../../support/serving.js';

const AHEAD = 0.1;
/** A unit that no real clock on this machine uses. */
const UNIT = 200 + (process.pid % 50);
const key = `0x${(SHM_KEY + UNIT).toString(16)}`;

const opened: (Mapping | ServingRun | NtpServer)[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) {
    if ('letGo' in one) one.letGo();
    else if ('stop' in one) await one.stop();
    else one.close();
  }
  try {
    execFileSync('ipcrm', ['-M', key], { stdio: 'ignore' });
  } catch {
    // It was not made.
  }
});

const segment = (): DataView => {
  const mapping = Native.load().attach(SHM_KEY + UNIT, SHM_LENGTH, 0o600);
  opened.push(mapping);
  return new DataView(mapping.held!);
};

/** What chronyd's refclock_shm takes: mode 1, valid set, the same count before and after. */
function sampleOf(memory: DataView) {
  const at = (seconds: number, nano: number): bigint =>
    memory.getBigInt64(seconds, true) * 1_000_000_000n + BigInt(memory.getUint32(nano, true));
  return {
    ...{ mode: memory.getInt32(0, true), count: memory.getInt32(4, true), valid: memory.getInt32(48, true) },
    ...{ clock: at(8, 52), micro: memory.getInt32(16, true), receive: at(24, 56), leap: memory.getInt32(36, true) },
    precision: memory.getInt32(40, true),
  };
}

test('a sample stands where struct shmTime has it, to the nanosecond, and can be told from a changed one', () => {
  const memory = new ArrayBuffer(SHM_LENGTH);
  const writer = new ShmWriter(memory);
  const view = new DataView(memory);
  expect(sampleOf(view)).toMatchObject({ mode: 1, valid: 0 });
  writer.write({ system: 1_764_028_800_000_000_001n, time: 1_764_028_800_123_456_789n, leap: 1, precision: -14 });
  expect(sampleOf(view)).toEqual({
    ...{ mode: 1, count: 2, valid: 1, clock: 1_764_028_800_123_456_789n, micro: 123_456 },
    ...{ receive: 1_764_028_800_000_000_001n, leap: 1, precision: -14 },
  });
  writer.write({ system: 1n, time: 2n, leap: 0, precision: -14 });
  expect(sampleOf(view)).toMatchObject({ count: 4, clock: 2n, receive: 1n, valid: 1 });
  writer.invalidate();
  expect(sampleOf(view).valid).toBe(0);
});

test('the sink writes while the time is known, and not when it is known no more', async () => {
  const source = await upstream(AHEAD);
  opened.push(source);
  const sink = { use: 'shm', unit: UNIT, every: '20 ms', maxAge: '0.5 s' };
  const run = await serving([`127.0.0.1:${source.endpoint.port}`], [sink]);
  opened.push(run);
  await run.says(new RegExp(`for \`refclock SHM ${UNIT}\` \\(segment 0x4E54`));
  const memory = segment();
  await expect.poll(() => sampleOf(memory).valid, { timeout: 5000 }).toBe(1);
  await expect
    .poll(() => Math.abs(Number(sampleOf(memory).clock - sampleOf(memory).receive) / 1e9 - AHEAD))
    .toBeLessThan(0.02);
  expect(sampleOf(memory).count % 2).toBe(0);
  expect(Math.abs(Number(sampleOf(memory).receive) / 1e9 - Date.now() / 1000)).toBeLessThan(0.5);
  source.close();
  await expect.poll(() => sampleOf(memory).valid, { timeout: 3000 }).toBe(0);
});

describe('a real chronyd -x with `refclock SHM` (fails in CI where it is missing)', () => {
  const missing = whyNoChronyd();
  test('takes our time as its reference', { retry: 1 }, async context => {
    if (missing !== undefined) context.skip(missing);
    const source = await upstream(AHEAD);
    opened.push(source);
    const sink = { use: 'shm', unit: UNIT, every: '50 ms' };
    const run = await serving([`127.0.0.1:${source.endpoint.port}`], [sink]);
    opened.push(run);
    await run.says(/writes the time/);
    const folder = mkdtempSync(join(tmpdir(), 'chronyd-shm-'));
    const socket = join(folder, 'chronyd.sock');
    const settings = [
      // Samples every 2^-2 s, a filtered one every second.
      `refclock SHM ${UNIT} dpoll -2 poll 0 refid ESCA`,
      ...['port 0', 'cmdport 0', 'user root', `pidfile ${join(folder, 'pid')}`, `bindcmdaddress ${socket}`],
    ];
    const child = spawn('/usr/sbin/chronyd', ['-x', '-d', ...settings], { stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    for (const output of [child.stdout, child.stderr]) output.on('data', (data: Buffer) => (log += data.toString()));
    try {
      await expect.poll(() => existsSync(socket), { timeout: 5000 }).toBe(true);
      const sources = (): string =>
        execFileSync('/usr/bin/chronyc', ['-h', socket, '-c', 'sources'], { encoding: 'utf8' }).trim();
      // Mode "#": a reference clock; state "*": the one selected.
      await expect.poll(sources, { timeout: 15_000, interval: 500 }).toMatch(/^#,\*,ESCA,0,/);
      const fields = sources().split(',');
      // What it measured last, before it corrected anything: -x corrects nothing, so the system clock stays 0.1 s behind.
      expect(Math.abs(Math.abs(Number(fields[8])) - AHEAD), `${fields} ${log}`).toBeLessThan(0.02);
    } finally {
      child.kill();
      await new Promise(resolve => child.on('close', resolve));
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

test('a segment that cannot be had is one clear error', async () => {
  Native.load()
    .attach(SHM_KEY + UNIT, 32, 0o600)
    .letGo();
  const run = await serving(['127.0.0.1:1'], [{ use: 'shm', unit: UNIT }]);
  await expect(run.stop()).rejects.toThrow(
    new RegExp(
      `sink shm, unit ${UNIT}: cannot have the segment ${key}: shmget: not possible as it is \\(EINVAL\\) \\(.*ipcrm`,
      'i',
    ),
  );
});
