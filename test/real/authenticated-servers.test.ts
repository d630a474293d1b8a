import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findKey } from '../../src/core/ntp/key-file.js';
import { NtsCredentials } from '../../src/core/ntp/nts.js';
import { SymmetricKeyCredentials } from '../../src/core/ntp/symmetric-key.js';
import { establishKeys } from '../../src/platform/key-establishment.js';
import { symmetricKey } from '../../src/platform/symmetric-key.js';
import { makeCertificate } from '../support/certificate.js';
import { type Chronyd, freeTcpPort, startChronyd, whyNoChronyd } from '../support/chronyd.js';
import { escapement } from '../support/cli.js';
import { askFor, secureRandom } from '../support/real-association.js';
import { udpPeer } from '../support/udp-peer.js';

const folder = mkdtempSync(join(tmpdir(), 'escapement-nts-'));
const KEYS = `1 MD5 ASCII:secret
10 SHA256 HEX:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
11 AES128 HEX:2b7e151628aed2a6abf7158809cf4f3c
12 AES256 HEX:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
13 SHA1 2bd6459f82c5b300952c
`;

describe('against a real chronyd with NTS and keys (Debian’s chrony; fails in CI where it is missing)', () => {
  const missing = whyNoChronyd();
  const keyFile = join(folder, 'keys');
  let chronyd: Chronyd;
  let port = 0;
  let certificate = '';
  const settings = ['local stratum 8'];

  beforeAll(async () => {
    if (missing !== undefined) return;
    writeFileSync(keyFile, KEYS, { mode: 0o600 });
    const made = makeCertificate(folder);
    certificate = made.certificate;
    port = await freeTcpPort();
    settings.push(`ntsport ${port}`, `ntsserverkey ${made.key}`, `ntsservercert ${certificate}`, `keyfile ${keyFile}`);
    chronyd = await startChronyd(settings);
  });
  afterAll(() => (missing === undefined ? chronyd.stop() : undefined));
  beforeEach(context => {
    if (missing !== undefined) context.skip(missing);
  });

  const opened: { close(): void }[] = [];
  afterEach(() => {
    for (const one of opened.splice(0)) one.close();
  });

  async function run(servers: object[], more: object = {}, duration = 3) {
    const source = {
      use: 'ntp',
      servers,
      timeout: '500 ms',
      poller: { use: 'fixed', interval: 0.2, burst: 1 },
      ...more,
    };
    const file = join(folder, 'scenario.json');
    const scenario = {
      name: 'n',
      duration,
      world: { kind: 'real' },
      sources: { ntp: source },
      pipelines: [{ name: 'p' }],
    };
    writeFileSync(file, JSON.stringify(scenario));
    const out = join(folder, `out-${performance.now()}`);
    const result = await escapement(['run', file, '--json', '--out', out]);
    const read = (name: string) => {
      try {
        return readFileSync(join(out, name), 'utf8');
      } catch {
        return '';
      }
    };
    return { ...result, events: read('world-events.csv'), measurements: read('measurements.csv') };
  }

  const exchanges = (json: string) =>
    (JSON.parse(json) as { exchanges: { answered: number; failed: number } }).exchanges;

  test('NTS: keys are established and every answer is authenticated; a private authority is trusted where it is named', async () => {
    const { code, stdout, events } = await run([{ server: `localhost:${port}`, nts: { ca: certificate } }]);
    expect(code).toBe(0);
    expect(exchanges(stdout).failed).toBe(0);
    // More than the eight cookies of one establishment.
    expect(exchanges(stdout).answered).toBeGreaterThan(10);
    expect(events.match(/NTS keys established/g)).toHaveLength(1);
    expect(events).toContain(`NTS keys established (8 cookies, NTP server 127.0.0.1 port ${chronyd.port})`);
  });

  test.each([
    ['an authority that nobody trusts', 'localhost', {}, /its certificate is self-signed/],
    ['another name', '127.0.0.1', { servername: 'other.example' }, /its certificate is for another name/],
  ])('NTS: a certificate of %s is refused, and nothing is asked', async (_what, host, nts, reason) => {
    const { stdout, events, measurements } = await run(
      [{ server: `${host}:${port}`, nts: host === 'localhost' ? true : { ca: certificate, ...nts } }],
      {},
      1,
    );
    expect(exchanges(stdout).answered).toBe(0);
    expect(events).toMatch(reason);
    expect(measurements).toMatch(/NTS key establishment failed/);
    expect(measurements).not.toMatch(/,exchange,/);
  });

  test.each([1, 10, 11, 12, 13])('key %i: every answer is authenticated', async key => {
    const { code, stdout, events } = await run([{ server: `127.0.0.1:${chronyd.port}`, key }], { keyFile }, 1);
    expect(code).toBe(0);
    expect(exchanges(stdout).failed).toBe(0);
    expect(exchanges(stdout).answered).toBeGreaterThan(3);
    expect(events.includes('MD5 key, which RFC 8573 deprecates')).toBe(key === 1);
  });

  test('a key that differs from the server’s: it is silent (as chronyd is), and nothing is taken; an open file is warned of', async () => {
    const own = join(folder, 'own-keys');
    writeFileSync(own, '10 SHA256 HEX:ff\n99 SHA256 HEX:ff\n');
    chmodSync(own, 0o644);
    const wrong = await run([{ server: `127.0.0.1:${chronyd.port}`, key: 10 }], { keyFile: own }, 1);
    expect(exchanges(wrong.stdout).answered).toBe(0);
    expect(wrong.measurements).toMatch(/,failure,timeout,/);
    expect(wrong.events).toContain(`others than its owner may use the keys of ${own} (mode 644): chmod 600 ${own}`);
  });

  test.each([
    ['--nts', () => ['--server', `localhost:${port}`, '--nts', '--ca', certificate]],
    ['--key', () => ['--server', `127.0.0.1:${chronyd.port}`, '--key-file', keyFile, '--key', '10']],
  ])('escapement live %s', async (_flag, options) => {
    const { code, stdout } = await escapement(['live', ...options(), '--interval', '200ms', '--for', '2s', '--json']);
    expect(code).toBe(0);
    expect(exchanges(stdout).failed).toBe(0);
    expect(exchanges(stdout).answered).toBeGreaterThan(4);
  });

  /** A relay to chronyd that lets somebody tamper with what goes back. */
  async function relay(tamper: (reply: Buffer, earlier: readonly Buffer[]) => readonly Buffer[]) {
    const earlier: Buffer[] = [];
    const front = await udpPeer((question, from, socket) => {
      void udpPeer(reply => {
        const good = Buffer.from(reply);
        for (const bytes of tamper(good, earlier)) socket.send(bytes, from.port, from.address, () => {});
        earlier.push(good);
      }).then(back => {
        opened.push(back);
        back.socket.send(question, chronyd.port, '127.0.0.1');
      });
    });
    opened.push(front);
    return { address: '127.0.0.1', port: front.port };
  }

  const flip = (bytes: Buffer, at: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at]! ^= 1;
    return copy;
  };
  const tampering: readonly (readonly [
    string,
    (good: Buffer, earlier: readonly Buffer[]) => readonly Buffer[],
    string,
  ])[] = [
    ['plain', good => [good.subarray(0, 48)], 'unauthenticated'],
    ['tampered with', good => [flip(good, 40)], 'forged'],
    ['replayed', (_good, earlier) => earlier, 'wrongOrigin'],
  ];

  test.each(tampering)(
    'NTS: replies that are %s are dropped, and the true one behind them is taken',
    async (_what, tamper, reason) => {
      const to = await relay((good, earlier) => [...tamper(good, earlier), good]);
      const { summaries, drops } = await askFor(2, to, {}, ({ scheduler }) => ntsThrough(to, () => scheduler.time));
      expect(new Set(summaries)).toEqual(new Set(['exchange']));
      expect(summaries.length).toBeGreaterThan(5);
      expect(drops[reason as keyof typeof drops]).toBeGreaterThan(4);
    },
  );

  test.each(tampering)(
    'keys: replies that are %s are dropped, and the true one behind them is taken',
    async (_what, tamper, reason) => {
      const to = await relay((good, earlier) => [...tamper(good, earlier), good]);
      const { summaries, drops } = await askFor(
        2,
        to,
        {},
        () => new SymmetricKeyCredentials(symmetricKey(findKey(KEYS, 11, 'keys'))),
      );
      expect(new Set(summaries)).toEqual(new Set(['exchange']));
      expect(summaries.length).toBeGreaterThan(5);
      expect(drops[reason as keyof typeof drops]).toBeGreaterThan(4);
    },
  );

  function ntsThrough(to: { address: string; port: number }, now: () => number): NtsCredentials {
    return new NtsCredentials({
      name: 'server',
      establish: () => establishKeys({ host: 'localhost', port, ca: readFileSync(certificate, 'utf8') }),
      resolve: () => [to],
      random: secureRandom,
      now,
      report: () => {},
    });
  }

  test('NTS: a server that was restarted no longer knows the keys, and is asked for new ones', async () => {
    const asking = askFor(13, { address: '127.0.0.1', port: chronyd.port }, { interval: 0.5 }, ({ scheduler }) =>
      ntsThrough({ address: '127.0.0.1', port: chronyd.port }, () => scheduler.time),
    );
    await new Promise(resolve => setTimeout(resolve, 2000));
    const { port: same } = chronyd;
    await chronyd.stop();
    chronyd = await startChronyd(settings, same);
    const { summaries } = await asking;
    expect(summaries[0]).toBe('exchange');
    expect(summaries.some(reason => reason.includes('kiss NTSN: the server no longer knows the keys'))).toBe(true);
    expect(summaries.at(-1)).toBe('exchange');
  });
});

describe('key establishment with something that is no NTS server', () => {
  const { key, certificate } = makeCertificate(folder, 'other');
  const pem = { key: readFileSync(key), cert: readFileSync(certificate), ca: readFileSync(certificate, 'utf8') };
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  async function listen(options: TlsOptions, answer: Uint8Array | undefined) {
    const server = createTlsServer({ key: pem.key, cert: pem.cert, ...options }, socket => {
      socket.on('error', () => {});
      if (answer === undefined) socket.end();
      else socket.write(answer);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => server.close());
    return (server.address() as AddressInfo).port;
  }
  const establish = (port: number) => establishKeys({ host: '127.0.0.1', port, ca: pem.ca });
  const ntske = { ALPNProtocols: ['ntske/1'] };

  test.each([
    ['has another protocol', { ALPNProtocols: ['http/1.1'] }, new Uint8Array(0), /does not speak ntske\/1/],
    ['has no ALPN', {}, new Uint8Array(0), /does not speak ntske\/1/],
    ['has TLS 1.2 at most', { ...ntske, maxVersion: 'TLSv1.2' as const }, new Uint8Array(0), /does not speak TLS 1\.3/],
    ['closes the connection', ntske, undefined, /it closed the connection without an answer/],
    ['refuses', ntske, Uint8Array.of(0x80, 2, 0, 2, 0, 2), /it refuses: it has an internal error/],
    ['talks without end', ntske, new Uint8Array(20_000).fill(0x11), /longer than 16384 bytes|unknown type/],
  ])('one that %s: an error for people', async (_what, options, answer, problem) => {
    const port = await listen(options, answer);
    await expect(establish(port)).rejects.toThrow(problem);
    await expect(establish(port)).rejects.toThrow(`127.0.0.1 port ${port}: `);
  });

  test('nobody listens', async () => {
    await expect(establish(await freeTcpPort())).rejects.toThrow('nobody listens there (ECONNREFUSED)');
  });

  test('one that does not speak TLS', async () => {
    const server = createServer(socket => socket.end('SSH-2.0-OpenSSH\r\n'));
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => server.close());
    await expect(establish((server.address() as AddressInfo).port)).rejects.toThrow('it does not speak TLS');
  });
});
