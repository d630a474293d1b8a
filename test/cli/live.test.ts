import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyUnreachable } from '../../src/cli/internet.js';
import type { RunSummary } from '../../src/core/contracts/index.js';
import { SystemClock } from '../../src/plugins/clocks/system.js';
import { NtpServer } from '../../src/plugins/sinks/ntp-server.js';
import { escapement, start } from '../support/cli.js';
import { scratch } from '../support/escapement.js';
import { changed } from '../support/models.js';

const below = scratch();
let folders = 0;
const folder = (): string => join(below, String(folders++));

const clock = new SystemClock({ through: 'auto' });
const epoch = Number(clock.epoch / 1_000_000_000n);
const state = { leap: 0, stratum: 1, precision: -20, rootDelay: 0, rootDispersion: 1e-3, referenceId: 0 };

let ours: NtpServer;
let server: string;
beforeAll(async () => {
  ours = await NtpServer.listen({
    address: '127.0.0.1',
    port: 0,
    epoch,
    state: () => state,
    now: () => clock.read().counter + 0.1,
  });
  server = `127.0.0.1:${ours.endpoint.port}`;
});
afterAll(() => ours.close());

const json = (path: string): Record<string, unknown> => JSON.parse(readFileSync(path, 'utf8'));

/** How many rows a CSV file has, all of them whole: a line feed at the end of each, and as many columns as the head. */
function wholeRows(path: string): number {
  const text = readFileSync(path, 'utf8');
  expect(text.endsWith('\n')).toBe(true);
  const columns = text
    .slice(0, -1)
    .split('\n')
    .filter(line => !line.startsWith('#'))
    .map(line => line.replaceAll(/"([^"]|"")*"/g, '').split(',').length);
  expect(new Set(columns).size, `${path} has rows of different lengths`).toBe(1);
  return columns.length - 1;
}

describe('escapement live against a server of ours', () => {
  test.each([[[]], [['--quiet']]])('says at its end what has become of questions to a model %j', async more => {
    const { code, stdout, stderr } = await escapement([
      ...['live', '--server', server, '--interval', '200 ms', '--for', '3s', '--pipeline', 'learned', ...more],
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [, asked] = /^pipelines\/learned\/predictor: model 'clock-gru', (\d+) questions, .*; told: /m.exec(stdout)!;
    expect(Number(asked)).toBeGreaterThan(5);
    expect(stdout.match(/model 'clock-gru', \d+ questions/g)).toHaveLength(1);
  });

  test('outlives a model that hangs, and ends in the middle of its run', async () => {
    // Values of over 0.05 are what it takes seconds for; the server is 0.1 s off.
    const card = changed('hangs', one =>
      Object.assign(one, {
        sampling: { mode: 'regular', period: 0.1 },
        context: { min: 3, max: 60 },
        normalisation: { detrend: 'none', scale: 'unit', unit: 's' },
      }),
    );
    const order = [{ use: 'onnx', card, worker: true, timeLimit: '20 ms' }, 'theil-sen'];
    const pipeline = join(dirname(card), 'pipeline.yaml');
    writeFileSync(
      pipeline,
      JSON.stringify({ name: 'hangs', predictor: { use: 'fallback', order }, corrector: 'none' }),
    );
    const { code, signal, stdout, stderr } = await escapement([
      ...['live', '--server', server, '--interval', '100 ms', '--for', '4s', '--pipeline', pipeline, '--quiet'],
    ]);
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
    const [, asked, late] = /model 'hangs', (\d+) questions, (\d+) answers late, 0 dropped/.exec(stdout)!;
    expect(Number(asked)).toBeGreaterThan(5);
    // The last one may be open at the end.
    expect(Number(asked) - Number(late)).toBeLessThanOrEqual(1);
  });

  test('tells the offset of each round and pipeline, then the table, and leaves the files of a finished run', async () => {
    const out = folder();
    const { code, stdout, stderr } = await escapement([
      ...['live', '--server', server, '--interval', '200 ms', '--for', '3s', '--out', out],
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^Clock: (CLOCK_REALTIME|Date\.now)/);
    expect(stdout).toMatch(/\[\d+\.\d s\] NTP: offset=\+(99\.\d|100|101) ms ± [\d.]+ [mµn]s \(1\/1 used/);
    for (const pipeline of ['default', 'kalman-median', 'offset-only', 'kalman-drift']) {
      expect(stdout).toMatch(
        new RegExp(`${pipeline} +offset=\\+(9[89]\\.\\d|10[012]) ms ± .* drift=[+-].* ppm  at most ± [\\d.]+ ms`),
      );
    }
    expect(stdout).toContain('Error = told − the NTP measurements');
    expect(stdout).toMatch(/bare-clock +│ +(9\d\.\d|1[0-4]\d) ms/);
    expect(readdirSync(out).sort()).toEqual(
      [
        ...['manifest.json', 'measurements.csv', 'scenario.yaml', 'summary.json'],
        ...['samples-bare-clock.csv', 'scored-bare-clock.csv'],
        ...['default', 'kalman-drift', 'kalman-median', 'offset-only'].flatMap(name => [
          `estimates-${name}.csv`,
          `samples-${name}.csv`,
          `scored-${name}.csv`,
        ]),
      ].sort(),
    );
    const manifest = json(join(out, 'manifest.json'));
    expect(manifest).toMatchObject({ status: 'finished', scenario: 'live' });
    expect(manifest['clock']).toMatch(/CLOCK_REALTIME|process\.hrtime/);
    const rows = wholeRows(join(out, 'measurements.csv'));
    expect(rows).toBeGreaterThan(8);
    const summary = json(join(out, 'summary.json')) as unknown as RunSummary;
    expect(summary).toMatchObject({ world: 'real', interrupted: false, duration: 3 });
    expect(summary.exchanges.answered).toBe(rows);
  });

  test('--json prints one document, and nothing else on standard output', async () => {
    const { code, stdout, stderr } = await escapement([
      ...['live', '--server', server, '--interval', '200 ms', '--for', '2s', '--json', '--pipeline', 'regression'],
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const summary = JSON.parse(stdout) as RunSummary;
    expect(summary.pipelines.map(({ name, reference }) => [name, reference])).toEqual([
      ['bare-clock', 'ntp'],
      ['regression', 'ntp'],
    ]);
    expect(Math.abs(summary.pipelines[0]!.error!.p50 - 0.1)).toBeLessThan(0.02);
    expect(summary.pipelines[1]!.error!.p50).toBeLessThan(0.03);
  });

  test('its folder holds a scenario that runs again, also with --json', async () => {
    const out = folder();
    await escapement(['live', '--server', server, '--interval', '200ms', '--for', '1s', '--out', out]);
    const { code, stdout, stderr } = await escapement(['run', join(out, 'scenario.yaml'), '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ scenario: 'live', world: 'real', duration: 1 });
  });

  test('a server that never answers: nothing is made up, and the exit code says so', async () => {
    const gone = await NtpServer.listen({ address: '127.0.0.1', port: 0, epoch, state: () => state, now: () => 0 });
    const name = `127.0.0.1:${gone.endpoint.port}`;
    gone.close();
    const { code, stdout, stderr } = await escapement(['live', '--server', name, '--for', '2s']);
    expect(code).toBe(1);
    expect(stderr).toBe('escapement: live: no server gave a usable answer\n');
    expect(stdout).toContain(`NTP: nothing to go by (0/1 used; not used: ${name}: timeout)`);
    expect(stdout).not.toContain('NaN');
    expect(stdout).toMatch(/offset-only +knows nothing yet/);
  });

  test('without koffi it reads the clock through Node, and the manifest says so', async () => {
    // What npm installs, but for koffi: the bundle needs nothing else to run this.
    const root = fileURLToPath(new URL('../../', import.meta.url));
    const copy = folder();
    for (const part of ['bin', 'dist', 'package.json', 'scenarios'])
      cpSync(join(root, part), join(copy, part), { recursive: true });
    const out = join(copy, 'out');
    const { code, stderr } = await start(
      ['live', '--server', server, '--interval', '200ms', '--for', '2s', '--out', out],
      {},
      join(copy, 'bin', 'escapement.js'),
    ).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(json(join(out, 'manifest.json'))['clock']).toMatch(
      /^Date\.now and process\.hrtime \(koffi is not used: (Cannot find module 'koffi'|no CLOCK_MONOTONIC_RAW)/,
    );
    const summary = json(join(out, 'summary.json')) as unknown as RunSummary;
    expect(Math.abs(summary.pipelines[0]!.error!.p50 - 0.1)).toBeLessThan(0.02);
  });
});

describe('an interrupted run', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)(
    'by %s ends with the table, whole rows and a manifest that says so',
    async signal => {
      const out = folder();
      const run = start(['live', '--server', server, '--interval', '100ms', '--out', out]);
      await run.shows(/\[[2-9]\.\d s\] NTP/);
      expect(json(join(out, 'manifest.json'))).toMatchObject({ status: 'running' });
      const asked = performance.now();
      run.child.kill(signal);
      const { code, stdout, stderr } = await run.ended;
      expect(performance.now() - asked).toBeLessThan(5000);
      expect({ code, stderr }).toEqual({ code: signal === 'SIGINT' ? 130 : 0, stderr: '' });
      expect(stdout).toContain('(interrupted)');
      expect(stdout).toContain('Error = told − the NTP measurements');
      expect(json(join(out, 'manifest.json'))).toMatchObject({ status: 'interrupted' });
      const summary = json(join(out, 'summary.json')) as unknown as RunSummary;
      expect(summary.interrupted).toBe(true);
      expect(summary.duration).toBeGreaterThan(0.9);
      expect(wholeRows(join(out, 'measurements.csv'))).toBe(summary.exchanges.answered);
      for (const file of readdirSync(out).filter(name => name.endsWith('.csv'))) wholeRows(join(out, file));
    },
  );

  test('that is killed outright leaves whole rows of all but the last moments, and a manifest that says "running"', async () => {
    const out = folder();
    const run = start(['live', '--server', server, '--interval', '100ms', '--out', out]);
    await run.shows(/\[[4-9]\.\d s\] NTP/);
    run.child.kill('SIGKILL');
    await run.ended;
    expect(json(join(out, 'manifest.json'))).toMatchObject({ status: 'running' });
    expect(wholeRows(join(out, 'measurements.csv'))).toBeGreaterThan(10);
    expect(wholeRows(join(out, 'estimates-kalman-drift.csv'))).toBeGreaterThan(10);
  });
});

describe('the demo', () => {
  // A machine that is busy with something else may spoil one try.
  test('starts servers of its own, names the liar, and the pipeline that votes is right', { retry: 2 }, async () => {
    const out = folder();
    const { code, stdout, stderr } = await escapement(['live', '--demo', '--for', '8s', '--out', out]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/liar +127\.0\.0\.1:\d+ .*FALSETICKER, 250 ms ahead/);
    expect(stdout).toMatch(/3\/4 used; not used: liar: falseticker/);
    expect(stdout).toMatch(/liar +answered \d+\/\d+, used 0; last time not: falseticker/);
    expect(stdout).toMatch(/kalman-median +mean \|error\| ([\d.]+ µs|1?\d\.\d+ ms), at the end/);
    expect(stdout).toMatch(/offset-only +mean \|error\| (1\d\d|2\d\d) ms/);
    const { pipelines } = json(join(out, 'summary.json')) as unknown as RunSummary;
    const voting = pipelines.find(({ name }) => name === 'kalman-median')!;
    expect(voting.error!.p50).toBeLessThan(10e-3);
    expect(voting.winRate).toBeGreaterThan(0.9);
    expect(pipelines[0]!.error!.p50).toBeGreaterThan(20e-3);
    expect(pipelines[0]!.error!.p50).toBeLessThan(40e-3);
  });

  test('with --json says what its servers are on the other output', async () => {
    const { code, stdout, stderr } = await escapement(['live', '--demo', '--for', '2s', '--json']);
    expect(code).toBe(0);
    expect(stderr).toContain('FALSETICKER');
    expect((JSON.parse(stdout) as RunSummary).scenario).toBe('live-demo');
  });
});

describe('refused, with exit code 2 and one line', () => {
  /** No name has an address, as on a machine without a route to a name server. */
  const offline = {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(
      "import promises from 'node:dns/promises'; import { syncBuiltinESMExports } from 'node:module';" +
        "promises.lookup = async name => { throw Object.assign(new Error('getaddrinfo EAI_AGAIN ' + name), { code: 'EAI_AGAIN' }); };" +
        'syncBuiltinESMExports();',
    )}`,
  };

  test.each<[string, string[], string, NodeJS.ProcessEnv?]>([
    [
      'no server is named and there is no route to the internet',
      [],
      'live: no route to the internet: no name server answers for pool.ntp.org (name a server with --server, or try --demo)',
      offline,
    ],
    [
      'public servers would be asked too often',
      ['--interval', '10 s', '--server', 'ntp.example.org'],
      '--interval: expected at least 64 s, found 10 s: ntp.example.org is not on this machine (public servers are shared; shorter intervals are for servers on loopback)',
    ],
    [
      'one of several is not on this machine',
      ['--interval', '63 s', '--server', '127.0.0.1:11123', '192.0.2.1'],
      '--interval: expected at least 64 s, found 63 s: 192.0.2.1 is not on this machine (public servers are shared; shorter intervals are for servers on loopback)',
    ],
    [
      'the duration is none',
      ['--for', 'ever', '--server', '127.0.0.1'],
      "--for: expected a time such as 64 s, 200 ms or 3 h, found 'ever'",
    ],
    ['the duration is nothing', ['--for', '0 s', '--server', '127.0.0.1'], '--for: expected more than 0 s, found 0 s'],
    [
      'the longest interval is under the shortest',
      ['--server', '127.0.0.1', '--interval', '16 s', '--max-interval', '8 s'],
      '--max-interval: expected at least 16 s, found 8 s',
    ],
    [
      'the pool is to prove itself',
      ['--nts'],
      '--nts: has no meaning for servers of the public pool (name yours with --server)',
    ],
    [
      'both proofs are wanted',
      ['--server', 'a.example', '--nts', '--key', '1'],
      '--key: expected one of --nts and --key, found both',
    ],
    [
      'a key has no file',
      ['--server', 'a.example', '--key', '1'],
      '--key: expected --key-file FILE with it, found none',
    ],
    [
      'a file of keys has no key',
      ['--server', 'a.example', '--key-file', 'keys'],
      '--key-file: expected --key NUMBER with it, found none',
    ],
    [
      'a key is no number',
      ['--server', 'a.example', '--key-file', 'keys', '--key', 'ten'],
      "--key: expected the number of a key, found 'ten'",
    ],
    [
      'authorities are named without NTS',
      ['--server', 'a.example', '--ca', 'ca.pem'],
      '--ca: says whom to trust with --nts, which is missing',
    ],
    ['the interval is negative', ['--interval', '-1 s', '--demo'], '--interval: expected more than 0 s, found -1 s'],
    [
      'the server has no such port',
      ['--server', '127.0.0.1:99999'],
      '--server 127.0.0.1:99999: expected a port from 1 to 65535, found 99999',
    ],
    [
      'the demo is given servers',
      ['--demo', '--server', '127.0.0.1'],
      '--server: the demo brings its own servers (leave out --server or --demo)',
    ],
    [
      'the pipeline is misspelt',
      ['--server', '127.0.0.1', '--pipeline', 'kalman-medain'],
      "--pipeline: unknown pipeline 'kalman-medain' (did you mean 'kalman-median'?)",
    ],
  ])('%s', async (_why, args, message, env) => {
    const out = folder();
    const { code, stdout, stderr } = await escapement(['live', '--out', out, ...args], env);
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: `escapement: ${message}\n` });
    expect(existsSync(out)).toBe(false);
  });
});

describe('whether NTP gets through', () => {
  test('it does where a server answers', async () => {
    expect(await whyUnreachable('127.0.0.1', ours.endpoint.port, 2)).toBeUndefined();
  });

  test('it does not where none does, or none has an address', async () => {
    const gone = await NtpServer.listen({ address: '127.0.0.1', port: 0, epoch, state: () => state, now: () => 0 });
    const { port } = gone.endpoint;
    gone.close();
    expect(await whyUnreachable('127.0.0.1', port, 0.2)).toBe(`127.0.0.1 does not answer on UDP port ${port}`);
    expect(await whyUnreachable('ntp.invalid', 123, 0.2)).toMatch(/ntp\.invalid/);
    expect(await whyUnreachable('255.255.255.255', 123, 0.2)).toBe('sending is forbidden (EACCES)');
  });
});
