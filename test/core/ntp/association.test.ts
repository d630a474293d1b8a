import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type {
  Drop,
  Endpoint,
  Exchange,
  Poller,
  PollState,
  ServerState,
  SourceEvent,
  WorldScheduler,
} from '../../../src/core/contracts/index.js';
import { Association, type AssociationOptions } from '../../../src/core/ntp/association.js';
import { TurnJitter } from '../../../src/core/ntp/jitter.js';
import {
  decodePacket,
  encodePacket,
  NOT_SET,
  type NtpPacket,
  referenceIdOf,
  sameTimestamp,
  toTimestamp,
} from '../../../src/core/ntp/packet.js';
import { respond } from '../../../src/core/ntp/responder.js';
import { randomStream } from '../../../src/core/world/random.js';
import { bytesOf, CHRONY_EXCHANGES } from '../../support/chrony-exchanges.js';
import { type Asked, memoryWorld } from '../../support/memory-network.js';

const ADDRESS: Endpoint = { address: '192.0.2.1', port: 123 };
const OTHER: Endpoint = { address: '192.0.2.2', port: 123 };
const GOOD: ServerState = {
  leap: 0,
  stratum: 2,
  precision: -20,
  rootDelay: 0.01,
  rootDispersion: 0.002,
  referenceId: 0x0a000001,
};
/** One way, seconds. */
const WAY = 0.02;

class EvenPoller implements Poller {
  readonly states: PollState[] = [];

  constructor(private readonly interval: number) {}

  next(state: PollState): number {
    this.states.push(state);
    return Math.max(state.floor, this.interval);
  }
}

/** An association with a poller of 16 s in a world in memory, and the events that it gives. */
function associate(options: Partial<AssociationOptions> = {}, poller: Poller = new EvenPoller(16)) {
  const { scheduler, network, world } = memoryWorld(3);
  network.names.set('ntp.example', [ADDRESS]);
  const association = new Association('server', 'ntp/server', { host: 'ntp.example', port: 123 }, world, poller, {
    timeout: 1,
    maxDistance: 1.5,
    ...options,
  });
  const events: { readonly at: number; readonly event: SourceEvent; readonly open: boolean }[] = [];
  association.events.subscribe(event => {
    events.push({ at: scheduler.time, event, open: association.outstanding });
  });
  /** The answer of a server whose clock is `ahead` of ours, 1 ms after the question's arrival. */
  const answer = ({ bytes }: Asked, state: Partial<ServerState> = {}, ahead = 0): Uint8Array => {
    const receive = scheduler.time + WAY + ahead;
    return respond(bytes, { ...GOOD, ...state }, receive, receive + 0.001, world.epoch)!;
  };
  const reply = (question: Asked, state: Partial<ServerState> = {}, ahead = 0): void =>
    question.reply(answer(question, state, ahead), 2 * WAY + 0.001);
  return { scheduler, network, world, association, events, answer, reply };
}

const summary = ({ event }: { readonly event: SourceEvent }): string =>
  event.type === 'exchange' ? 'exchange' : event.failure.reason;

/** The answer with some of its fields changed. */
function altered(bytes: Uint8Array, change: Partial<NtpPacket>): Uint8Array {
  return encodePacket({ ...decodePacket(bytes)!, ...change });
}

describe('a question', () => {
  test('that is answered gives one exchange with both axes and what the server says of itself', async () => {
    const { scheduler, network, association, events, reply } = associate();
    network.listening = question => reply(question, {}, 0.25);
    association.start();
    await scheduler.run(10);
    expect(events.length).toBe(1);
    expect(events[0]!.at).toBeCloseTo(0.041, 12);
    const exchange = (events[0]!.event as { exchange: Exchange }).exchange;
    expect(exchange).toMatchObject({ source: 'server', leap: 0, stratum: 2, precision: 2 ** -20 });
    expect(exchange.sent).toEqual({ counter: 0, wall: 3 });
    expect(exchange.arrived.counter).toBeCloseTo(0.041, 12);
    expect(exchange.arrived.wall).toBeCloseTo(3.041, 12);
    expect(exchange.receive).toBeCloseTo(0.27, 9);
    expect(exchange.transmit).toBeCloseTo(0.271, 9);
    expect(exchange.rootDelay).toBeCloseTo(0.01, 4);
    expect(exchange.rootDispersion).toBeCloseTo(0.002, 4);
  });

  test('is a bare client packet whose transmit timestamp is random, and never our time', async () => {
    const { scheduler, network, association, reply, world } = associate();
    network.listening = question => reply(question);
    association.start();
    await scheduler.run(3200);
    expect(network.asked.length).toBe(201);
    const nonces = new Set<string>();
    for (const { bytes, at } of network.asked) {
      expect(bytes.length).toBe(48);
      const { transmit, ...rest } = decodePacket(bytes)!;
      expect(rest).toMatchObject({ leap: 0, version: 4, mode: 3, stratum: 0, rootDelay: 0, rootDispersion: 0 });
      for (const stamp of [rest.reference, rest.origin, rest.receive]) expect(stamp).toEqual(NOT_SET);
      for (const clock of [at, at + 3]) {
        expect(Math.abs(transmit.seconds - toTimestamp(clock, world.epoch).seconds)).toBeGreaterThan(0);
      }
      nonces.add(`${transmit.seconds}.${transmit.fraction}`);
    }
    expect(nonces.size).toBe(201);
  });

  test('leaves from a socket of its own, which is closed when it has ended', async () => {
    const { scheduler, network, association } = associate();
    association.start();
    await scheduler.run(100);
    expect(new Set(network.asked.map(({ socket }) => socket)).size).toBe(network.asked.length);
    expect(network.openSockets).toBe(0);
  });

  test('without an answer ends at its time-out, once', async () => {
    const { scheduler, association, events } = associate({ timeout: 0.7 });
    association.start();
    await scheduler.run(15);
    expect(events.map(summary)).toEqual(['timeout']);
    expect(events[0]!.at).toBeCloseTo(0.7, 12);
    expect(events[0]!.event).toMatchObject({ failure: { sent: { counter: 0, wall: 3 }, settled: { counter: 0.7 } } });
  });

  test('is answered by a real chronyd, whose packet is taken as it came off the wire', async () => {
    const { scheduler, network, association, events, world } = associate();
    network.listening = question => {
      const recorded = bytesOf(CHRONY_EXCHANGES[0].response);
      const { transmit } = decodePacket(question.bytes)!;
      question.reply(altered(recorded, { origin: transmit }), 0.0007);
    };
    association.start();
    await scheduler.run(1);
    const exchange = (events[0]!.event as { exchange: Exchange }).exchange;
    expect(exchange).toMatchObject({ stratum: 5, leap: 0, precision: 2 ** -25, rootDelay: 0, referenceId: 0x7f7f0101 });
    expect(world.epoch + exchange.receive).toBeCloseTo(1795300079.4918828, 6);
    expect(exchange.transmit - exchange.receive).toBeCloseTo(0.000666, 6);
  });
});

describe('a reply is dropped, and the question stays open,', () => {
  const cases: readonly (readonly [
    string,
    string,
    (question: Asked, good: Uint8Array) => readonly [Uint8Array, Endpoint?],
  ])[] = [
    ['from another address', 'wrongAddress', (_, good) => [good, OTHER]],
    ['from another port', 'wrongAddress', (_, good) => [good, { ...ADDRESS, port: 124 }]],
    ['that is truncated', 'malformed', (_, good) => [good.subarray(0, 47)]],
    ['that is empty', 'malformed', () => [new Uint8Array(0)]],
    ['of an unknown version', 'malformed', (_, good) => [Uint8Array.from(good, (b, i) => (i === 0 ? b | 0x38 : b))]],
    ['that is our own packet', 'wrongMode', ({ bytes }) => [bytes]],
    ['of a broadcast server', 'wrongMode', (_, good) => [altered(good, { mode: 5 })]],
    ['of a symmetric peer', 'wrongMode', (_, good) => [altered(good, { mode: 1 })]],
    [
      'whose origin is not our nonce',
      'wrongOrigin',
      (_, good) => [altered(good, { origin: { seconds: 1, fraction: 2 } })],
    ],
    ['whose origin is not set', 'wrongOrigin', (_, good) => [altered(good, { origin: NOT_SET })]],
    [
      'that kisses us without knowing our nonce',
      'wrongOrigin',
      (_, good) => [
        altered(good, { stratum: 0, referenceId: referenceIdOf('DENY'), origin: { seconds: 1, fraction: 2 } }),
      ],
    ],
  ];

  test.each(cases)('%s', async (_, counter, forge) => {
    const { scheduler, network, association, events, answer } = associate();
    network.listening = question => {
      const good = answer(question);
      const [bytes, from] = forge(question, good);
      question.reply(bytes, 0.01, from);
      // The true answer comes after the false one, and is taken.
      question.reply(good, 0.041);
    };
    association.start();
    await scheduler.run(20);
    expect(events.map(summary)).toEqual(['exchange', 'exchange']);
    expect(Object.entries(association.drops).filter(([, count]) => count > 0)).toEqual([[counter, 2]]);
    // Each event says what was dropped while its question was open.
    expect(events.map(({ event }) => event.dropped?.[counter as Drop])).toEqual([1, 1]);
  });

  test('whatever its bytes are, if they are random', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 80 }), { minLength: 1, maxLength: 5 }), async noise => {
        const { scheduler, network, association, events, reply } = associate();
        network.listening = question => {
          for (const bytes of noise) question.reply(bytes, 0.001);
          reply(question);
        };
        association.start();
        await scheduler.run(1);
        expect(events.map(summary)).toEqual(['exchange']);
      }),
      { numRuns: 100 },
    );
  });

  test('that comes after the time-out, and does not answer the next question', async () => {
    const { scheduler, network, association, events, answer } = associate();
    network.listening = question => question.reply(answer(question), 16.5);
    association.start();
    await scheduler.run(50);
    expect(events.map(summary)).toEqual(['timeout', 'timeout', 'timeout', 'timeout']);
  });

  test('that comes a second time', async () => {
    const { scheduler, network, association, events, answer } = associate();
    network.listening = question => {
      const bytes = answer(question);
      for (const after of [0.041, 0.041, 0.05, 0.9, 16.01]) question.reply(bytes, after);
    };
    association.start();
    await scheduler.run(40);
    expect(events.map(summary)).toEqual(['exchange', 'exchange', 'exchange']);
  });
});

describe('a server whose time is of no use ends the question with a reason:', () => {
  const cases: readonly (readonly [string, Partial<NtpPacket>, string])[] = [
    ['leap 3', { leap: 3 }, 'unsynchronised (leap 3)'],
    ['stratum 16', { stratum: 16 }, 'stratum 16'],
    ['stratum 17', { stratum: 17 }, 'stratum 17'],
    ['stratum 255', { stratum: 255 }, 'stratum 255'],
    ['stratum 0 without a code', { stratum: 0, referenceId: 0 }, 'stratum 0'],
    ['stratum 0 with an unknown code', { stratum: 0, referenceId: referenceIdOf('XYZW') }, 'kiss XYZW'],
    ['no receive timestamp', { receive: NOT_SET }, 'timestamps not set'],
    ['no transmit timestamp', { transmit: NOT_SET }, 'timestamps not set'],
    ['a root dispersion over the limit', { rootDispersion: 1.6 }, 'root distance 1.63 s over the limit of 1.50 s'],
    ['a root delay over twice the limit', { rootDelay: 3 }, 'root distance 1.52 s over the limit of 1.50 s'],
  ];

  test.each(cases)('%s', async (_, change, reason) => {
    const { scheduler, network, association, events, answer } = associate();
    network.listening = question => question.reply(altered(answer(question), change), 0.041);
    association.start();
    await scheduler.run(10);
    expect(events.map(summary)).toEqual([reason]);
    expect(events[0]!.at).toBeCloseTo(0.041, 12);
  });

  test('stratum 15 and leap 1 and 2 are of use', async () => {
    for (const change of [{ stratum: 15 }, { leap: 1 }, { leap: 2 }, { stratum: 1 }]) {
      const { scheduler, network, association, events, answer } = associate();
      network.listening = question => question.reply(altered(answer(question), change), 0.041);
      association.start();
      await scheduler.run(10);
      expect(events.map(summary)).toEqual(['exchange']);
    }
  });

  test('the limit of the root distance counts the round trip, too', async () => {
    const { scheduler, network, association, events, answer } = associate({ maxDistance: 0.3, timeout: 2 });
    network.listening = question => question.reply(answer(question), question.at < 20 ? 0.05 : 0.7);
    association.start();
    await scheduler.run(40);
    expect(events.map(summary).map(reason => reason.replace(/[\d.]+/g, '#'))).toEqual([
      'exchange',
      'exchange',
      'root distance # ms over the limit of # ms',
    ]);
  });
});

describe('kisses of death', () => {
  test.each(['DENY', 'RSTR'])('%s ends the association', async code => {
    const { scheduler, network, association, events, reply } = associate();
    network.listening = question => {
      if (network.asked.length < 3) reply(question);
      else reply(question, { stratum: 0, leap: 3, referenceId: referenceIdOf(code) });
    };
    association.start();
    await scheduler.run(10_000);
    expect(events.map(summary)).toEqual(['exchange', 'exchange', `kiss ${code}`]);
    expect(association.outstanding).toBe(false);
    expect(network.asked.length).toBe(3);
  });

  test('RATE doubles the interval at once, each time, and it stays so', async () => {
    const { scheduler, network, association, reply } = associate();
    const rate = { stratum: 0, leap: 3, referenceId: referenceIdOf('RATE') };
    network.listening = question => reply(question, [2, 3].includes(network.asked.length) ? rate : {});
    association.start();
    await scheduler.run(300);
    const gaps = network.asked.map(({ at }, i) => at - (network.asked[i - 1]?.at ?? 0));
    // 16 s; a kiss 41 ms after the second question: 32 s from then; after the third: 64 s.
    expect(gaps.map(gap => Number(gap.toFixed(3)))).toEqual([0, 16, 32.041, 64.041, 64, 64]);
  });

  describe('a restart', () => {
    const burst = (): Poller => ({ next: ({ sent, floor }) => Math.max(floor, sent < 3 ? 2 : 64) });
    const rate = { stratum: 0, leap: 3, referenceId: referenceIdOf('RATE') };
    /** Asked for 100 s; then from anew `elapsed` later, on a counter that starts at 0 again here. */
    async function gapsAfter(elapsed: number, kiss: boolean, continues = true): Promise<number[]> {
      const before = associate({}, burst());
      before.network.listening = question =>
        before.reply(question, kiss && before.network.asked.length === 4 ? rate : {});
      before.association.start();
      await before.scheduler.run(100);
      const { due, ...kept } = JSON.parse(JSON.stringify(before.association.snapshot()));
      const after = associate({}, burst());
      after.network.listening = question => after.reply(question);
      after.association.restore({ ...kept, due: due - 100 - elapsed }, { continues, elapsed });
      after.association.start();
      await after.scheduler.run(400);
      return after.network.asked.map(({ at }) => Number(at.toFixed(3)));
    }

    test('has no burst where no turn was missed, and one where it was', async () => {
      expect((await gapsAfter(1, false)).slice(0, 3)).toEqual([0, 64, 128]);
      expect((await gapsAfter(65, false)).slice(0, 3)).toEqual([0, 2, 4]);
      expect((await gapsAfter(1, false, false)).slice(0, 3)).toEqual([0, 2, 4]);
    });

    test('holds to what a RATE kiss has asked for, until there was silence for so long', async () => {
      // A kiss at 6 s: 128 s between questions, the next at 134 s.
      expect((await gapsAfter(1, true)).slice(0, 3)).toEqual([33.041, 161.041, 289.041]);
      expect((await gapsAfter(129, true)).slice(0, 3)).toEqual([0, 2, 4]);
    });
  });

  test('RATE during the burst makes the burst slower', async () => {
    const burst: Poller = { next: ({ sent, floor }) => Math.max(floor, sent < 3 ? 2 : 64) };
    const { scheduler, network, association, reply } = associate({}, burst);
    const rate = { stratum: 0, leap: 3, referenceId: referenceIdOf('RATE') };
    network.listening = question => reply(question, network.asked.length === 1 ? rate : {});
    association.start();
    await scheduler.run(100);
    const gaps = network.asked.map(({ at }, i) => at - (network.asked[i - 1]?.at ?? 0));
    expect(gaps.map(gap => Number(gap.toFixed(3)))).toEqual([0, 4.041, 4, 4, 64]);
  });

  test('RATE without end never asks for more than 2¹⁷ s', async () => {
    const { scheduler, network, association, reply } = associate();
    network.listening = question => reply(question, { stratum: 0, referenceId: referenceIdOf('RATE') });
    association.start();
    await scheduler.run(1_000_000);
    const last = network.asked.slice(-2).map(({ at }) => at);
    expect(last[1]! - last[0]!).toBeCloseTo(131_072.041, 6);
  });
});

describe('the schedule', () => {
  test('counts from question to question, however long answers take', async () => {
    const { scheduler, network, association, answer } = associate();
    network.listening = question => question.reply(answer(question), 0.9);
    association.start();
    await scheduler.run(100);
    expect(network.asked.map(({ at }) => at)).toEqual([0, 16, 32, 48, 64, 80, 96]);
  });

  test('never has two questions open, even where the interval is shorter than the time-out', async () => {
    const { scheduler, network, association, events } = associate({ timeout: 1 }, new EvenPoller(0.3));
    let most = 0;
    network.listening = () => {
      most = Math.max(most, network.openSockets);
    };
    association.start();
    await scheduler.run(10);
    expect(most).toBe(1);
    expect(events.every(({ open }) => !open)).toBe(true);
    expect(network.asked.map(({ at }) => Number(at.toFixed(6)))).toEqual([0, 1.2, 2.4, 3.6, 4.8, 6, 7.2, 8.4, 9.6]);
  });

  test('tells the poller what it may decide by', async () => {
    const poller = new EvenPoller(16);
    const { scheduler, network, association, reply } = associate({}, poller);
    network.listening = question => {
      if (![3, 4, 6].includes(network.asked.length)) reply(question, {}, 0.5);
    };
    association.start();
    await scheduler.run(16 * 9 + 1);
    const { states } = poller;
    expect(states.map(({ sent }) => sent)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(states.map(({ missed }) => missed)).toEqual([0, 0, 0, 1, 2, 0, 1, 0, 0, 0]);
    expect(states.map(({ reach }) => reach.toString(2))).toEqual([
      '0',
      '1',
      '11',
      '110',
      '1100',
      '11001',
      '110010',
      '1100101',
      '11001011',
      '10010111',
    ]);
    expect(states[0]!.last).toBeUndefined();
    expect(states[1]!.last!.offset).toBeCloseTo(0.5, 9);
    expect(states[1]!.last!.delay).toBeCloseTo(0.04, 9);
    expect(states.map(({ interval }) => interval)).toEqual([undefined, ...new Array<number>(9).fill(16)]);
  });

  test('is jittered: no question sooner than its interval, none much later, no two alike', async () => {
    const jitter = new TurnJitter(1, randomStream('seed', 'jitter'));
    const { scheduler, network, association, reply } = associate({ jitter }, new EvenPoller(64));
    network.listening = question => reply(question);
    association.start();
    await scheduler.run(100 * 66);
    const gaps = network.asked.slice(1).map(({ at }, i) => at - network.asked[i]!.at);
    expect(gaps.length).toBeGreaterThan(95);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(64);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(66);
    expect(new Set(gaps.map(gap => gap.toFixed(3))).size).toBeGreaterThan(80);
  });

  test('is jittered alike for servers that are asked together, whatever their intervals', async () => {
    const { scheduler, network, world } = associate();
    const options = { timeout: 1, maxDistance: 1.5, jitter: new TurnJitter(1, randomStream('seed', 'jitter')) };
    const target = { host: 'ntp.example', port: 123 };
    const asked: number[][] = [];
    for (const [index, interval] of [64, 64].entries()) {
      const path = `${index}/server`;
      asked.push([]);
      const poller: Poller = {
        next: () => {
          asked[index]!.push(scheduler.time);
          return interval;
        },
      };
      new Association('server', path, target, world, poller, options).start();
    }
    await scheduler.run(10_000);
    expect(network.asked.length).toBeGreaterThan(300);
    expect(asked[0]).toEqual(asked[1]);
  });

  test('after a suspend nothing is made up for, and the beat is kept', async () => {
    const { scheduler, network, world } = associate();
    // From 100 s to 300 s nothing runs.
    const asleep: WorldScheduler = Object.create(scheduler, {
      at: { value: (at: number, run: () => void) => scheduler.at(at > 100 && at < 300 ? 300 : at, run) },
    });
    const options = { timeout: 1, maxDistance: 1.5 };
    const target = { host: 'ntp.example', port: 123 };
    new Association('server', 'path', target, { ...world, scheduler: asleep }, new EvenPoller(64), options).start();
    await scheduler.run(520);
    expect(network.asked.map(({ at }) => at)).toEqual([0, 64, 300, 384, 448, 512]);
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])(
    'a poller that says %d ends the run, with its name',
    async interval => {
      const { scheduler, association } = associate({}, { next: () => interval });
      association.start();
      await expect(scheduler.run(10)).rejects.toThrow(
        `ntp/server: the poller gave an interval of ${interval} s; expected a positive, finite number of seconds`,
      );
    },
  );

  test('stop() ends it for good, with the question that is open and its socket', async () => {
    const { scheduler, network, association, events } = associate();
    association.start();
    scheduler.at(16.5, () => association.stop());
    await scheduler.run(1000);
    expect(events.map(summary)).toEqual(['timeout']);
    expect(network.asked.length).toBe(2);
    expect(network.openSockets).toBe(0);
  });

  test('nothing happens before start(), and a second start() changes nothing', async () => {
    const { scheduler, network, association } = associate();
    await scheduler.run(100);
    expect(network.asked).toEqual([]);
    association.start();
    association.start();
    await scheduler.run(150);
    expect(network.asked.map(({ at }) => at)).toEqual([100, 116, 132, 148]);
  });
});

describe('names', () => {
  test('are looked up before the first question, never between T1 and T4', async () => {
    const { scheduler, network, association, reply } = associate();
    network.listening = question => reply(question);
    association.start();
    await scheduler.run(100);
    expect(network.lookUps).toEqual(['ntp.example:123']);
    expect(network.asked.every(({ to }) => to === ADDRESS)).toBe(true);
  });

  test('a look-up that fails is an event with its reason, and is tried again at the next turn', async () => {
    const { scheduler, network, association, events, reply } = associate();
    network.names.delete('ntp.example');
    network.listening = question => reply(question);
    scheduler.at(20, () => network.names.set('ntp.example', []));
    scheduler.at(40, () => network.names.set('ntp.example', [OTHER]));
    association.start();
    await scheduler.run(70);
    expect(events.map(summary)).toEqual([
      'cannot resolve ntp.example',
      'cannot resolve ntp.example',
      'no address for ntp.example',
      'exchange',
      'exchange',
    ]);
    expect(events.map(({ at }) => Number(at.toFixed(3)))).toEqual([0, 16, 32, 48.041, 64.041]);
    expect(events.every(({ open }) => !open)).toBe(true);
    expect(network.asked.every(({ to }) => to === OTHER)).toBe(true);
  });

  test('with several addresses: one that is silent makes room for the next, and after the last for a new look-up', async () => {
    const { scheduler, network, association, reply } = associate();
    network.names.set('ntp.example', [ADDRESS, OTHER]);
    const moved: Endpoint = { address: '192.0.2.3', port: 123 };
    network.listening = question => {
      if (question.to === moved) reply(question);
      else network.names.set('ntp.example', [moved]);
    };
    association.start();
    await scheduler.run(80);
    expect(network.asked.map(({ to }) => to)).toEqual([ADDRESS, OTHER, moved, moved, moved, moved]);
    expect(network.lookUps.length).toBe(2);
  });

  test('with several addresses: one that has answered is left after three questions in a row without an answer', async () => {
    const { scheduler, network, association, reply } = associate();
    network.names.set('ntp.example', [ADDRESS, OTHER]);
    // Answers once, is silent twice, answers once, and then never again.
    network.listening = question => {
      if (question.to === OTHER || [1, 4].includes(network.asked.length)) reply(question);
    };
    association.start();
    await scheduler.run(130);
    expect(network.asked.map(({ to }) => (to === ADDRESS ? 1 : 2))).toEqual([1, 1, 1, 1, 1, 1, 1, 2, 2]);
    expect(network.lookUps.length).toBe(1);
  });

  test('with several addresses: one that answers uselessly is left after eight questions', async () => {
    const { scheduler, network, association, events, reply } = associate();
    network.names.set('ntp.example', [ADDRESS, OTHER]);
    network.listening = question => reply(question, question.to === ADDRESS ? { leap: 3 } : {});
    association.start();
    await scheduler.run(9 * 16 + 1);
    expect(events.map(summary)).toEqual([
      ...new Array<string>(8).fill('unsynchronised (leap 3)'),
      'exchange',
      'exchange',
    ]);
  });

  test('with several addresses: one that denies service is never asked again, the others are', async () => {
    const { scheduler, network, association, events, reply } = associate();
    network.names.set('ntp.example', [ADDRESS, OTHER]);
    const deny = { stratum: 0, leap: 3, referenceId: referenceIdOf('DENY') };
    // The second falls silent after two answers, and the name is looked up again.
    network.listening = question => {
      if (question.to === ADDRESS) reply(question, deny);
      else if (network.asked.length <= 3) reply(question);
    };
    association.start();
    await scheduler.run(200);
    expect(events.map(summary).slice(0, 4)).toEqual(['kiss DENY', 'exchange', 'exchange', 'timeout']);
    expect(network.asked.filter(({ to }) => to === ADDRESS).length).toBe(1);
    expect(network.lookUps.length).toBeGreaterThan(1);
    expect(network.asked.length).toBeGreaterThan(8);
  });

  test('one that is stopped while its name is looked up asks nothing', async () => {
    const { scheduler, network, association, events } = associate();
    network.lookingUp = () => association.stop();
    association.start();
    await scheduler.run(50);
    expect(network.lookUps.length).toBe(1);
    expect(events).toEqual([]);
    expect(network.asked).toEqual([]);
  });
});

describe('two associations', () => {
  test('of one server have nonces of their own', async () => {
    const { scheduler, network, world } = associate();
    for (const path of ['a/server', 'b/server']) {
      const options = { timeout: 1, maxDistance: 1.5 };
      new Association('server', path, { host: 'ntp.example', port: 123 }, world, new EvenPoller(16), options).start();
    }
    await scheduler.run(1);
    const [first, second] = network.asked.map(({ bytes }) => decodePacket(bytes)!.transmit);
    expect(sameTimestamp(first!, second!)).toBe(false);
  });
});
