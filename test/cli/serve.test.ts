import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { parseScenario } from '../../src/cli/scenario-files.js';
import { ServedWorld } from '../../src/cli/serve.js';
import { requestPacket } from '../../src/core/ntp/association.js';
import { asciiOf, decodePacket, encodePacket, type NtpPacket } from '../../src/core/ntp/packet.js';
import { whyNoChronyd } from '../support/chronyd.js';
import { escapement, start } from '../support/cli.js';
import { scratch, write } from '../support/escapement.js';
import { median, runLive } from '../support/live-run.js';
import { chronydQ } from '../support/ntp-clients.js';
import { patiently } from '../support/patience.js';

const worlds: ServedWorld[] = [];
afterEach(() => {
  for (const world of worlds.splice(0)) world.close();
});

/** A world's servers on free ports, by name, and what it reports. */
async function served(world: string, withClock = false) {
  const loaded = await parseScenario(
    `name: served\nduration: 1 h\nworld:\n${world}\npipelines: [{ name: kalman }]\n`,
    'served.yaml',
  );
  const one = await ServedWorld.start(loaded, { addresses: ['127.0.0.1'], port: 0, withClock });
  worlds.push(one);
  const said: string[] = [];
  one.strike(line => said.push(line));
  return {
    said,
    server: (name: string) => `127.0.0.1:${one.endpoints.find(endpoint => endpoint.name === name)!.port}`,
  };
}

/** What comes back to one question within so many milliseconds. */
async function ask(server: string, patience = 300, bytes = encodePacket(requestPacket({ seconds: 7, fraction: 9 }))) {
  const socket = createSocket('udp4');
  const answers: Buffer[] = [];
  socket.on('message', answer => answers.push(answer));
  const [host, port] = server.split(':') as [string, string];
  socket.send(bytes, Number(port), host);
  await patiently(patience);
  socket.close();
  return answers;
}
const decoded = (answers: readonly Buffer[]): NtpPacket => decodePacket(answers[0]!)!;

describe('a simulated world’s servers on UDP', () => {
  test('our own client finds their errors, delays and asymmetry, as in the simulation', { retry: 2 }, async () => {
    const { server } = await served(`
  servers:
    - { name: honest, delay: 5 ms }
    - { name: ahead, delay: 5 ms, timeError: 50 ms, stratum: 3 }
    - { name: lopsided, out: { delay: 2 ms }, back: { delay: 22 ms } }`);
    const offsets = async (name: string) => {
      const { exchanges, offsets: found } = await runLive({ servers: [server(name)], duration: 1, interval: 0.1 });
      const [{ event }] = exchanges as [(typeof exchanges)[number]];
      return { found: median(found), exchange: event.type === 'exchange' ? event.exchange : undefined };
    };
    const [honest, ahead, lopsided] = [await offsets('honest'), await offsets('ahead'), await offsets('lopsided')];
    expect(Math.abs(honest.found)).toBeLessThan(3e-3);
    expect(Math.abs(ahead.found - 0.05)).toBeLessThan(3e-3);
    expect(Math.abs(lopsided.found + 0.01)).toBeLessThan(3e-3);
    expect(ahead.exchange!.stratum).toBe(3);
    const { sent, arrived } = honest.exchange!;
    expect(arrived.counter - sent.counter).toBeGreaterThan(0.0099);
  });

  test('what goes wrong goes wrong when its time has come: silence, kisses, copies, late answers, nonsense', async () => {
    const { server, said } = await served(`
  servers: [{ name: lost }, { name: kissing }, { name: double }, { name: late }, { name: mangled }, { name: well }]
  faults:
    - { use: outage, at: 0 s, servers: [lost] }
    - { use: kiss-code, at: 0 s, servers: [kissing], code: RATE }
    - { use: duplication, at: 0 s, servers: [double], share: 1 }
    - { use: late-replies, at: 0 s, servers: [late], share: 1 }
    - { use: malformed-packets, at: 0 s, servers: [mangled], directions: [back], share: 1, how: truncated }
    - { use: falseticker, at: 500 ms, servers: [well], by: 300 ms }`);
    expect(decoded(await ask(server('well'), 100)).stratum).toBeGreaterThan(0);
    expect(await ask(server('lost'), 100)).toHaveLength(0);
    const kiss = decoded(await ask(server('kissing'), 100));
    expect([kiss.stratum, asciiOf(kiss.referenceId)]).toEqual([0, 'RATE']);
    expect((await ask(server('double'))).length).toBeGreaterThan(1);
    expect(await ask(server('late'), 100)).toHaveLength(0);
    expect((await ask(server('late'), 100)).length).toBe(1);
    const [nonsense] = await ask(server('mangled'));
    expect(nonsense!.length).toBeLessThan(48);
    const { transmit } = decoded(await ask(server('well')));
    const ahead = transmit.seconds - 2_208_988_800 + transmit.fraction / 2 ** 32 - Date.now() / 1000;
    expect(ahead).toBeGreaterThan(-0.1);
    expect(said.join('\n')).toMatch(/\[0\.\d s\] falseticker: begins/);
  });

  test('`--with-clock`: the servers part from this machine’s clock as the scenario’s clock parts from them', {
    retry: 2,
  }, async () => {
    const world = `
  clock: { use: oscillator, frequencyError: 10000 ppm }
  servers: [{ name: near, delay: 1 ms }]`;
    const { server } = await served(world, true);
    const { offsets } = await runLive({ servers: [server('near')], duration: 2, interval: 0.1 });
    // A clock that gains 10 ms a second is more and more ahead: by as much it has to be put back.
    expect(offsets.at(-1)! - offsets[0]!).toBeLessThan(-8e-3);
    expect(offsets.at(-1)! - offsets[0]!).toBeGreaterThan(-32e-3);
  });

  test('several can have addresses of their own, as clients want that know a server by its address', async () => {
    const loaded = await parseScenario(
      'name: s\nduration: 1 h\nworld: { servers: [{ name: a }, { name: b }] }\npipelines: [{ name: k }]',
      's.yaml',
    );
    const start = (addresses: string[]) => ServedWorld.start(loaded, { addresses, port: 0, withClock: false });
    const two = await start(['127.0.0.1', '::1']);
    worlds.push(two);
    expect(two.endpoints.map(({ name, address }) => [name, address])).toEqual([
      ['a', '127.0.0.1'],
      ['b', '::1'],
    ]);
    await expect(start(['127.0.0.1', '127.0.0.2', '127.0.0.3'])).rejects.toThrow(
      '--address: expected one, or one for each of 2 servers, found 3',
    );
  });

  test('nobody but clients is answered', async () => {
    const { server } = await served('\n  servers: [{ name: near }]');
    const question = encodePacket(requestPacket({ seconds: 7, fraction: 9 }));
    for (const mode of [1, 2, 4, 5, 6, 7]) {
      const bytes = Uint8Array.from(question, (byte, i) => (i === 0 ? (byte & 0xf8) | mode : byte));
      expect(await ask(server('near'), 50, bytes)).toEqual([]);
    }
    expect(await ask(server('near'), 50, question.subarray(0, 20))).toEqual([]);
  });
});

describe('escapement serve', () => {
  const below = scratch();
  const file = write(
    below,
    'served.yaml',
    'name: served\nduration: 1 h\nworld: { servers: [{ name: near, delay: 2 ms, timeError: 40 ms }, { name: far, delay: 20 ms }] }\npipelines: [{ name: kalman }]\n',
  );

  test('prints where each server is, and a real chronyd finds it as wrong as it is', { retry: 2 }, async context => {
    const run = start(['serve', file]);
    let told = '';
    run.child.stdout.on('data', (data: Buffer) => {
      told += data.toString();
    });
    try {
      await run.shows(/far +127\.0\.0\.1:\d+ .*\n/);
      const missing = whyNoChronyd();
      if (missing !== undefined) context.skip(missing);
      const port = /near +127\.0\.0\.1:(\d+) +stratum 1, 4\.00 ms away and back, \+40\.0 ms wrong/.exec(told)![1]!;
      const { wrong, log } = await chronydQ(`127.0.0.1:${port}`, 'iburst maxsamples 2');
      expect(wrong, log).toBeGreaterThan(0.03);
      expect(wrong, log).toBeLessThan(0.05);
    } finally {
      run.child.kill('SIGINT');
    }
    const { code, stdout } = await run.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/near +asked [1-9]\d* times, sent [1-9]\d* packets/);
  });

  test('--json: one document for scripts', async () => {
    const { code, stdout, stderr } = await escapement(['serve', file, '--json', '--for', '200 ms']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      servers: [
        { name: 'near', address: '127.0.0.1', port: expect.any(Number) },
        { name: 'far', address: '127.0.0.1', port: expect.any(Number) },
      ],
    });
    expect(stderr).toContain('near  asked 0 times');
  });

  test.each([
    [['serve', join(below, 'none.yaml')], 'none.yaml: cannot be read: no such file or folder'],
    [['serve', file, '--port', '70000'], "--port: expected a port from 0 (a free one) to 65535, found '70000'"],
    [['serve', file, '--port', '65535'], '--port: expected room for 2 ports from it on, found 65535'],
    [
      ['serve', file, '--address', '192.0.2.1'],
      "server 'near' on 192.0.2.1 port 0: cannot listen: this machine has no such address",
    ],
    [['serve', file, '--for', 'ever'], "--for: expected a time such as 64 s, 200 ms or 3 h, found 'ever'"],
    [
      [
        'serve',
        write(
          below,
          'live.yaml',
          'name: x\nworld: { kind: real }\nsources: { ntp: { use: ntp, servers: [127.0.0.1] } }\npipelines: [{ name: k }]\n',
        ),
      ],
      'live.yaml world: expected a simulated world, found a real one',
    ],
  ])('%s is one clear error', async (args, message) => {
    const { code, stderr, stdout } = await escapement(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});
