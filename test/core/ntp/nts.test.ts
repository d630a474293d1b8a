import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Endpoint, NtsKeys, Poller, SourceEvent } from '../../../src/core/contracts/index.js';
import { Association } from '../../../src/core/ntp/association.js';
import { extensionField, joined, readExtensions } from '../../../src/core/ntp/extension.js';
import { authenticate, NtsCredentials, openAuthenticator } from '../../../src/core/ntp/nts.js';
import { KeyAnswerReader, keyRequest } from '../../../src/core/ntp/nts-ke.js';
import { decodePacket, PACKET_LENGTH, referenceIdOf } from '../../../src/core/ntp/packet.js';
import { respond } from '../../../src/core/ntp/responder.js';
import { randomStream } from '../../../src/core/world/random.js';
import { type Asked, memoryWorld } from '../../support/memory-network.js';

const SERVER: Endpoint = { address: '192.0.2.1', port: 123 };
const UNIQUE_IDENTIFIER = 0x0104;
const COOKIE = 0x0204;
const PLACEHOLDER = 0x0304;
const AUTHENTICATOR = 0x0404;
const every16: Poller = { next: ({ floor }) => Math.max(floor, 16) };

/** A server's side of RFC 8915, with keys that it forgets when it is told to. */
class NtsServer {
  generation = 0;
  established = 0;
  refusing: string | undefined;
  cookieLength = 100;
  private serial = 0;

  keys(): NtsKeys {
    this.established += 1;
    if (this.refusing !== undefined) throw new Error(this.refusing);
    const key = (seed: number) => new Uint8Array(32).fill(seed + 10 * this.generation);
    return {
      c2s: key(1),
      s2c: key(2),
      cookies: Array.from({ length: 8 }, () => this.cookie()),
      server: { host: 'ntp.example', port: 123 },
    };
  }

  cookie(): Uint8Array {
    this.serial += 1;
    const bytes = new Uint8Array(this.cookieLength).fill(this.generation);
    new DataView(bytes.buffer).setUint32(4, this.serial);
    return bytes;
  }

  /** What it says to a question, and what was in the question. */
  answer(question: Uint8Array, epoch: number, time: number) {
    const fields = readExtensions(question)!;
    const of = (type: number) => fields.filter(field => field.type === type);
    const [identifier, cookie, proof] = [of(UNIQUE_IDENTIFIER)[0]!, of(COOKIE)[0]!, of(AUTHENTICATOR)[0]!];
    const known = cookie.body[0] === this.generation;
    const state = { leap: 0, stratum: 2, precision: -20, rootDelay: 0, rootDispersion: 0, referenceId: 0x0a000001 };
    const head = (change: object) => respond(question.subarray(0, 48), { ...state, ...change }, time, time, epoch)!;
    const echo = extensionField(UNIQUE_IDENTIFIER, identifier.body);
    const asked = 1 + of(PLACEHOLDER).length;
    if (!known) {
      return {
        asked,
        bytes: joined([head({ stratum: 0, leap: 3, referenceId: referenceIdOf('NTSN') }), echo]),
        cookie,
      };
    }
    const c2s = new Uint8Array(32).fill(1 + 10 * this.generation);
    expect(openAuthenticator(c2s, question, proof)).toEqual(new Uint8Array(0));
    const s2c = new Uint8Array(32).fill(2 + 10 * this.generation);
    const secret = joined(Array.from({ length: asked }, () => extensionField(COOKIE, this.cookie())));
    const clear = joined([head({}), echo]);
    return { asked, bytes: joined([clear, authenticate(s2c, clear, new Uint8Array(16).fill(7), secret)]), cookie };
  }
}

function associate(server = new NtsServer()) {
  const { scheduler, network, world } = memoryWorld(0);
  network.names.set('ntp.example', [SERVER]);
  const reports: string[] = [];
  const credentials = new NtsCredentials({
    name: 'server',
    establish: async () => server.keys(),
    resolve: (host, port) => network.resolve(host, port),
    random: randomStream('seed', 'nts'),
    now: () => scheduler.time,
    report: what => reports.push(what),
  });
  const target = { host: 'ke.example', port: 4460 };
  const options = { timeout: 1, maxDistance: 1.5, report: (what: string) => void reports.push(what) };
  const association = new Association('server', 'ntp/server', target, world, every16, options, credentials);
  const events: SourceEvent[] = [];
  association.events.subscribe(event => events.push(event));
  const questions: { readonly asked: number; readonly cookie: string; readonly identifier: string }[] = [];
  const answer = (question: Asked): Uint8Array => {
    const { asked, bytes, cookie } = server.answer(question.bytes, world.epoch, scheduler.time + 0.02);
    const identifier = readExtensions(question.bytes)!.find(({ type }) => type === UNIQUE_IDENTIFIER)!.body;
    questions.push({ asked, cookie: String(cookie.body), identifier: String(identifier) });
    return bytes;
  };
  network.listening = question => question.reply(answer(question), 0.04);
  return { server, scheduler, network, association, events, reports, questions, answer };
}

const summary = (event: SourceEvent): string => (event.type === 'exchange' ? 'exchange' : event.failure.reason);

describe('a server with NTS', () => {
  test('is asked where key establishment says, with a cookie and an identifier that are used once', async () => {
    const { scheduler, network, association, events, questions, server, reports } = associate();
    association.start();
    await scheduler.run(16 * 40 + 1);
    expect(events.map(summary)).toEqual(new Array(41).fill('exchange'));
    expect(network.lookUps).toEqual(['ntp.example:123']);
    expect(new Set(questions.map(({ cookie }) => cookie)).size).toBe(41);
    expect(new Set(questions.map(({ identifier }) => identifier)).size).toBe(41);
    // One goes, one comes: no placeholders while nothing is lost.
    expect(new Set(questions.map(({ asked }) => asked))).toEqual(new Set([1]));
    expect(server.established).toBe(1);
    expect(reports).toEqual(['server: NTS keys established (8 cookies, NTP server ntp.example port 123)']);
    expect(network.asked.every(({ bytes }) => bytes.length % 4 === 0)).toBe(true);
  });

  test('gives more cookies after losses, and new keys when they have run out', async () => {
    const { scheduler, network, association, questions, events, server, answer } = associate();
    let silent = 3;
    network.listening = question => {
      const bytes = answer(question);
      if (question.at < 16 || silent-- <= 0) question.reply(bytes, 0.04);
    };
    association.start();
    await scheduler.run(16 * 7 + 1);
    // After three lost questions it is left, and keys are established again: eight cookies.
    expect(events.map(summary)).toEqual([
      'exchange',
      ...new Array(3).fill('timeout'),
      ...new Array(4).fill('exchange'),
    ]);
    expect(questions.map(({ asked }) => asked)).toEqual([1, 1, 2, 3, 1, 1, 1, 1]);
    expect(server.established).toBe(2);
  });

  test('that cannot be asked for new keys is asked with the cookies that are left, and then no more', async () => {
    const { scheduler, network, association, server, answer, events, questions } = associate();
    network.listening = question => {
      const bytes = answer(question);
      if (question.at < 16) question.reply(bytes, 0.04);
      else server.refusing = 'nobody listens there';
    };
    association.start();
    await scheduler.run(3600);
    expect(questions.length).toBe(9);
    expect(new Set(questions.map(({ cookie }) => cookie)).size).toBe(9);
    expect(events.slice(1, 9).map(summary)).toEqual(new Array(8).fill('timeout'));
    const rest = new Set(events.slice(9).map(event => summary(event).replace(/\d+ s$/, '# s')));
    expect(rest).toEqual(
      new Set([
        'NTS key establishment failed: nobody listens there',
        'no NTS keys, and none are asked for in the next # s',
      ]),
    );
    // 10 s, then half as long again each time: not at every turn.
    expect(server.established).toBeLessThan(16);
    expect(server.established).toBeGreaterThan(8);
  });

  test('whose key establishment fails is bothered ever more rarely, also while the old keys still work', async () => {
    const { scheduler, network, association, server, answer, events, questions } = associate();
    network.listening = question => {
      const bytes = answer(question);
      // Three of four are lost: each time it is left, and looked up again.
      if (questions.length % 4 === 1) question.reply(bytes, 0.04);
      server.refusing = 'nobody listens there';
    };
    association.start();
    await scheduler.run(7200);
    expect(events.filter(event => summary(event) === 'exchange').length).toBeGreaterThan(100);
    expect(new Set(questions.map(({ cookie }) => cookie)).size).toBe(questions.length);
    // 10 s × 1.5ⁿ add up to two hours with the fifteenth.
    expect(server.established).toBeGreaterThan(8);
    expect(server.established).toBeLessThanOrEqual(16);
  });

  test('that has forgotten its keys (NTSN) is asked for new ones, once no true answer has come', async () => {
    const { scheduler, association, server, events } = associate();
    association.start();
    scheduler.at(20, () => {
      server.generation = 1;
    });
    await scheduler.run(60);
    expect(events.map(summary)).toEqual([
      'exchange',
      'exchange',
      'timeout (kiss NTSN: the server no longer knows the keys, dropped 1 unauthenticated)',
      'exchange',
    ]);
    expect(server.established).toBe(2);
  });

  test('an NTSN that somebody else sends does no harm', async () => {
    const { scheduler, network, association, server, events, answer } = associate();
    const other = new NtsServer();
    other.generation = 9;
    network.listening = question => {
      question.reply(other.answer(question.bytes, 0, 0).bytes, 0.01);
      question.reply(answer(question), 0.04);
    };
    association.start();
    await scheduler.run(100);
    expect(new Set(events.map(summary))).toEqual(new Set(['exchange']));
    expect(server.established).toBe(1);
    expect(association.drops.unauthenticated).toBe(7);
  });

  test('with long cookies is asked for no more of them than fit into 1200 bytes', async () => {
    const server = new NtsServer();
    server.cookieLength = 400;
    const { scheduler, network, association } = associate(server);
    network.listening = () => {};
    association.start();
    await scheduler.run(40);
    expect(network.asked.length).toBe(3);
    for (const { bytes } of network.asked) expect(bytes.length).toBeLessThanOrEqual(1200);
  });
});

describe('of the replies to one question', () => {
  /** Forgeries of every reply come before it; each has to be dropped, and the true one taken. */
  async function withForgeries(
    forge: (good: Uint8Array, question: Asked, earlier: readonly Uint8Array[]) => Uint8Array[],
  ) {
    const { scheduler, network, association, events, answer } = associate();
    const earlier: Uint8Array[] = [];
    let forged = 0;
    network.listening = question => {
      const good = answer(question);
      for (const bytes of forge(good, question, earlier)) {
        forged += 1;
        question.reply(bytes, 0.01);
      }
      question.reply(good, 0.04);
      earlier.push(good);
    };
    association.start();
    await scheduler.run(49);
    expect(events.map(summary)).toEqual(new Array(4).fill('exchange'));
    // None of the forgeries had a stamp of its own time accepted.
    for (const event of events)
      if (event.type === 'exchange') expect(event.exchange.arrived.counter % 16).toBeCloseTo(0.04);
    const dropped = Object.values(association.drops).reduce((a, b) => a + b, 0);
    return { forged, dropped, drops: association.drops };
  }

  test('a plain one is dropped as unauthenticated', async () => {
    const { drops } = await withForgeries(good => [good.subarray(0, PACKET_LENGTH)]);
    expect(drops.unauthenticated).toBe(4);
  });

  test('one with any bit changed is dropped', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(), { minLength: 1, maxLength: 20 }), async bits => {
        const { forged, dropped } = await withForgeries(good =>
          bits.map(bit => {
            const bytes = Uint8Array.from(good);
            const at = bit % (8 * bytes.length);
            bytes[at >> 3]! ^= 1 << (at & 7);
            return bytes;
          }),
        );
        expect(dropped).toBe(forged);
      }),
      { numRuns: 60 },
    );
  });

  test('one that is cut short, or of noise, is dropped', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.uint8Array({ maxLength: 300 }), async (cut, noise) => {
        const { forged, dropped } = await withForgeries((good, { bytes }) => [
          good.subarray(0, cut % good.length),
          noise,
          joined([good.subarray(0, PACKET_LENGTH), noise]),
          bytes,
        ]);
        expect(dropped).toBe(forged);
      }),
      { numRuns: 60 },
    );
  });

  test('an earlier one is dropped as replayed, also under the origin of this question', async () => {
    const { drops } = await withForgeries((good, _question, earlier) =>
      earlier.flatMap(old => [old, joined([good.subarray(0, PACKET_LENGTH), old.subarray(PACKET_LENGTH)])]),
    );
    // Six of each; the second kind has another question's identifier.
    expect(drops.wrongOrigin).toBe(12);
  });

  test('one sealed with other keys is dropped as forged', async () => {
    const { drops } = await withForgeries(good => {
      const clear = good.subarray(0, readExtensions(good)!.find(({ type }) => type === AUTHENTICATOR)!.at);
      return [joined([clear, authenticate(new Uint8Array(32).fill(99), clear, new Uint8Array(16), new Uint8Array(0))])];
    });
    expect(drops.forged).toBe(4);
  });
});

describe('key establishment', () => {
  const record = (type: number, ...body: number[]) =>
    Uint8Array.of(type >> 8, type & 255, body.length >> 8, body.length & 255, ...body);
  const good = [
    record(0x8001, 0, 0),
    record(0x8004, 0, 15),
    record(5, 1, 2, 3),
    record(5, 4, 5, 6),
    record(0x8006, ...Buffer.from('ntp.example')),
    record(0x8007, 0, 124),
    record(0x8000),
  ];
  const read = (records: readonly Uint8Array[]) => new KeyAnswerReader().push(joined(records));

  test('asks for NTPv4 and AES-SIV-CMAC-256, in the bytes of RFC 8915', () => {
    expect(Buffer.from(keyRequest()).toString('hex')).toBe('80010002000080040002000f80000000');
  });

  test('reads an answer however it is cut into pieces', () => {
    const bytes = joined(good);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), sizes => {
        const reader = new KeyAnswerReader();
        let answer: ReturnType<KeyAnswerReader['push']>;
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length]!;
          answer = reader.push(bytes.subarray(at, at + size));
          at += size;
          if (at < bytes.length) expect(answer).toBeUndefined();
        }
        const cookies = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)];
        expect(answer).toEqual({ cookies, host: 'ntp.example', port: 124 });
      }),
    );
  });

  test.each([
    ['an error record', [record(0x8002, 0, 1)], 'it refuses: it calls our request bad'],
    ['an unknown error', [record(0x8002, 9, 9)], 'it refuses: error 2313'],
    ['a warning', [record(0x8003, 0, 1)], 'it warns with a code that nobody knows (1)'],
    ['an unknown critical record', [record(0x8055)], 'its answer has a critical record of an unknown type (85)'],
    ['no protocol', [...good.slice(1)], 'it does not offer NTPv4'],
    ['an empty list of protocols', [record(0x8001), ...good.slice(1)], 'it does not offer NTPv4'],
    ['two protocols', [record(0x8001, 0, 0, 0, 1), ...good.slice(1)], 'it names more than one protocol'],
    ['another algorithm', [good[0]!, record(0x8004, 0, 16), ...good.slice(2)], 'it does not offer AES-SIV-CMAC-256'],
    ['no cookie', [...good.slice(0, 2), record(0x8000)], 'it gives no cookie'],
    ['an empty cookie', [record(5)], 'a cookie has 0 bytes'],
    ['a cookie of 2 KiB', [record(5, ...new Uint8Array(2048))], 'a cookie has 2048 bytes'],
    ['a server with a space in its name', [record(0x8006, ...Buffer.from('a b'))], 'it names no NTP server'],
    ['port 0', [record(0x8007, 0, 0)], 'it names no port'],
    ['something after its end', [...good, record(5, 1)], 'its answer goes on after its end'],
    ['20 000 bytes', new Array(300).fill(record(77, ...new Uint8Array(64))), 'its answer is longer than 16384 bytes'],
  ])('refuses an answer with %s', (_what, records, problem) => {
    expect(() => read(records)).toThrow(problem);
  });

  test('an unknown record that is not critical is passed over, and of more than eight cookies eight are kept', () => {
    const answer = read([record(0x0055, 1, 2), ...new Array<Uint8Array>(20).fill(record(5, 9)), ...good]);
    expect(answer!.cookies.length).toBe(8);
  });

  test('whatever a server sends is an answer, an error for people, or not yet all', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), pieces => {
        const reader = new KeyAnswerReader();
        try {
          for (const piece of pieces) reader.push(piece);
        } catch (error) {
          expect((error as Error).message).toMatch(/^(its?|a) /);
        }
      }),
    );
  });
});

test('a packet with extension fields that do not fill it is none with extension fields', () => {
  const packet = joined([new Uint8Array(48), extensionField(1, new Uint8Array(12))]);
  expect(readExtensions(packet)!.length).toBe(1);
  expect(decodePacket(packet)).toBeUndefined();
  for (const change of [
    [51, 0],
    [51, 17],
    [51, 8],
    [50, 255],
  ] as const) {
    const bytes = Uint8Array.from(packet);
    bytes[change[0]] = change[1];
    expect(readExtensions(bytes)).toBeUndefined();
  }
  expect(readExtensions(packet.subarray(0, 63))).toBeUndefined();
});
