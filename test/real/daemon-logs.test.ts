import { execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import '../../src/plugins/formats/chrony-measurements.js';
import '../../src/plugins/formats/ntp-peerstats.js';
import '../../src/plugins/formats/ntp-rawstats.js';
import type { ServerState } from '../../src/core/contracts/index.js';
import { respond } from '../../src/core/ntp/responder.js';
import { failuresOf, measurementsOf, readAs } from '../support/formats.js';
import { put, replayed, temporaryFolder } from '../support/replay.js';

const CHRONYD = '/usr/sbin/chronyd';
const NTPD = join(process.env['NTPSEC_ROOT'] ?? '/opt/ntpsec', 'usr/sbin/ntpd');
const root = process.getuid?.() === 0;
/** In CI a missing daemon is a failure: .ci/install.sh brings them. */
const inCi = (process.env['CI'] ?? '') !== '';

const folder = temporaryFolder();
chmodSync(folder, 0o700);

function need(daemon: string): void {
  if (!existsSync(daemon)) throw new Error(`${daemon} is missing: run .ci/install.sh`);
  if (!root) throw new Error('these daemons need root');
}

/** An NTP server on a free loopback port whose clock is `ahead` seconds ahead. */
async function serve(address: string, ahead: number, state: Partial<ServerState> = {}) {
  const epoch = Math.floor(Date.now() / 1000);
  const now = (): number => performance.timeOrigin / 1000 - epoch + performance.now() / 1000 + ahead;
  const whole = {
    leap: 0,
    stratum: 1,
    precision: -20,
    rootDelay: 0,
    rootDispersion: 0.001,
    referenceId: 0x58585858,
    ...state,
  };
  const socket = createSocket('udp4');
  socket.on('message', (question, from) => {
    const at = now();
    const answer = respond(question, whole, at, at, epoch);
    if (answer !== undefined) socket.send(answer, from.port, from.address);
  });
  await new Promise<void>(done => socket.bind(0, address, done));
  return { port: (socket.address() as AddressInfo).port, close: () => socket.close() };
}

describe.skipIf(!inCi && !(root && existsSync(CHRONYD)))(
  'a log of a real chronyd (skipped without one, but in CI)',
  () => {
    let log = '';
    beforeAll(async () => {
      need(CHRONYD);
      const work = join(folder, 'chronyd');
      mkdirSync(work, { mode: 0o700 });
      const servers = await Promise.all([serve('127.0.0.1', 0.05), serve('127.0.0.2', 0.05, { leap: 3, stratum: 0 })]);
      const conf = [
        'user root',
        'port 0',
        'cmdport 0',
        'bindcmdaddress /',
        `pidfile ${join(work, 'pid')}`,
        `server 127.0.0.1 port ${servers[0].port} minpoll -3 maxpoll -3 iburst noselect`,
        // A second address of the loopback, so that the log can tell them apart.
        `server 127.0.0.2 port ${servers[1].port} minpoll -3 maxpoll -3`,
        `logdir ${work}`,
        'log rawmeasurements measurements',
      ];
      const file = put(work, 'conf', `${conf.join('\n')}\n`);
      const daemon = spawn(CHRONYD, ['-x', '-d', '-f', file], { stdio: 'ignore' });
      try {
        await delay(5000);
      } finally {
        daemon.kill();
        await new Promise(done => daemon.once('exit', done));
        for (const server of servers) server.close();
      }
      log = join(work, 'measurements.log');
    });

    test('says how far the server is ahead, with the sign that we give it', () => {
      const [first] = measurementsOf(readAs('chrony-measurements', readFileSync(log, 'utf8')));
      expect(first!.source).toBe('127.0.0.1');
      expect(first!.offset).toBeGreaterThan(0.04);
      expect(first!.offset).toBeLessThan(0.06);
      expect(first!.delay).toBeGreaterThan(0);
      expect(first!.delay).toBeLessThan(0.02);
    });

    test('is replayed', async () => {
      const { exchanges, pipelines } = await replayed(log);
      expect(exchanges.answered).toBeGreaterThan(10);
      expect(pipelines.find(({ name }) => name === 'bare-clock')!.error!.bias).toBeCloseTo(-0.05, 2);
      expect(pipelines.find(({ name }) => name === 'kalman-drift')!.error!.mae).toBeLessThan(0.005);
    });
  },
);

describe.skipIf(!inCi && !(root && existsSync(CHRONYD) && existsSync(NTPD)))(
  'logs that chronyd and ntpsec write side by side (skipped without them, but in CI)',
  () => {
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

    beforeAll(async () => {
      need(CHRONYD);
      need(NTPD);
      const make = fileURLToPath(new URL('../fixtures/make.sh', import.meta.url));
      await promisify(execFile)(make, [folder, '12'], { timeout: 50_000 });
    });

    test.each([
      ['chrony-measurements.log', 'chrony-measurements'],
      ['ntpsec-rawstats', 'ntp-rawstats'],
      ['ntpsec-peerstats', 'ntp-peerstats'],
    ])('%s is recognised and replayed', async (name, format) => {
      // The same machine is its own reference: offsets are microseconds.
      for (const { offset, delay: roundTrip } of measurementsOf(readAs(format, read(name)))) {
        if (roundTrip > 0.5) continue;
        expect(Math.abs(offset)).toBeLessThan(0.05);
      }
      const { exchanges, pipelines } = await replayed(join(folder, name), { warmup: '0' });
      expect(exchanges.answered).toBeGreaterThan(5);
      expect(pipelines[0]!.reference).toBe('ntp');
    });

    test('a server that is not synchronised is a failure', () => {
      const failures = failuresOf(readAs('chrony-measurements', read('chrony-measurements.log')));
      expect(failures.length).toBeGreaterThan(5);
      for (const { source, reason } of failures) {
        expect([source, reason]).toEqual(['10.77.0.3', 'chronyd: unsynchronised']);
      }
    });

    test('peerstats begins with what rawstats says', () => {
      const [raw] = measurementsOf(readAs('ntp-rawstats', read('ntpsec-rawstats')));
      const [peer] = measurementsOf(readAs('ntp-peerstats', read('ntpsec-peerstats')));
      expect(peer!.source).toBe(raw!.source);
      expect(peer!.offset).toBeCloseTo(raw!.offset, 6);
    });
  },
);
