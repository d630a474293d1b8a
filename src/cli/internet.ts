import { randomBytes } from 'node:crypto';
import type { Endpoint, Network } from '../core/contracts/index.js';
import { InputError } from '../core/errors.js';
import { requestPacket } from '../core/ntp/association.js';
import { decodePacket, encodePacket, sameTimestamp } from '../core/ntp/packet.js';
import { UdpNetwork } from '../plugins/networks/udp.js';

/**
 * Asks a server once, at each of its addresses, whether NTP gets through: undefined if one of them answers within
 * `patience` seconds, else why not, for people.
 */
export async function whyUnreachable(host: string, port: number, patience: number): Promise<string | undefined> {
  const network = new UdpNetwork({ stamps: 'process' }, () => {}).connect({ read: () => ({ wall: 0, counter: 0 }) });
  try {
    const endpoints = await network.resolve(host, port);
    await Promise.any(endpoints.map(endpoint => answerFrom(endpoint, network, patience)));
    return undefined;
  } catch (error) {
    const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
    return first instanceof Error ? first.message : String(first);
  }
}

/** Resolves with the answer to one question; rejects, for people, when there is none. */
async function answerFrom(endpoint: Endpoint, network: Network, patience: number): Promise<void> {
  const random = randomBytes(8);
  const nonce = { seconds: random.readUInt32BE(0), fraction: random.readUInt32BE(4) };
  const socket = network.open('internet');
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const silent = `${endpoint.address} does not answer on UDP port ${endpoint.port}`;
      timer = setTimeout(() => reject(new Error(silent)), patience * 1000);
      socket.received.subscribe({
        next: ({ bytes }) => {
          const reply = decodePacket(bytes);
          if (reply !== undefined && sameTimestamp(reply.origin, nonce)) resolve();
        },
        error: reject,
      });
      socket.send(encodePacket(requestPacket(nonce)), endpoint);
    });
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}

/** The public pool's own name: other addresses than those of its numbered names, which a run will ask. */
const POOL = 'pool.ntp.org';

/** Throws an `InputError` that offers the demo where no server of the public pool can be reached. */
export async function expectInternet(): Promise<void> {
  const why = await whyUnreachable(POOL, 123, 3);
  if (why === undefined) return;
  throw new InputError('live', `no route to the internet: ${why}`, 'name a server with --server, or try --demo');
}
