import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StatusDocument, TimeDocument } from '../../src/core/serving/documents.js';
import { SystemClock } from '../../src/plugins/clocks/system.js';
import { NtpServer } from '../../src/plugins/sinks/ntp-server.js';
import { type CliRun, start } from '../support/cli.js';
import { scratch, write } from '../support/escapement.js';

const below = scratch();
const clock = new SystemClock({ through: 'auto' });
const epoch = Number(clock.epoch / 1_000_000_000n);
const state = { leap: 0, stratum: 1, precision: -20, rootDelay: 0, rootDispersion: 1e-3, referenceId: 0x47505300 };

/** By the servers this machine's clock is so far behind. */
const AHEAD = 0.1;

let ntp: NtpServer[];
let servers: string[];
beforeAll(async () => {
  ntp = await Promise.all(
    [0, 1, 2].map(() =>
      NtpServer.listen({
        address: '127.0.0.1',
        port: 0,
        epoch,
        state: () => state,
        now: () => clock.read().counter + AHEAD,
      }),
    ),
  );
  servers = ntp.map(({ endpoint }) => `127.0.0.1:${endpoint.port}`);
});
afterAll(() => {
  for (const server of ntp) server.close();
});

const config = (changes: object = {}): string =>
  JSON.stringify({
    name: 'service',
    world: { kind: 'real' },
    sources: { ntp: { use: 'ntp', servers, poller: { use: 'fixed', interval: '200 ms', burst: 1 } } },
    pipelines: [
      { name: 'default', corrector: 'ensemble' },
      { name: 'voted', filters: ['delay-excess'], combiner: 'source-bias', supervisors: ['calibration'] },
    ],
    sinks: [{ use: 'http', port: 0 }],
    ...changes,
  });

/** Where the service listens, once it has said so for the `n`th time. */
async function addressOf(run: CliRun, n = 1): Promise<string> {
  const pattern = new RegExp(`(?:listens on http://127\\.0\\.0\\.1:\\d+[^]*){${n - 1}}listens on (http:\\S+)\\n`);
  return (await run.shows(pattern))[1]!;
}
const get = async <T>(url: string): Promise<T> => (await fetch(url)).json() as Promise<T>;

async function settled(base: string): Promise<StatusDocument> {
  for (;;) {
    const status = await get<StatusDocument>(`${base}/status`);
    if (status.pipelines.every(({ applied }) => applied >= 6)) return status;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

const live = (...args: string[]): CliRun => start(['live', ...args, '--quiet']);

describe('escapement live CONFIG.yaml', () => {
  test('goes on after a restart as if nothing had happened: the time is known before any server is asked', async () => {
    const file = write(below, 'restarted.yaml', config());
    const kept = join(below, 'kept', 'state.json');
    const first = live(file, '--state', kept);
    const before = await settled(await addressOf(first));
    first.child.kill('SIGTERM');
    expect(await first.ended).toMatchObject({ code: 0, stderr: '' });

    // Nobody answers now: what is told is what was known.
    const silent = write(below, 'silent.yaml', config({ sources: { ntp: { use: 'ntp', servers: ['127.0.0.1:9'] } } }));
    const second = live(silent, '--state', kept);
    const base = await addressOf(second);
    for (const pipeline of ['default', 'voted']) {
      const told = await get<TimeDocument>(`${base}/time?pipeline=${pipeline}`);
      expect(told.synchronised).toBe(true);
      expect(Math.abs(told.offset - AHEAD)).toBeLessThan(0.05);
      const earlier = before.pipelines.find(({ name }) => name === pipeline)!;
      expect(Math.abs(told.offset - AHEAD)).toBeLessThan(told.maxError!);
      expect(earlier.now.synchronised).toBe(true);
    }
    second.child.kill('SIGTERM');
    const { code, stdout } = await second.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/state: \d+ parts go on after \d+ s\n/);
  });

  test.each([
    ['torn', (text: string) => text.slice(0, -200), 'it is torn: not all of it was written'],
    ['foreign', () => 'version: 1\n', 'it is no state file'],
  ])('a %s state file is refused with one line, and the start is a cold one', async (name, change, why) => {
    const file = write(below, `${name}.yaml`, config());
    const kept = join(below, `${name}.json`);
    const first = live(file, '--state', kept);
    await addressOf(first);
    first.child.kill('SIGTERM');
    await first.ended;
    writeFileSync(kept, change(readFileSync(kept, 'utf8')));
    const second = live(file, '--state', kept, '--for', '1 s');
    const { code, stderr, stdout } = await second.ended;
    expect(code).toBe(0);
    expect(stderr).toBe(`escapement: live: state: ${kept} is not used, the start is a cold one: ${why}\n`);
    expect(stdout).toContain('the start is a cold one');
    expect(stdout).not.toContain('go on after');
  });

  test('after a reboot drift and paths are kept, phases not', async () => {
    const file = write(below, 'rebooted.yaml', config());
    const kept = join(below, 'rebooted.json');
    const first = live(file, '--state', kept);
    await settled(await addressOf(first));
    first.child.kill('SIGTERM');
    await first.ended;
    // As another boot would have left it.
    const { StateFile } = await import('../../src/cli/state-file.js');
    const found = new StateFile(kept).read();
    if (found === undefined || !('state' in found)) throw new Error('there is no state');
    const { state: inside } = found;
    const machine = inside.clock!.state as { boot: string };
    machine.boot = 'another';
    new StateFile(kept).write(inside);
    const second = live(file, '--state', kept);
    const base = await addressOf(second);
    const status = await settled(base);
    for (const { now } of status.pipelines) expect(Math.abs(now.offset - AHEAD)).toBeLessThan(0.05);
    second.child.kill('SIGTERM');
    expect((await second.ended).stdout).toContain(
      'the counter has begun anew: drift and paths are kept, phases not (the machine has been restarted)',
    );
  });

  test('a changed file and SIGHUP take a new configuration without forgetting, or keep the old one and say why', async () => {
    const file = write(below, 'reloaded.yaml', config());
    const run = live(file);
    await settled(await addressOf(run));
    // One that is none: the old one stays in force.
    writeFileSync(file, config({ pipelines: [{ name: 'default', corrector: 'ensembel' }] }));
    await run.shows(/the old one stays in force: .*unknown corrector 'ensembel' \(did you mean 'ensemble'\?\)/);
    // One that cannot begin.
    writeFileSync(file, config({ sinks: [{ use: 'http', host: '192.0.2.1' }] }));
    await run.shows(/the old one stays in force: sink http: 192\.0\.2\.1 is no address of this machine/);
    // A good one: what is told is what was known, before any server of the new one has been asked.
    writeFileSync(
      file,
      config({ name: 'renamed', sources: { ntp: { use: 'ntp', servers: ['127.0.0.1:9'], timeout: '200 ms' } } }),
    );
    await run.shows(/configuration: the new one is in force/);
    const base = await addressOf(run, 3);
    const status = await get<StatusDocument>(`${base}/status`);
    expect(status.service.name).toBe('renamed');
    expect(status.pipelines.map(({ now }) => now.synchronised)).toEqual([true, true]);
    expect(Math.abs(status.pipelines[0]!.now.offset - AHEAD)).toBeLessThan(0.05);
    // What happened before is still known.
    expect(status.events.some(({ what }) => what.includes('192.0.2.1'))).toBe(true);
    run.child.kill('SIGHUP');
    await run.shows(/asked by SIGHUP: it says the same as before/);
    run.child.kill('SIGTERM');
    expect((await run.ended).code).toBe(0);
  });

  test('a server that falls silent is holdover with growing bounds, and is heard again', async () => {
    const other = await NtpServer.listen({
      ...{ address: '127.0.0.1', port: 0, epoch, state: () => state, now: () => clock.read().counter + AHEAD },
    });
    const { port } = other.endpoint;
    const sources = {
      ntp: { use: 'ntp', servers: [`127.0.0.1:${port}`], timeout: '200 ms', poller: { use: 'fixed', interval: 0.3 } },
    };
    const run = live(write(below, 'lost.yaml', config({ sources })));
    const base = await addressOf(run);
    await settled(base);
    other.close();
    await run.shows(/servers: holdover begins: no server has answered for/);
    const first = await get<StatusDocument>(`${base}/status`);
    expect(first.service.phase).toBe('holdover');
    await new Promise(resolve => setTimeout(resolve, 500));
    const second = await get<StatusDocument>(`${base}/status`);
    first.pipelines.forEach(({ now }, i) => {
      expect(second.pipelines[i]!.now.maxError).toBeGreaterThan(now.maxError!);
      expect(second.pipelines[i]!.now.synchronised).toBe(true);
    });
    const again = await NtpServer.listen({
      ...{ address: '127.0.0.1', port, epoch, state: () => state, now: () => clock.read().counter + AHEAD },
    });
    await run.shows(/servers: holdover ends: 127\.0\.0\.1:\d+ answers/);
    again.close();
    run.child.kill('SIGTERM');
    await run.ended;
  });

  test.each([
    [
      ['scenarios/quiet-lan.yaml'],
      'scenarios/quiet-lan.yaml world.kind: expected real, found simulated (escapement run scenarios/quiet-lan.yaml)',
    ],
    [['nowhere.yaml'], 'nowhere.yaml: cannot be read: no such file or folder'],
    [
      ['scenarios/quiet-lan.yaml', '--server', 'a'],
      '--server: scenarios/quiet-lan.yaml says that (leave out one of the two)',
    ],
    [['--server', '127.0.0.1:9', '--http', 'x'], "--http: expected [ADDRESS:]PORT, found 'x'"],
    [
      ['--server', '127.0.0.1:9', '--state', '/proc/none/state.json'],
      '--state: nothing can be kept in /proc/none/state.json: no such file or folder',
    ],
  ])('live %j: one clear error, exit code 2', async (args, message) => {
    const { code, stderr } = await start(['live', ...args]).ended;
    expect({ code, stderr }).toEqual({ code: 2, stderr: `escapement: ${message}\n` });
  });
});
