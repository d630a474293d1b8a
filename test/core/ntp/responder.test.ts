import { describe, expect, test } from 'vitest';
import { decodePacket, fromTimestamp, NOT_SET } from '../../../src/core/ntp/packet.js';
import { respond } from '../../../src/core/ntp/responder.js';
import { bytesOf, CHRONY_EXCHANGES } from '../../support/chrony-exchanges.js';

const EPOCH = Date.UTC(2026, 0, 1) / 1000;
const state = { leap: 1, stratum: 3, precision: -23, rootDelay: 0.25, rootDispersion: 0.125, referenceId: 0x0a000001 };
const request = bytesOf(CHRONY_EXCHANGES[1].request);

describe('the answer to a client', () => {
  test('carries its transmit timestamp back, both of the server’s, and what the server says of itself', () => {
    const answer = decodePacket(respond(request, state, 1000.25, 1000.5, EPOCH)!)!;
    expect(answer).toMatchObject({ ...state, version: 4, mode: 4, poll: 0 });
    expect(answer.origin).toEqual(decodePacket(request)!.transmit);
    expect(fromTimestamp(answer.receive, EPOCH, 0)).toBe(1000.25);
    expect(fromTimestamp(answer.transmit, EPOCH, 0)).toBe(1000.5);
    expect(fromTimestamp(answer.reference, EPOCH, 0)).toBeLessThanOrEqual(1000.25);
  });

  test('is of the version that was asked in', () => {
    const old = Uint8Array.from(request);
    old[0] = (3 << 3) | 3;
    expect(decodePacket(respond(old, state, 0, 0, EPOCH)!)!.version).toBe(3);
  });

  test('is never longer than the question', () => {
    expect(respond(request, state, 0, 0, EPOCH)!.length).toBeLessThanOrEqual(request.length);
  });

  test('a kiss says that it has no time', () => {
    const answer = decodePacket(respond(request, { ...state, stratum: 0, leap: 3 }, 0, 0, EPOCH)!)!;
    expect(answer).toMatchObject({ stratum: 0, leap: 3, reference: NOT_SET });
  });

  test.each([
    ['a truncated datagram', request.subarray(0, 47)],
    ['an empty one', new Uint8Array(0)],
    ['another server’s answer', bytesOf(CHRONY_EXCHANGES[1].response)],
    ['a control message', Uint8Array.from(request, (byte, i) => (i === 0 ? (4 << 3) | 6 : byte))],
  ])('%s is not answered', (_, bytes) => {
    expect(respond(bytes, state, 0, 0, EPOCH)).toBeUndefined();
  });
});
