import type { ServerState } from '../contracts/server.js';
import {
  decodePacket,
  encodePacket,
  MODE_CLIENT,
  MODE_SERVER,
  NOT_SET,
  type NtpTimestamp,
  toTimestamp,
} from './packet.js';

/**
 * A server's answer to a client's datagram, RFC 5905 section 9.2 (fast transmit): the same length or shorter, never
 * longer. `receive` and `transmit` are the server's own time in seconds since `epoch`. Undefined if the datagram asks
 * for nothing (not NTP, or not from a client).
 */
export function respond(
  request: Uint8Array,
  state: ServerState,
  receive: number,
  transmit: number,
  epoch: number,
): Uint8Array | undefined {
  const asked = decodePacket(request);
  if (asked === undefined || asked.mode !== MODE_CLIENT) return undefined;
  return encodePacket({
    leap: state.leap,
    stratum: state.stratum,
    precision: state.precision,
    rootDelay: state.rootDelay,
    rootDispersion: state.rootDispersion,
    referenceId: state.referenceId,
    version: asked.version,
    mode: MODE_SERVER,
    poll: asked.poll,
    reference: state.stratum === 0 ? NOT_SET : toTimestamp(state.reference ?? Math.floor(receive), epoch),
    origin: asked.transmit,
    receive: toTimestamp(receive, epoch),
    transmit: toTimestamp(transmit, epoch),
  });
}

/**
 * An answer that nobody gave: it tells `time` (seconds since `epoch`), as a stratum-2 server would, to the question's own
 * origin timestamp or to a guessed one.
 */
export function forge(request: Uint8Array, time: number, guess: NtpTimestamp | undefined, epoch: number): Uint8Array {
  const asked = decodePacket(request);
  return encodePacket({
    leap: 0,
    stratum: 2,
    precision: -20,
    rootDelay: 0,
    rootDispersion: 0,
    referenceId: 0x7f000001,
    version: 4,
    mode: MODE_SERVER,
    poll: 6,
    reference: toTimestamp(Math.floor(time), epoch),
    origin: guess ?? asked?.transmit ?? NOT_SET,
    receive: toTimestamp(time, epoch),
    transmit: toTimestamp(time, epoch),
  });
}
