import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { EscapementClient, TimeUnknownError } from '../../src/client.js';
import { SharedRecord, SharedRecordReader } from '../../src/platform/shared-record.js';
import { serving, upstream } from '../support/serving.js';

const folder = mkdtempSync(join(tmpdir(), 'shared-time-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const fresh = (): string => join(folder, `record-${files++}`);
const writer = fileURLToPath(new URL('../support/record-writer.mjs', import.meta.url));

const record = {
  ...{ known: true, drift: 0, uncertainty: 1e-4, level: 0.95, uncertaintyRate: 0, maxError: 0.01 },
  ...{ maxErrorRate: 15e-6, age: 1, validFor: 30_000_000_000n, by: 'test', pipeline: 'p' },
};

describe('two processes on one record', () => {
  test('however fast it is written, none is read torn', async () => {
    const path = fresh();
    const child = spawn(process.execPath, [writer, path, '1500'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (data: Buffer) => {
      said += data.toString();
    });
    await new Promise<void>(resolve => child.stdout.once('data', () => resolve()));
    const reader = new SharedRecordReader(path);
    let read = 0;
    const seen = new Set<number>();
    const until = performance.now() + 1000;
    while (performance.now() < until) {
      const found = reader.read();
      if ('problem' in found) continue;
      read += 1;
      const n = found.drift;
      seen.add(n);
      const {
        counter,
        time,
        uncertainty,
        level,
        uncertaintyRate,
        maxError,
        maxErrorRate,
        age,
        validFor,
        by,
        pipeline,
      } = found;
      const all = [
        counter,
        time,
        uncertainty,
        level,
        uncertaintyRate,
        maxError,
        maxErrorRate,
        age,
        validFor,
        by,
        pipeline,
      ];
      if (all.some(value => Number(value) !== n)) expect.fail(`torn: ${JSON.stringify(all.map(String))}`);
    }
    reader.close();
    await new Promise(resolve => child.on('close', resolve));
    expect(Number(said.split('\n')[1])).toBeGreaterThan(1000);
    expect(read).toBeGreaterThan(100);
    expect(seen.size).toBeGreaterThan(10);
  });

  test('a second writer is refused, and the first one’s file is left alone', () => {
    const path = fresh();
    const first = SharedRecord.write(path);
    expect(() => execFileSync(process.execPath, [writer, path, '1'], { stdio: 'pipe' })).toThrow(
      'is written by another process',
    );
    first.close();
    SharedRecord.write(path).close();
  });

  test('a link, a folder, and a file of something else are refused, and left as they are', () => {
    const [link, other] = [fresh(), fresh()];
    writeFileSync(other, 'mine');
    symlinkSync(other, link);
    expect(() => SharedRecord.write(link)).toThrow(`shared time ${link}: cannot be had`);
    expect(() => SharedRecord.write(folder)).toThrow(`shared time ${folder}`);
    expect(() => SharedRecord.write(other)).toThrow('holds something else: expected 192 bytes, found 4');
    expect(readFileSync(other, 'utf8')).toBe('mine');
  });
});

describe('a client of the record', () => {
  const at = (more: object = {}) => {
    const path = fresh();
    const shared = SharedRecord.write(path);
    const reader = new SharedRecordReader(path);
    const counter = reader.counter();
    reader.close();
    shared.write({ ...record, counter, time: BigInt(Date.now()) * 1_000_000n, ...more });
    return { path, shared, counter, client: EscapementClient.shared({ path }) };
  };

  test('walks on from the anchor, and its bounds grow', async () => {
    const { client, shared } = at();
    const first = client.now();
    await new Promise(resolve => setTimeout(resolve, 50));
    const second = client.now();
    expect(Math.abs(second.time - Date.now() / 1000)).toBeLessThan(0.5);
    expect(second.time - first.time).toBeGreaterThan(0.045);
    expect(second.nanoseconds).toBeGreaterThan(first.nanoseconds);
    expect(second.maxError).toBeGreaterThan(first.maxError);
    expect(second.age).toBeGreaterThan(1.04);
    expect(second.latest - second.earliest).toBeCloseTo(2 * second.maxError, 5);
    expect(client.happenedBefore(first, second)).toBe(true);
    expect(client.happenedBefore(first, client.boundsAt(first.time + 1))).toBe(true);
    expect(client.boundsAt(second.time + 100).maxError).toBeCloseTo(second.maxError + 1.5e-3, 5);
    shared.close();
  });

  test.each([
    ['older than it may be', { validFor: 1n }, /is stale: process \d+ wrote it \d+\.\d s ago, good for 0\.0 s/],
    ['written while nothing is known', { known: false }, /says that the time is not known/],
    ['from a later start of the machine', { counter: 2n ** 62n }, /is from another start of this machine/],
  ])('refuses a record that is %s', (_, more, why) => {
    const { client, shared } = at(more);
    expect(() => client.now()).toThrow(TimeUnknownError);
    expect(() => client.now()).toThrow(why);
    shared.close();
  });

  test('refuses where there is no record, and takes the one that comes', async () => {
    const path = fresh();
    const client = EscapementClient.shared({ path });
    expect(() => client.now()).toThrow(`${path} is not there`);
    const { shared, counter } = at();
    shared.close();
    const late = SharedRecord.write(path);
    late.write({ ...record, counter, time: BigInt(Date.now()) * 1_000_000n });
    const by = (): string => {
      try {
        return client.now().by;
      } catch (error) {
        return String(error);
      }
    };
    await expect.poll(by, { timeout: 10_000 }).toBe('test');
    // The file is made anew under its readers.
    rmSync(path);
    const next = SharedRecord.write(path);
    late.write({ ...record, known: false, counter, time: 0n });
    next.write({ ...record, counter, time: BigInt(Date.now()) * 1_000_000n, by: 'next' });
    await expect.poll(by, { timeout: 10_000 }).toBe('next');
    late.close();
    next.close();
    client.close();
    expect(() => client.now()).toThrow('the client is closed');
  });

  test('waits until a time has certainly passed, and can be called off', async () => {
    const { client, shared } = at();
    const target = client.now().time + 0.1;
    const reached = await client.waitUntil(target);
    expect(reached.earliest).toBeGreaterThanOrEqual(target);
    expect(reached.earliest).toBeLessThan(target + 0.1);
    const likely = await client.waitUntil(new Date((client.now().time + 0.05) * 1000), { until: 'time' });
    expect(likely.earliest).toBeLessThan(likely.time);
    expect(await client.waitUntil(0)).toBeDefined();
    await expect(client.waitUntil(target + 60, { signal: AbortSignal.timeout(20) })).rejects.toThrow(/timeout/i);
    await expect(client.waitUntil(Number.NaN)).rejects.toThrow('expected Unix seconds or a Date, found NaN');
    shared.close();
  });
});

test('the sink shared-time: what a run tells is what a client reads, and no more once it has ended', async () => {
  const path = fresh();
  const source = await upstream(0.1);
  const run = await serving([`127.0.0.1:${source.endpoint.port}`], [{ use: 'shared-time', path, every: '50 ms' }]);
  try {
    await run.says(/writes the time of 'kalman'/);
    expect(statSync(path).size).toBe(192);
    const client = EscapementClient.shared({ path });
    await expect.poll(() => client.now().by, { timeout: 5000 }).toBe('kalman');
    const now = client.now();
    expect(Math.abs(now.time - Date.now() / 1000 - 0.1)).toBeLessThan(0.02);
    expect(now.maxError).toBeGreaterThan(0.007);
    expect(now.earliest).toBeLessThan(Date.now() / 1000 + 0.1);
    source.close();
    await run.stop();
    expect(() => client.now()).toThrow('the time is not known');
  } finally {
    source.close();
  }
});
