import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type Observable, Subject } from 'rxjs';
import { z } from 'zod';
import type { Clock, ClockReading, Datagram, DatagramSocket, Endpoint, Network } from '../../core/contracts/index.js';
import type { NetworkPlugin } from '../../core/contracts/network.js';
import { plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({});

/** A name server that is silent for longer than this has not answered, milliseconds. */
const LOOKUP_PATIENCE = 5000;

/**
 * UDP over IPv4 and IPv6. Departures are stamped right before the call that sends, arrivals first thing in the handler
 * of the message: the kernel, the event loop and whatever keeps it busy lie in between. Every socket is bound to a port
 * that the kernel chooses (at random on Linux, macOS and the BSDs).
 */
@plugin({ kind: 'network', name: 'udp', summary: 'UDP over IPv4 and IPv6, stamped in this process', options: Options })
export class UdpNetwork implements NetworkPlugin {
  connect(clock: Clock): Network {
    return { resolve, open: () => new UdpSocket(clock) };
  }
}

/** A literal address at once, a name by the system's resolver: all its addresses, in its order. */
function resolve(host: string, port: number): readonly Endpoint[] | Promise<readonly Endpoint[]> {
  if (isIP(host) !== 0) return [{ address: canonical(host), port }];
  return lookUp(host, port);
}

async function lookUp(host: string, port: number): Promise<readonly Endpoint[]> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`the look-up of ${host} takes too long`)), LOOKUP_PATIENCE);
  });
  try {
    const found = await Promise.race([lookup(host, { all: true, verbatim: true }), patience]);
    return found.map(({ address }) => ({ address: canonical(address), port }));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new Error(
      error.code === 'EAI_AGAIN' ? `no name server answers for ${host}` : `${host} has no address (${error.code})`,
    );
  } finally {
    clearTimeout(timer);
  }
}

/** One spelling for every address, so that they can be compared: IPv4 where it is mapped, else shortest and lower case. */
function canonical(address: string): string {
  if (isIP(address) !== 6) return address;
  const [bare, zone] = address.split('%') as [string, string | undefined];
  const shortest = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(shortest);
  if (mapped !== null) {
    const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)];
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  return zone === undefined ? shortest : `${shortest}%${zone}`;
}

/**
 * Addresses are resolved long before: answering in the same call makes `bind` and `send` reach the kernel in theirs, so
 * that a stamp taken right before `send` is the departure's.
 */
const alreadyResolved = (
  address: string,
  family: unknown,
  done: (error: Error | null, address: string, family: number) => void,
): void => done(null, address, family === 6 ? 6 : 4);

class UdpSocket implements DatagramSocket {
  readonly received: Observable<Datagram>;
  private readonly subject = new Subject<Datagram>();
  private readonly sockets = new Map<4 | 6, Socket>();
  private closed = false;

  constructor(private readonly clock: Clock) {
    this.received = this.subject.asObservable();
  }

  send(bytes: Uint8Array, to: Endpoint): ClockReading {
    const socket = this.socket(isIP(to.address) === 6 ? 6 : 4);
    const failed = (error: Error | null): void => {
      if (error !== null) this.fail(error);
    };
    const at = this.clock.read();
    try {
      socket?.send(bytes, to.port, to.address, failed);
    } catch (error) {
      failed(error instanceof Error ? error : new Error(String(error)));
    }
    return at;
  }

  close(): void {
    this.closed = true;
    for (const socket of this.sockets.values()) socket.close();
    this.sockets.clear();
  }

  /** The socket of a family, bound; undefined where the platform gives none, which has then been reported. */
  private socket(family: 4 | 6): Socket | undefined {
    const known = this.sockets.get(family);
    if (known !== undefined) return known;
    try {
      const type = family === 6 ? 'udp6' : 'udp4';
      const socket = createSocket({ type, ipv6Only: family === 6, lookup: alreadyResolved });
      socket.on('message', (bytes, { address, port }) => {
        const at = this.clock.read();
        this.subject.next({ bytes, from: { address: canonical(address), port }, at });
      });
      socket.on('error', error => this.fail(error));
      this.sockets.set(family, socket);
      socket.bind({ port: 0, address: family === 6 ? '::' : '0.0.0.0', exclusive: true });
      return socket;
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
  }

  /** Never in the call that failed: who sent has to know first that it has sent. */
  private fail(error: Error): void {
    setImmediate(() => {
      if (!this.closed) this.subject.error(new Error(reasonOf(error)));
    });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENETUNREACH: 'network unreachable',
  EHOSTUNREACH: 'host unreachable',
  EADDRNOTAVAIL: 'no local address to send from',
  EAFNOSUPPORT: 'address family not supported here',
  EACCES: 'sending is forbidden',
  EPERM: 'sending is forbidden',
  EMFILE: 'too many open files',
};

function reasonOf(error: Error): string {
  const code = 'code' in error ? String(error.code) : undefined;
  const reason = code === undefined ? undefined : REASONS[code];
  return reason === undefined ? error.message : `${reason} (${code})`;
}
