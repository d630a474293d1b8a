import type { Endpoint } from '../contracts/index.js';
import type { ServerState } from '../contracts/server.js';
import { decodePacket, LEAP_UNSYNCHRONISED, MODE_CLIENT, PACKET_LENGTH, referenceIdOf } from './packet.js';
import type { RateLimiter } from './rate-limit.js';
import { respond } from './responder.js';

/** The largest datagram that is looked at: an NTP header with extension fields, on any Ethernet. */
const LONGEST = 1500;

/** Datagrams by what became of them. */
export interface ServerCounts {
  answered: number;
  /** Told that they come too soon. */
  kissed: number;
  /** Beyond their limit, and not told. */
  limited: number;
  /** Not a client's question: too short or too long, another mode or version, or from port 0. */
  ignored: number;
}

/** What a server needs to know when it answers. Times in seconds since `epoch`. */
export interface ServedTime {
  /** Unix seconds, a whole number. */
  readonly epoch: number;
  /** What it says of itself, asked for each answer. */
  readonly state: () => ServerState;
}

/** What a server says that does not know the time: leap 3 and stratum 0, as chronyd does. */
export const UNSYNCHRONISED: ServerState = {
  leap: LEAP_UNSYNCHRONISED,
  stratum: 0,
  precision: -20,
  rootDelay: 0,
  rootDispersion: 0,
  referenceId: 0,
};

/**
 * All of an NTP server but its socket, RFC 5905's server mode: a datagram goes in, and an answer comes out or none. It
 * answers clients (mode 3) and nobody else: control messages, private ones, peers and broadcasts are what servers are
 * misused with. An answer is never longer than its question, and whoever asks too often gets a RATE kiss, then nothing.
 */
export class NtpResponder {
  readonly counts: ServerCounts = { answered: 0, kissed: 0, limited: 0, ignored: 0 };

  constructor(
    private readonly served: ServedTime,
    /** Left out: everybody is answered. */
    private readonly limiter?: RateLimiter,
  ) {}

  /**
   * Whether a datagram is to be answered, and how, decided when it arrives. `now`: seconds on a clock that is never
   * stepped, for the rate limit.
   */
  admit(request: Uint8Array, from: Endpoint, now: number): 'answer' | 'kiss' | undefined {
    if (!isQuestion(request) || from.port === 0) {
      this.counts.ignored += 1;
      return undefined;
    }
    const permission = this.limiter?.ask(from.address, now) ?? 'answer';
    if (permission === 'silence') {
      this.counts.limited += 1;
      return undefined;
    }
    return permission;
  }

  /** The answer to an admitted datagram; `receive` and `transmit` are the server's own time. */
  answer(
    request: Uint8Array,
    permission: 'answer' | 'kiss',
    receive: number,
    transmit: number,
  ): Uint8Array | undefined {
    const { state, epoch } = this.served;
    const kiss = { ...UNSYNCHRONISED, referenceId: referenceIdOf('RATE') };
    const reply = respond(request, permission === 'kiss' ? kiss : state(), receive, transmit, epoch);
    if (reply === undefined || reply.length > request.length) return undefined;
    if (permission === 'kiss') this.counts.kissed += 1;
    else this.counts.answered += 1;
    return reply;
  }
}

function isQuestion(bytes: Uint8Array): boolean {
  return bytes.length >= PACKET_LENGTH && bytes.length <= LONGEST && decodePacket(bytes)?.mode === MODE_CLIENT;
}
