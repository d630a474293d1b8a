import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { inject } from 'inversify';
import { type Observable, Subject } from 'rxjs';
import { z } from 'zod';
import type { Clock, ClockReading, Datagram, DatagramSocket, Endpoint, Network } from '../../core/contracts/index.js';
import type { NetworkPlugin } from '../../core/contracts/network.js';
import { InputError } from '../../core/errors.js';
import { arrivalAge, type KernelInstant } from '../../core/ntp/arrival.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Report } from '../../core/plugin/tokens.js';
import { establishKeys } from '../../platform/key-establishment.js';
import { LinuxSockets } from '../../platform/linux-socket.js';

const Options = z.strictObject({
  stamps: z
    .enum(['auto', 'kernel', 'process'])
    .default('auto')
    .meta({
      description:
        'Who says when an answer arrived. kernel: Linux itself, however busy this process is. process: the handler of ' +
        'the message. auto: the kernel where it can be asked (64-bit Linux with koffi), else the process.',
    }),
});

/** A name server that is silent for longer than this has not answered, milliseconds. */
const LOOKUP_PATIENCE = 5000;

/**
 * UDP over IPv4 and IPv6. Departures are stamped right before the call that sends. Arrivals are stamped by the kernel
 * where it can be asked; else first thing in the handler of the message, and whatever keeps the event loop busy lies in
 * between. Every socket is bound to a port that the kernel chooses (at random on Linux, macOS and the BSDs).
 */
@plugin({
  kind: 'network',
  name: 'udp',
  summary: 'UDP over IPv4 and IPv6, stamped by the kernel on Linux',
  options: Options,
})
export class UdpNetwork implements NetworkPlugin {
  private readonly kernel: LinuxSockets | undefined;
  /** Why the kernel does not stamp, until it has been told. */
  private untold: string | undefined;

  constructor(
    @inject(PluginOptions) { stamps }: z.output<typeof Options>,
    @inject(Report) private readonly report: Report,
  ) {
    if (stamps === 'process') return;
    try {
      this.kernel = LinuxSockets.load();
    } catch (error) {
      const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
      if (stamps === 'kernel') throw new InputError('network udp', `the kernel cannot be asked for its stamps: ${why}`);
      this.untold = why;
    }
  }

  connect(clock: Clock): Network {
    return { resolve, open: () => this.open(clock), establishKeys };
  }

  private open(clock: Clock): DatagramSocket {
    if (this.untold !== undefined)
      this.report(`arrivals are stamped in this process, not by the kernel: ${this.untold}`);
    this.untold = undefined;
    return new UdpSocket(clock, this.kernel);
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

/** One address family of a socket. */
interface Leg {
  readonly socket: Socket;
  /** Where the kernel is asked. */
  readonly fd: number | undefined;
}

class UdpSocket implements DatagramSocket {
  readonly received: Observable<Datagram>;
  private readonly subject = new Subject<Datagram>();
  private readonly legs = new Map<4 | 6, Leg>();
  private closed = false;
  /** The kernel's clocks at the last departure. */
  private sent: KernelInstant | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly kernel: LinuxSockets | undefined,
  ) {
    this.received = this.subject.asObservable();
  }

  send(bytes: Uint8Array, to: Endpoint): ClockReading {
    const { clock, kernel } = this;
    const failed = (error: Error | null): void => {
      if (error !== null) this.fail(error);
    };
    let at: ClockReading | undefined;
    try {
      const leg = this.leg(isIP(to.address) === 6 ? 6 : 4);
      if (kernel !== undefined && leg.fd !== undefined) {
        if (to.port === 0) throw new Error('no port: 0');
        const endpoint = kernel.endpoint(to.address, to.port);
        this.sent = kernel.now();
        at = clock.read();
        kernel.send(leg.fd, bytes, endpoint);
      } else {
        at = clock.read();
        leg.socket.send(bytes, to.port, to.address, failed);
      }
    } catch (error) {
      failed(error instanceof Error ? error : new Error(String(error)));
    }
    return at ?? clock.read();
  }

  close(): void {
    this.closed = true;
    for (const { socket } of this.legs.values()) socket.close();
    this.legs.clear();
  }

  /** The socket of a family, bound. Throws where the platform gives none. */
  private leg(family: 4 | 6): Leg {
    const known = this.legs.get(family);
    if (known !== undefined) return known;
    const { kernel } = this;
    const type = family === 6 ? 'udp6' : 'udp4';
    const socket = createSocket({ type, ipv6Only: family === 6, lookup: alreadyResolved });
    const fd = kernel?.open(family);
    socket.on('message', (bytes, { address, port }) => {
      const at = this.arrival(fd);
      this.subject.next({ bytes, from: { address: canonical(address), port }, at });
    });
    socket.on('error', error => this.fail(error));
    if (fd === undefined) socket.bind({ port: 0, address: family === 6 ? '::' : '0.0.0.0', exclusive: true });
    else {
      try {
        socket.bind({ fd, exclusive: true });
      } catch (error) {
        kernel?.close(fd);
        throw error;
      }
    }
    const leg = { socket, fd };
    this.legs.set(family, leg);
    return leg;
  }

  /** When the datagram in hand arrived: by the kernel's stamp, where there is one that makes sense, else now. */
  private arrival(fd: number | undefined): ClockReading {
    const { clock, kernel, sent } = this;
    const stamp = fd === undefined ? undefined : kernel?.stamp(fd);
    if (kernel === undefined || stamp === undefined || sent === undefined) return clock.read();
    // In this order: an interruption between the two makes the arrival late, which the delay tells, and never early,
    // which nothing would.
    const handled = kernel.now();
    const { wall, counter } = clock.read();
    const age = arrivalAge(stamp, sent, handled);
    return age === undefined ? { wall, counter } : { wall: wall - age.realtime, counter: counter - age.raw };
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
