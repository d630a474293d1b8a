import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  asciiOf,
  decodePacket,
  encodePacket,
  fromTimestamp,
  isSet,
  NOT_SET,
  type NtpPacket,
  PACKET_LENGTH,
  referenceIdOf,
  sameTimestamp,
  toTimestamp,
} from '../../../src/core/ntp/packet.js';
import { bytesOf, CHRONY_EXCHANGES, hexOf } from '../../support/chrony-exchanges.js';

/** Unix time at which the 32 bits of seconds since 1900 begin again: 2036-02-07T06:28:16Z. */
const ERA_1 = Date.UTC(2036, 1, 7, 6, 28, 16) / 1000;
/** One unit of the fraction, seconds. */
const UNIT = 2 ** -32;

describe("chronyd's own packets", () => {
  test.each(CHRONY_EXCHANGES)('are read as it meant them, and written again byte for byte', ({ request, response }) => {
    expect(hexOf(encodePacket(decodePacket(bytesOf(request))!))).toBe(request);
    expect(hexOf(encodePacket(decodePacket(bytesOf(response))!))).toBe(response);
  });

  test('a request', () => {
    expect(decodePacket(bytesOf(CHRONY_EXCHANGES[0].request))).toEqual({
      leap: 0,
      version: 4,
      mode: 3,
      stratum: 0,
      poll: 0,
      precision: 32,
      rootDelay: 0,
      rootDispersion: 0,
      referenceId: 0,
      reference: NOT_SET,
      origin: NOT_SET,
      receive: NOT_SET,
      transmit: { seconds: 0xa9d873f9, fraction: 0x64708b49 },
    });
  });

  test('a response', () => {
    const packet = decodePacket(bytesOf(CHRONY_EXCHANGES[0].response))!;
    expect(packet).toMatchObject({ leap: 0, version: 4, mode: 4, stratum: 5, poll: 0, precision: -25 });
    expect(packet).toMatchObject({ rootDelay: 0, rootDispersion: 0, referenceId: 0x7f7f0101 });
    expect(packet.origin).toEqual({ seconds: 0xa9d873f9, fraction: 0x64708b49 });
    // 0xeeac996f = 4004288879 s after 1900 = 1795300079 Unix time; 0x7dec080b / 2³² = 0.49188280361…
    expect(packet.receive).toEqual({ seconds: 4004288879, fraction: 0x7dec080b });
    const midnight = Date.UTC(2026, 10, 21) / 1000;
    const sinceMidnight = 22 * 3600 + 27 * 60 + 59;
    expect(fromTimestamp(packet.reference, midnight, 0)).toBeCloseTo(sinceMidnight - 1 + 0.20780388195998967, 9);
    expect(fromTimestamp(packet.receive, midnight, 0)).toBeCloseTo(sinceMidnight + 0.4918828036170453, 9);
    expect(fromTimestamp(packet.transmit, midnight, 0)).toBeCloseTo(sinceMidnight + 0.49254914885386825, 9);
  });
});

describe('the packet codec', () => {
  test('writes every field where RFC 5905, figure 8, has it', () => {
    const packet: NtpPacket = {
      leap: 2,
      version: 3,
      mode: 5,
      stratum: 0xfe,
      poll: 17,
      precision: -32,
      rootDelay: 1.5,
      rootDispersion: 3.25,
      referenceId: 0x47505300,
      reference: { seconds: 0x01020304, fraction: 0x05060708 },
      origin: { seconds: 0x11121314, fraction: 0x15161718 },
      receive: { seconds: 0xa1a2a3a4, fraction: 0xb1b2b3b4 },
      transmit: { seconds: 0xffffffff, fraction: 0xfffffffe },
    };
    const bytes =
      '9dfe11e0' +
      '00018000' +
      '00034000' +
      '47505300' +
      '0102030405060708' +
      '1112131415161718' +
      'a1a2a3a4b1b2b3b4' +
      'fffffffffffffffe';
    expect(hexOf(encodePacket(packet))).toBe(bytes);
    expect(decodePacket(bytesOf(bytes))).toEqual(packet);
  });

  const uint32 = fc.integer({ min: 0, max: 0xffffffff });
  const stamp = fc.record({ seconds: uint32, fraction: uint32 });

  test('reads what it wrote, for any header', () => {
    fc.assert(
      fc.property(
        fc.record({
          leap: fc.nat(3),
          version: fc.integer({ min: 1, max: 4 }),
          mode: fc.nat(7),
          stratum: fc.nat(255),
          poll: fc.integer({ min: -128, max: 127 }),
          precision: fc.integer({ min: -128, max: 127 }),
          rootDelay: uint32.map(n => n / 65536),
          rootDispersion: uint32.map(n => n / 65536),
          referenceId: uint32,
          reference: stamp,
          origin: stamp,
          receive: stamp,
          transmit: stamp,
        }),
        packet => {
          expect(decodePacket(encodePacket(packet))).toEqual(packet);
        },
      ),
    );
  });

  test('writes again what it read, for any 48 bytes of a known version', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 48, maxLength: 48 }), fc.integer({ min: 1, max: 4 }), (bytes, version) => {
        bytes[0] = (bytes[0]! & 0b11000111) | (version << 3);
        expect(encodePacket(decodePacket(bytes)!)).toEqual(bytes);
      }),
    );
  });

  test('leaves extension fields and a MAC after the header alone', () => {
    const bytes = bytesOf(CHRONY_EXCHANGES[0].response);
    const longer = new Uint8Array(68);
    longer.set(bytes);
    longer.fill(0xaa, 48);
    expect(decodePacket(longer)).toEqual(decodePacket(bytes));
  });

  test('reads a header that does not begin at the first byte of its buffer', () => {
    const buffer = new Uint8Array(100);
    buffer.set(bytesOf(CHRONY_EXCHANGES[0].response), 13);
    expect(decodePacket(buffer.subarray(13, 13 + PACKET_LENGTH))).toEqual(
      decodePacket(bytesOf(CHRONY_EXCHANGES[0].response)),
    );
  });

  test.each([0, 1, 47])('%i bytes are no packet', length => {
    expect(decodePacket(bytesOf(CHRONY_EXCHANGES[0].response).subarray(0, length))).toBeUndefined();
  });

  test.each([0, 5, 6, 7])('nor is one of version %i', version => {
    const bytes = bytesOf(CHRONY_EXCHANGES[0].response);
    bytes[0] = (version << 3) | 4;
    expect(decodePacket(bytes)).toBeUndefined();
  });

  test('rounds short-format times to 2⁻¹⁶ s and saturates where the field ends', () => {
    const shorts = (rootDelay: number, rootDispersion: number) => {
      const packet = { ...decodePacket(bytesOf(CHRONY_EXCHANGES[0].response))!, rootDelay, rootDispersion };
      const { rootDelay: delay, rootDispersion: dispersion } = decodePacket(encodePacket(packet))!;
      return [delay * 65536, dispersion * 65536];
    };
    expect(shorts(0.001, 1e-9)).toEqual([66, 0]);
    expect(shorts(-1, 1e9)).toEqual([0, 0xffffffff]);
  });
});

describe('timestamps', () => {
  test('known instants', () => {
    expect(toTimestamp(0, 0)).toEqual({ seconds: 2_208_988_800, fraction: 0 });
    expect(toTimestamp(0.5, 0)).toEqual({ seconds: 2_208_988_800, fraction: 0x80000000 });
    // RFC 5905, figure 4: 1 January 1972 is 2,272,060,800; 31 December 1999 is 3,155,587,200.
    expect(toTimestamp(0, Date.UTC(1972, 0, 1) / 1000).seconds).toBe(2_272_060_800);
    expect(toTimestamp(0, Date.UTC(1999, 11, 31) / 1000).seconds).toBe(3_155_587_200);
  });

  test('both sides of the rollover of 2036-02-07T06:28:16Z', () => {
    expect(ERA_1).toBe(2_085_978_496);
    expect(toTimestamp(-1, ERA_1)).toEqual({ seconds: 0xffffffff, fraction: 0 });
    expect(toTimestamp(-UNIT, ERA_1)).toEqual({ seconds: 0xffffffff, fraction: 0xffffffff });
    expect(toTimestamp(UNIT, ERA_1)).toEqual({ seconds: 0, fraction: 1 });
    expect(toTimestamp(1, ERA_1)).toEqual({ seconds: 1, fraction: 0 });
    for (const pivot of [-1000, 0, 1000, 2e9, -2e9]) {
      expect(fromTimestamp({ seconds: 0xffffffff, fraction: 0 }, ERA_1, pivot)).toBe(-1);
      expect(fromTimestamp({ seconds: 0, fraction: 1 }, ERA_1, pivot)).toBe(UNIT);
      expect(fromTimestamp({ seconds: 3600, fraction: 0 }, ERA_1, pivot)).toBe(3600);
    }
  });

  test('an instant that would read as "not set" moves by one unit', () => {
    const stamp = toTimestamp(0, ERA_1);
    expect(stamp).toEqual({ seconds: 0, fraction: 1 });
    expect(isSet(stamp)).toBe(true);
    expect(isSet(NOT_SET)).toBe(false);
    expect(isSet({ seconds: 0, fraction: 1 }) && isSet({ seconds: 1, fraction: 0 })).toBe(true);
  });

  test('a fraction that rounds up to a whole second is carried', () => {
    expect(toTimestamp(7 - UNIT / 4, 0)).toEqual({ seconds: 2_208_988_807, fraction: 0 });
    expect(toTimestamp(-UNIT / 4, ERA_1)).toEqual({ seconds: 0, fraction: 1 });
    expect(toTimestamp(7 - UNIT, 0)).toEqual({ seconds: 2_208_988_806, fraction: 0xffffffff });
  });

  test('the era is that of the pivot, on either side of half of one', () => {
    const stamp = toTimestamp(0, 0);
    const era = 2 ** 32;
    expect(fromTimestamp(stamp, 0, era / 2 - 1)).toBe(0);
    expect(fromTimestamp(stamp, 0, era / 2 + 1)).toBe(era);
    expect(fromTimestamp(stamp, 0, -era / 2 + 1)).toBe(0);
    expect(fromTimestamp(stamp, 0, -era / 2 - 1)).toBe(-era);
  });

  test('come back within half a unit, for any epoch, before and after it, whatever the local clock says within 68 years', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: Date.UTC(1970, 0, 1) / 1000, max: Date.UTC(2170, 0, 1) / 1000 }),
        fc.double({ min: -3e9, max: 3e9, noNaN: true }),
        fc.double({ min: -2.14e9, max: 2.14e9, noNaN: true }),
        (epoch, time, error) => {
          const back = fromTimestamp(toTimestamp(time, epoch), epoch, time + error);
          // One unit where the instant itself reads as "not set"; a double's own resolution where that is coarser.
          expect(Math.abs(back - time)).toBeLessThanOrEqual(UNIT + Math.abs(time) * Number.EPSILON);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('are ordered as their instants are, across the rollover', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -10, max: 10, noNaN: true }),
        fc.double({ min: 1e-9, max: 10, noNaN: true }),
        (time, later) => {
          const [a, b] = [time, time + later].map(t => fromTimestamp(toTimestamp(t, ERA_1), ERA_1, 0));
          expect(b! - a!).toBeGreaterThan(0);
        },
      ),
    );
  });

  test('are the same if every bit is', () => {
    const stamp = { seconds: 5, fraction: 6 };
    expect(sameTimestamp(stamp, { ...stamp })).toBe(true);
    expect(sameTimestamp(stamp, { seconds: 5, fraction: 7 })).toBe(false);
    expect(sameTimestamp(stamp, { seconds: 4, fraction: 6 })).toBe(false);
  });
});

describe('reference identifiers', () => {
  test.each([
    ['GPS', 0x47505300],
    ['RATE', 0x52415445],
    ['', 0],
  ])('%j', (ascii, id) => {
    expect(referenceIdOf(ascii)).toBe(id);
    expect(asciiOf(id)).toBe(ascii);
  });

  test('what is not printable is not shown', () => {
    expect(asciiOf(0x7f7f0101)).toBe('????');
    expect(asciiOf(0x1b5b324a)).toBe('?[2J');
  });
});
