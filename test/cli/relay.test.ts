import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, test } from 'vitest';
import { Relay, type RelayFaults } from '../../src/cli/relay.js';
import { requestPacket } from '../../src/core/ntp/association.js';
import { asciiOf, decodePacket, encodePacket } from '../../src/core/ntp/packet.js';
import { randomStream } from '../../src/core/world/random.js';
import { whyNoChronyd } from '../support/chronyd.js';
import { escapement, start } from '../support/cli.js';
import { median, runLive } from '../support/live-run.js';
import { chronydQ } from '../support/ntp-clients.js';
import { patiently } from '../support/patience.js';
import { upstream } from '../support/serving.js';
import { udpPeer } from '../support/udp-peer.js';

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

const NONE: RelayFaults = { delay: 0, jitter: 0, asymmetry: 0, loss: 0, duplication: 0, late: 0 };
const question = (seconds: number) => encodePacket(requestPacket({ seconds, fraction: 1 }));

async function relayTo(server: string, faults: Partial<RelayFaults> = {}, limits = { every: 0.001, burst: 1000 }) {
  const said: string[] = [];
  const where = { address: '127.0.0.1', port: 0 };
  const relay = await Relay.start(server, where, limits, { ...NONE, ...faults }, randomStream('1', 'relay'), line =>
    said.push(line),
  );
  opened.push(relay);
  return { relay, said, server: `127.0.0.1:${relay.endpoint.port}`, port: relay.endpoint.port };
}

/** What comes back to some questions, one after another, within so many milliseconds each. */
async function ask(port: number, questions: readonly Uint8Array[], patience = 100): Promise<Buffer[][]> {
  const socket = createSocket('udp4');
  let answers: Buffer[] = [];
  socket.on('message', answer => answers.push(answer));
  const all: Buffer[][] = [];
  for (const bytes of questions) {
    answers = [];
    socket.send(bytes, port, '127.0.0.1');
    await patiently(patience);
    all.push(answers);
  }
  socket.close();
  return all;
}

describe('a relay', () => {
  test('passes on the server’s own answer, to whoever asked', async () => {
    const source = await upstream(0.1);
    opened.push(source);
    const { server, relay } = await relayTo(`127.0.0.1:${source.endpoint.port}`);
    const { offsets, failures } = await runLive({ servers: [server], duration: 1 });
    expect(failures).toEqual([]);
    expect(Math.abs(median(offsets) - 0.1)).toBeLessThan(5e-3);
    expect(relay.counts).toMatchObject({ refused: 0, forged: 0 });
  });

  test('delays, lopsidedly', { retry: 2 }, async () => {
    const source = await upstream(0);
    opened.push(source);
    const { server } = await relayTo(`127.0.0.1:${source.endpoint.port}`, { delay: 5e-3, asymmetry: 20e-3 });
    const { exchanges, offsets } = await runLive({ servers: [server], duration: 1 });
    expect(Math.abs(median(offsets) + 0.01)).toBeLessThan(4e-3);
    const { event } = exchanges[0]!;
    if (event.type !== 'exchange') expect.fail(event.failure.reason);
    expect(event.exchange.arrived.counter - event.exchange.sent.counter).toBeGreaterThan(0.0295);
  });

  test('loses, doubles and holds back what it is told to', async () => {
    const source = await upstream(0);
    opened.push(source);
    const answersOf = async (faults: Partial<RelayFaults>) => {
      const { port } = await relayTo(`127.0.0.1:${source.endpoint.port}`, faults);
      return (await ask(port, [question(1), question(2), question(3)])).map(answers =>
        answers.map(answer => decodePacket(answer)!.origin.seconds),
      );
    };
    expect(await answersOf({})).toEqual([[1], [2], [3]]);
    expect(await answersOf({ loss: 1 })).toEqual([[], [], []]);
    expect(await answersOf({ duplication: 1 })).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    expect(await answersOf({ late: 1 })).toEqual([[], [1], [2]]);
  });

  test('passes on questions of clients only, answers to them only, and nothing that is longer than they are', async () => {
    let questions = 0;
    const replies: ((bytes: Uint8Array) => Uint8Array)[] = [
      bytes => Uint8Array.from([...answerTo(bytes), 0]),
      bytes => answerTo(bytes).subarray(0, 20),
      bytes => answerTo(question(99), bytes),
      bytes => bytes,
    ];
    const answerTo = (bytes: Uint8Array, _asked = bytes): Uint8Array =>
      encodePacket({ ...decodePacket(bytes)!, mode: 4, stratum: 1, origin: decodePacket(bytes)!.transmit });
    const peer = await udpPeer((bytes, from, socket) => {
      questions += 1;
      for (const reply of replies) socket.send(reply(bytes), from.port, from.address);
    });
    opened.push(peer);
    const { port, relay } = await relayTo(`127.0.0.1:${peer.port}`);
    const control = Uint8Array.from(question(1), (byte, i) => (i === 0 ? (byte & 0xf8) | 6 : byte));
    expect(await ask(port, [control, new Uint8Array(3), question(5)], 60)).toEqual([[], [], []]);
    expect(questions).toBe(1);
    expect(relay.counts).toMatchObject({ asked: 3, relayed: 1, refused: 2, forged: replies.length, answered: 0 });
  });

  test('holds a client to its limit, with a RATE kiss, and nobody else', async () => {
    const source = await upstream(0);
    opened.push(source);
    const { port } = await relayTo(`127.0.0.1:${source.endpoint.port}`, {}, { every: 3600, burst: 2 });
    const answers = (await ask(port, [1, 2, 3].map(question), 50)).flat().map(answer => decodePacket(answer)!);
    expect(answers.filter(({ stratum }) => stratum === 2).length).toBeGreaterThanOrEqual(2);
    const kiss = answers.find(({ stratum }) => stratum === 0);
    // One question in four beyond the limit is passed on all the same.
    expect(kiss === undefined ? 'RATE' : asciiOf(kiss.referenceId)).toBe('RATE');
  });

  test('keeps so many questions open and no more, however many come', async () => {
    const silent = await udpPeer(() => {});
    opened.push(silent);
    const { port, relay } = await relayTo(`127.0.0.1:${silent.port}`);
    await ask(
      port,
      Array.from({ length: 200 }, (_, i) => question(i + 1)),
      1,
    );
    await new Promise(resolve => setTimeout(resolve, 100));
    expect(relay.counts.relayed + relay.counts.refused).toBe(200);
    expect(relay.counts.refused).toBeGreaterThan(50);
  });
});

describe('escapement relay', () => {
  test('gives each server a port, and a real chronyd takes the time through it', { retry: 2 }, async context => {
    const source = await upstream(0.1);
    opened.push(source);
    const there = `127.0.0.1:${source.endpoint.port}`;
    const run = start(['relay', '--upstream', there, '--delay', '2 ms', '--loss', '0']);
    let told = '';
    run.child.stdout.on('data', (data: Buffer) => {
      told += data.toString();
    });
    try {
      await run.shows(/relays to .*\n/);
      const missing = whyNoChronyd();
      if (missing !== undefined) context.skip(missing);
      const port = new RegExp(`127\\.0\\.0\\.1:(\\d+)  relays to ${there} \\(2\\.00 ms more each way\\)`).exec(
        told,
      )![1]!;
      const { wrong, log } = await chronydQ(`127.0.0.1:${port}`, 'iburst maxsamples 2');
      expect(wrong, log).toBeGreaterThan(0.09);
      expect(wrong, log).toBeLessThan(0.11);
    } finally {
      run.child.kill('SIGINT');
    }
    const { code, stdout } = await run.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/asked [1-9]\d* times, passed on [1-9]\d*, answered [1-9]\d*; 0 not passed on/);
  });

  test.each([
    [[], "required option '--upstream <server...>' not specified"],
    [['--upstream', 'a b'], "--upstream a b: expected HOST[:PORT], found 'a b'"],
    [['--upstream', 'nothing.invalid'], '--upstream nothing.invalid: '],
    [['--upstream', '127.0.0.1', '--loss', '2'], '--loss: expected a probability, found 2'],
    [['--upstream', '127.0.0.1', '--delay', '-1 ms'], '--delay: expected a time from 0 s to 5.00 s, found -1 ms'],
    [['--upstream', '127.0.0.1', '--burst', '0'], "--burst: expected a whole number from 1, found '0'"],
  ])('%s is one clear error', async (args, message) => {
    const { code, stderr, stdout } = await escapement(['relay', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/ {4}at /);
  });
});
