import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Answer, Estimate, Measurement } from '../../../src/core/contracts/index.js';
import { asciiOf, decodePacket } from '../../../src/core/ntp/packet.js';
import { clientOf, RateLimiter } from '../../../src/core/ntp/rate-limit.js';
import { stateOf, type Upstream } from '../../../src/core/ntp/served-state.js';
import { NtpResponder, UNSYNCHRONISED } from '../../../src/core/ntp/server.js';
import { bytesOf, CHRONY_EXCHANGES } from '../../support/chrony-exchanges.js';

const EPOCH = Date.UTC(2026, 0, 1) / 1000;
const question = bytesOf(CHRONY_EXCHANGES[1].request);
const from = { address: '192.0.2.1', port: 4000 };
const state = { leap: 0, stratum: 3, precision: -20, rootDelay: 0.01, rootDispersion: 0.02, referenceId: 1 };
const limits = { every: 1, burst: 4, leak: 0, clients: 100 };
const limiter = (more: Partial<typeof limits> = {}) => new RateLimiter({ ...limits, ...more }, () => 0.5);

describe('who is answered', () => {
  const ask = (bytes: Uint8Array, port = 4000) =>
    new NtpResponder({ epoch: EPOCH, state: () => state }).admit(bytes, { address: '192.0.2.1', port }, 0);

  test('a client’s question, also one with extension fields', () => {
    expect(ask(question)).toBe('answer');
    expect(ask(Uint8Array.from([...question, ...new Uint8Array(200)]))).toBe('answer');
  });

  test.each([0, 1, 2, 4, 5, 6, 7])('not mode %i', mode => {
    expect(ask(Uint8Array.from(question, (byte, i) => (i === 0 ? (byte & 0xf8) | mode : byte)))).toBeUndefined();
  });

  test('nothing from port 0, too short, too long, or of an unknown version', () => {
    expect(ask(question, 0)).toBeUndefined();
    expect(ask(question.subarray(0, 47))).toBeUndefined();
    expect(ask(Uint8Array.from([...question, ...new Uint8Array(2000)]))).toBeUndefined();
    expect(ask(Uint8Array.from(question, (byte, i) => (i === 0 ? (7 << 3) | 3 : byte)))).toBeUndefined();
  });

  test('whatever comes in, what goes out is one answer in server mode, never longer than the question', () => {
    const responder = new NtpResponder({ epoch: EPOCH, state: () => state });
    const datagram = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc.uint8Array({ minLength: 47, maxLength: 80 }).map(bytes => Uint8Array.from([0x23, ...bytes])),
    );
    let answered = 0;
    fc.assert(
      fc.property(datagram, bytes => {
        const permission = responder.admit(bytes, from, 0);
        if (permission === undefined) return;
        answered += 1;
        const reply = responder.answer(bytes, permission, 1, 2)!;
        expect(reply.length).toBeLessThanOrEqual(bytes.length);
        expect(decodePacket(reply)).toMatchObject({ mode: 4, origin: decodePacket(bytes)!.transmit });
      }),
      { numRuns: 500 },
    );
    expect(answered).toBeGreaterThan(50);
  });
});

describe('how often', () => {
  test('a burst, then one an interval; one kiss an interval for what is too much, and silence', () => {
    const one = limiter();
    const asked = Array.from({ length: 8 }, () => one.ask('192.0.2.1', 0));
    expect(asked).toEqual(['answer', 'answer', 'answer', 'answer', 'kiss', 'silence', 'silence', 'silence']);
    expect(one.ask('192.0.2.1', 1)).toBe('answer');
    expect(one.ask('192.0.2.1', 1)).toBe('kiss');
    expect(one.ask('192.0.2.2', 1)).toBe('answer');
  });

  test('no window of time has more answers than burst + length / interval, whenever one asks', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 2, noNaN: true }), { maxLength: 200 }), gaps => {
        const one = limiter();
        let now = 0;
        const answers: number[] = [];
        for (const gap of gaps) {
          now += gap;
          if (one.ask('192.0.2.1', now) === 'answer') answers.push(now);
        }
        answers.forEach((start, i) => {
          for (let j = i; j < answers.length; j++) {
            expect(j - i + 1).toBeLessThanOrEqual(limits.burst + (answers[j]! - start) / limits.every + 1e-9);
          }
        });
      }),
    );
  });

  test('a client whose address others use is not silenced: one in 2^leak gets through', () => {
    let draw = 0;
    const one = new RateLimiter({ ...limits, burst: 1, leak: 2 }, () => (draw++ % 4) / 4);
    const asked = Array.from({ length: 401 }, () => one.ask('192.0.2.1', 0)).slice(1);
    expect(asked.filter(permission => permission === 'answer')).toHaveLength(100);
  });

  test('memory is bounded, and the client that is silent for longest is forgotten first', () => {
    const one = limiter({ burst: 1 });
    one.ask('10.0.0.0', 0);
    for (let i = 1; i < 100; i++) one.ask(`10.0.0.${i}`, 0);
    one.ask('10.0.0.0', 0);
    one.ask('10.0.1.0', 0);
    expect(one.size).toBe(100);
    expect(one.ask('10.0.0.0', 0)).not.toBe('answer');
    expect(one.ask('10.0.0.1', 0)).toBe('answer');
    for (let i = 0; i < 10_000; i++) one.ask(`10.1.${i >> 8}.${i & 255}`, 0);
    expect(one.size).toBe(100);
  });

  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:1:2:3:4', '2001:db8:0:0::/64'],
    ['2001:0DB8:1::', '2001:db8:1:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ])('%s counts as %s', (address, client) => {
    expect(clientOf(address)).toBe(client);
  });

  test('a kiss says RATE and gives no time to use', () => {
    const responder = new NtpResponder({ epoch: EPOCH, state: () => state }, limiter({ burst: 1 }));
    expect(responder.admit(question, from, 0)).toBe('answer');
    expect(responder.admit(question, from, 0)).toBe('kiss');
    const kiss = decodePacket(responder.answer(question, 'kiss', 1, 2)!)!;
    expect({ ...kiss, referenceId: asciiOf(kiss.referenceId) }).toMatchObject({
      leap: 3,
      stratum: 0,
      referenceId: 'RATE',
      origin: decodePacket(question)!.transmit,
    });
    expect(responder.admit(question, from, 0)).toBeUndefined();
    expect(responder.counts).toEqual({ answered: 0, kissed: 1, limited: 1, ignored: 0 });
  });
});

describe('what it says of itself', () => {
  const reading = { wall: 100, counter: 100 };
  const estimate: Estimate = {
    ...{ at: { wall: 90, counter: 90 }, axis: 'counter', offset: 0.1, drift: 0, by: 'kalman' },
    ...{ p00: 1e-8, p01: 0, p11: 1e-12, whiteFm: 0, randomWalkFm: 0, maxError: 0.02, maxErrorRate: 15e-6 },
  };
  const answer = (maxError: number | undefined, age = 10): Answer => ({
    pipeline: 'kalman',
    reading,
    told: {
      ...{ time: 100.1, offset: 0.1, axis: 'counter', uncertainty: 1e-4, level: 0.95, by: 'kalman' },
      maxError,
    },
    estimate: { ...estimate, at: { wall: 100 - age, counter: 100 - age } },
  });
  const upstream = (stratum: number, delay = 0.004): Upstream => ({
    measurement: { delay, exchange: { stratum, rootDelay: 0.006 } } as Measurement,
    referenceId: 0x7f000001,
    leap: 1,
  });
  const trust = { maxAge: 3600, maxError: 1 };

  test('one stratum more than its best source, whose delay and leap it passes on', () => {
    const said = stateOf(answer(0.02), upstream(2), trust, -22);
    expect(said).toMatchObject({ leap: 1, stratum: 3, precision: -22, referenceId: 0x7f000001 });
    expect(said.rootDelay).toBeCloseTo(0.01, 4);
    expect(said.reference).toBeCloseTo(90.1, 9);
  });

  test('a root distance that is the maximum error, never less, and on the wire too', () => {
    const sizes = fc.double({ min: 1e-6, max: 1, noNaN: true });
    fc.assert(
      fc.property(sizes, sizes, (maxError, delay) => {
        const said = stateOf(answer(maxError), upstream(2, delay), trust, -20);
        const responder = new NtpResponder({ epoch: EPOCH, state: () => said });
        const { rootDelay, rootDispersion } = decodePacket(responder.answer(question, 'answer', 0, 0)!)!;
        expect(rootDelay / 2 + rootDispersion).toBeGreaterThanOrEqual(maxError);
        expect(rootDelay / 2 + rootDispersion).toBeLessThan(maxError + 2 ** -15);
      }),
    );
  });

  test.each([
    ['before anything is known', answer(undefined), upstream(2)],
    ['while no source was used', answer(0.02), undefined],
    ['when the last measurement is too old', answer(0.02, 3601), upstream(2)],
    ['when the bound is too wide', answer(1.1), upstream(2)],
    ['behind a source of the highest stratum', answer(0.02), upstream(15)],
  ])('that it is not synchronised %s', (_, told, source) => {
    expect(stateOf(told, source, trust, -20)).toEqual(UNSYNCHRONISED);
  });
});
