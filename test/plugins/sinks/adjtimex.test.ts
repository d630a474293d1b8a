import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Answer, CorrectedTime, RunInfo, TimeService } from '../../../src/core/contracts/index.js';
import type { Timex, TimexCall } from '../../../src/core/discipline/kernel-clock.js';
import { AdjtimexSink } from '../../../src/plugins/sinks/adjtimex.js';
import { serving, upstream } from '../../support/serving.js';

// Nothing here ever touches this machine's clock: the kernel is a recording, or refuses, or is not asked.

const run: RunInfo = {
  ...{ scenario: 's', description: '', seed: '1', world: 'real', epoch: 1_767_225_600, duration: undefined, warmup: 0 },
  ...{ pipelines: ['p'], reference: 'ntp', clock: 'RAW', counterOrigin: 0n },
};
const OPTIONS = { allow: 'step', step: 0.128, steps: 1, largest: 1000, every: 4, maxAge: 60, maxError: 1 } as const;

/** A sink on a recorded kernel, with the offset and drift that its pipeline tells. */
function steering(tells: { offset: number; drift: number; known?: boolean }, more: object = {}) {
  const calls: TimexCall[] = [];
  const said: string[] = [];
  let freq = 0;
  const timex: Timex = {
    call: request => {
      if (request.modes !== 0) calls.push(request);
      if (request.freq !== undefined) freq = request.freq;
      return { freq, tick: 10_000, status: 0 };
    },
  };
  const ahead = (seconds: number): Answer => {
    const reading = { wall: 100 + seconds, counter: 100 + seconds };
    const told: CorrectedTime = {
      ...{ time: reading.wall + tells.offset + tells.drift * seconds, offset: tells.offset, axis: 'counter' },
      ...{ uncertainty: 1e-4, level: 0.95, maxError: tells.known === false ? undefined : 0.01, by: 'kalman' },
    };
    const estimate = { at: { wall: 99, counter: 99 }, drift: tells.drift } as Answer['estimate'];
    return { pipeline: 'p', reading, told, estimate };
  };
  const service: TimeService = { now: () => ahead(0).told, read: () => ahead(0), ahead, models: () => [] };
  const sink = new AdjtimexSink({ ...OPTIONS, ...more } as ConstructorParameters<typeof AdjtimexSink>[0], what =>
    said.push(what),
  );
  sink.begin(run, service, more && 'allow' in more && more.allow === 'nothing' ? undefined : timex);
  return {
    sink,
    calls,
    said,
    tells,
    other: (by: number) => {
      freq = by;
    },
  };
}

describe('on a recorded kernel', () => {
  test('steps once, then only slews, and sets the drift as a frequency', () => {
    const { sink, calls, said } = steering({ offset: 0.5, drift: 20e-6 });
    sink.steer();
    sink.steer();
    expect(calls.map(({ time, offset }) => time ?? offset)).toEqual([
      ...[undefined, 0, { seconds: 0, nanoseconds: 500_000_000 }],
      ...[undefined, 500_000],
    ]);
    expect(calls[0]!.freq).toBeCloseTo(20 * 65_536, -1);
    expect(said.slice(1)).toEqual(['steps the clock by +500 ms', 'steers the clock: +500 ms to make good, 20.000 ppm']);
  });

  test.each([
    ['while the time is not known', { known: false }, {}, /leaves the clock alone: nothing is known yet/],
    ['when the error is too large to be one', { offset: 2000 }, {}, /leaves the clock alone: it is wrong by 2000 s/],
    ['when it may do nothing', {}, { allow: 'nothing' }, /would set the clock: \+10\.0 ms to make good, 0\.000 ppm/],
  ])('asks for nothing %s', (_, tells, options, says) => {
    const { sink, calls, said } = steering({ offset: 0.01, drift: 0, ...tells }, options);
    sink.steer();
    sink.steer();
    expect(calls).toEqual([]);
    expect(said.filter(what => says.test(what))).toHaveLength(1);
  });

  test('lets go when another program sets the clock', () => {
    const { sink, calls, said, other } = steering({ offset: 0.01, drift: 0 });
    sink.steer();
    const before = calls.length;
    other(4242);
    sink.steer();
    sink.steer();
    expect(calls).toHaveLength(before);
    expect(said.at(-1)).not.toMatch(/steers/);
    expect(said.join('\n')).toContain('lets go of the clock: another program has changed its frequency');
  });
});

test('without the privilege the run is refused at the start, in one line', () => {
  const bin = fileURLToPath(new URL('../../../bin/escapement.js', import.meta.url));
  const live = [bin, 'live', '--demo', '--for', '1s', '--sink', '{ use: adjtimex, allow: slew }'];
  const root = /^CapEff:\s*0*[1-9a-f]/im.test(readFileSync('/proc/self/status', 'utf8'));
  const [command, ...args] = root
    ? ['setpriv', '--bounding-set', '-sys_time', process.execPath, ...live]
    : [process.execPath, ...live];
  const { status, stderr } = spawnSync(command!, args, { encoding: 'utf8', timeout: 30_000 });
  expect(stderr).toMatch(
    /^escapement: sink adjtimex: may not set the system clock: not permitted \(EPERM\) \(it needs CAP_SYS_TIME: .*\)\n$/,
  );
  expect(status).toBe(2);
});

test('it has to be said what is allowed, and to be a pipeline that does not feel it', async () => {
  const failed = async (sink: object, pipelines?: object[]) => {
    const source = await upstream(0);
    const started = await serving([`127.0.0.1:${source.endpoint.port}`], [{ use: 'adjtimex', ...sink }], pipelines);
    await expect(started.says(/never/)).rejects.toThrow(/./);
    source.close();
    return started.stop();
  };
  await expect(serving(['127.0.0.1:1'], [{ use: 'adjtimex' }])).rejects.toThrow(/allow/);
  await expect(failed({ allow: 'nothing' }, [{ name: 'wall', axis: 'wall' }])).rejects.toThrow(
    "expected a pipeline on the counter, found 'wall' on the wall clock",
  );
});

test('allowed nothing, it says what it would do', async () => {
  const source = await upstream(0.1);
  const sink = { use: 'adjtimex', allow: 'nothing', every: '1 s' };
  const started = await serving([`127.0.0.1:${source.endpoint.port}`], [sink]);
  await started.says(/only says what it would do/);
  await started.says(/would set the clock: \+(9\d\.\d|1\d\d) ms to make good, -?\d+\.\d+ ppm/);
  source.close();
  await started.stop();
});
