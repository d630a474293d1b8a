import { createHash } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIP, isIPv4 } from 'node:net';
import { inject } from 'inversify';
import { z } from 'zod';
import type { Endpoint, RoundRecord, RunInfo, ServerState, Sink, TimeService } from '../../core/contracts/index.js';
import { ArrivalWatch } from '../../core/ntp/arrival.js';
import { LEAP_UNSYNCHRONISED } from '../../core/ntp/packet.js';
import { RateLimiter } from '../../core/ntp/rate-limit.js';
import { announcedLeap, precisionOf, stateOf, type Upstream, usedIn } from '../../core/ntp/served-state.js';
import { NtpResponder, type ServedTime } from '../../core/ntp/server.js';
import { parseServer } from '../../core/ntp/server-address.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Report } from '../../core/plugin/tokens.js';
import { duration, formatTime } from '../../core/quantity.js';
import { cannotListen } from '../../core/serving/listening.js';
import { expectServable } from '../../core/serving/real-time.js';
import { trustOptions, whyUnknown } from '../../core/serving/trust.js';
import { LinuxSockets } from '../../platform/linux-socket.js';

/**
 * A UDP socket on an address and a port of this machine, IPv4 or IPv6; port 0 takes a free one. `open` makes its
 * descriptor, bound; left out, Node does.
 */
export async function listenUdp(
  { address, port }: Endpoint,
  what: string,
  open?: (family: 4 | 6) => number,
): Promise<Socket> {
  const family = isIP(address);
  const place = `${what} on ${address} port ${port}`;
  if (family === 0) throw cannotListen(place, Object.assign(new Error(), { code: 'ENOTFOUND' }));
  const socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4', ipv6Only: family === 6 });
  try {
    const where = open === undefined ? { address, port } : { fd: open(family === 6 ? 6 : 4) };
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ ...where, exclusive: true }, () => {
        socket.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    throw cannotListen(place, error);
  }
  // See `attempt`.
  socket.on('error', () => {});
  return socket;
}

/** How often it is looked whether the kernel's clock was stepped, milliseconds. */
const LOOK = 1000;

/** The kernel's part in a server's socket: it says when questions came, and takes answers at once. */
class Stamped {
  private readonly watch: ArrivalWatch;
  private readonly looking: ReturnType<typeof setInterval>;

  constructor(
    private readonly kernel: LinuxSockets,
    private readonly fd: number,
  ) {
    this.watch = new ArrivalWatch(kernel.now());
    this.looking = setInterval(() => this.watch.look(kernel.now()), LOOK).unref();
  }

  /** How long the datagram in hand has waited, seconds; 0 where nobody can say. */
  waited(): number {
    const { kernel, fd, watch } = this;
    const stamp = kernel.stamp(fd);
    return stamp === undefined ? 0 : (watch.age(stamp, kernel.now()) ?? 0);
  }

  /** `answer` is made last of all, so that its time is the departure's. */
  send(answer: () => Uint8Array | undefined, to: Endpoint): void {
    const endpoint = attempt(() => this.kernel.endpoint(to.address, to.port));
    if (endpoint === undefined) return;
    const bytes = answer();
    if (bytes !== undefined) attempt(() => this.kernel.send(this.fd, bytes, endpoint));
  }

  close(): void {
    clearInterval(this.looking);
  }
}

/** What cannot be sent is lost, as on any network: the client asks again. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** Delays that a server pretends its path to have, seconds of one way each. */
export interface PathDelay {
  readonly out: number;
  readonly back: number;
}

export interface NtpServerOptions extends ServedTime, Endpoint {
  /** The time that it serves, seconds since `epoch`. */
  readonly now: () => number;
  /** Left out: everybody is answered, as often as he asks. */
  readonly limiter?: RateLimiter;
  /** Drawn for each question; left out, the answer goes at once. */
  readonly path?: () => PathDelay;
  /** Who says when a question arrived. Left out: the kernel where it can be asked, else the process. */
  readonly stamps?: 'process';
}

/** An NTP server on a UDP port of this machine: see {@link NtpResponder} for what it answers. */
export class NtpServer {
  readonly responder: NtpResponder;
  private readonly pending = new Set<ReturnType<typeof setTimeout>>();
  private closed = false;

  private constructor(
    private readonly socket: Socket,
    private readonly options: NtpServerOptions,
    private readonly stamped: Stamped | undefined,
  ) {
    this.responder = new NtpResponder(options, options.limiter);
    socket.on('message', (bytes, from) => this.hear(bytes, from));
  }

  /** Resolves when it listens. Throws an `InputError` where the address or the port cannot be had. */
  static async listen(options: NtpServerOptions): Promise<NtpServer> {
    const kernel = options.stamps === 'process' ? undefined : attempt(() => LinuxSockets.load());
    if (kernel === undefined) return new NtpServer(await listenUdp(options, 'NTP server'), options, undefined);
    let fd = 0;
    const socket = await listenUdp(options, 'NTP server', family => {
      fd = kernel.open(family, options.address, options.port);
      return fd;
    });
    return new NtpServer(socket, options, new Stamped(kernel, fd));
  }

  get endpoint(): Endpoint {
    const { address, port } = this.socket.address();
    return { address, port };
  }

  /** From now on it does not keep the process alive. */
  unref(): this {
    this.socket.unref();
    return this;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const timer of this.pending) clearTimeout(timer);
    this.stamped?.close();
    this.socket.close();
  }

  private hear(request: Uint8Array, from: RemoteInfo): void {
    const { path, now } = this.options;
    const waited = this.stamped?.waited() ?? 0;
    const received = now() - waited;
    const permission = this.responder.admit(request, from, performance.now() / 1000);
    if (permission === undefined) return;
    if (path === undefined) {
      this.reply(() => this.responder.answer(request, permission, received, now()), from);
      return;
    }
    const { out, back } = path();
    const timer = setTimeout(
      () => {
        this.pending.delete(timer);
        // Timers count milliseconds: what has really passed is shared out between the two ways as was drawn.
        const passed = now() - received;
        const arrived = received + (out + back > 0 ? (passed * out) / (out + back) : 0);
        this.reply(() => this.responder.answer(request, permission, arrived, arrived), from);
      },
      (out + back) * 1000,
    );
    this.pending.add(timer);
  }

  private reply(answer: () => Uint8Array | undefined, to: RemoteInfo): void {
    if (this.stamped !== undefined) {
      this.stamped.send(answer, to);
      return;
    }
    const bytes = answer();
    if (bytes !== undefined) this.socket.send(bytes, to.port, to.address, () => {});
  }
}

const address = z.string().refine(text => isIP(text) !== 0, 'expected an IP address of this machine');

const Options = z.strictObject({
  address: z
    .union([address, z.array(address).min(1)])
    .default('127.0.0.1')
    .meta({ description: 'Where it listens: IPv4 or IPv6 addresses of this machine. 0.0.0.0 and :: are all of them.' }),
  port: z.int().min(0).max(65535).default(123).meta({ description: 'UDP port; 0 takes a free one.' }),
  every: duration('Mean interval between questions of one client that are answered.').prefault('1 s'),
  burst: z.int().min(1).default(16).meta({ description: 'Questions of one client that may come at once.' }),
  leak: z.int().min(0).max(16).default(2).meta({
    description: 'Of the questions beyond the limit one in 2^leak is answered all the same; 0: none.',
  }),
  clients: z.int().min(1).max(1_000_000).default(4096).meta({
    description: 'Clients whose questions are counted; those silent for longest are forgotten first.',
  }),
  ...trustOptions,
});

/**
 * Serves the corrected time over NTP (RFC 5905's server mode) to standard clients: stratum one more than the best
 * source's, root delay that source's with the way to it, and root dispersion such that root delay / 2 + root dispersion
 * is the maximum error told. It says that it is not synchronised (leap 3, stratum 0) until something is known, and
 * again when what is known is too old or too uncertain. A client beyond its limit gets a RATE kiss, then nothing;
 * an answer is never longer than its question, and nobody but clients (mode 3) is answered.
 */
@plugin({
  kind: 'sink',
  name: 'ntp-server',
  summary: 'Serves the corrected time to NTP clients',
  options: Options,
  example: { port: 0 },
})
export class NtpServerSink implements Sink {
  private readonly servers: NtpServer[] = [];
  private pipeline = '';
  private time!: TimeService;
  private upstream: Upstream | undefined;
  private addresses: Readonly<Record<string, string>> = {};
  private precision = -20;
  private synchronised = false;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Report) private readonly report: Report,
  ) {}

  async start(run: RunInfo, time: TimeService): Promise<void> {
    const { port, every, burst, leak, clients } = this.options;
    this.pipeline = expectServable('ntp-server', run, this.options.pipeline);
    this.time = time;
    this.addresses = run.addresses ?? {};
    this.precision = precisionOf(() => time.now(this.pipeline).time);
    const limiter = new RateLimiter({ every, burst, leak, clients }, Math.random);
    const now = (): number => time.now(this.pipeline).time;
    const state = (): ServerState => this.state();
    try {
      for (const place of [this.options.address].flat()) {
        const server = await NtpServer.listen({ address: place, port, epoch: run.epoch, limiter, now, state });
        this.servers.push(server.unref());
      }
    } catch (error) {
      this.finish();
      throw error;
    }
    const places = this.servers.map(({ endpoint }) => `${endpoint.address} port ${endpoint.port}`);
    this.report(`serves the time of '${this.pipeline}' over NTP on ${places.join(' and ')}`);
  }

  round({ pipeline, measurements, verdicts }: RoundRecord): void {
    if (pipeline !== this.pipeline) return;
    const used = usedIn(measurements, verdicts);
    if (used.length === 0) return;
    const measurement = used.reduce((best, one) => (one.rootDistance < best.rootDistance ? one : best));
    this.upstream = {
      measurement,
      referenceId: referenceIdFor(this.addresses[measurement.source] ?? measurement.source),
      leap: announcedLeap(used),
    };
  }

  progress(): void {
    const { leap, stratum, rootDelay, rootDispersion } = this.state();
    const synchronised = leap !== LEAP_UNSYNCHRONISED;
    if (synchronised === this.synchronised) return;
    this.synchronised = synchronised;
    const why = whyUnknown(this.time.read(this.pipeline), this.options) ?? 'its best source has stratum 15';
    this.report(
      synchronised
        ? `synchronised: stratum ${stratum}, root distance ${formatTime(rootDelay / 2 + rootDispersion)}`
        : `no longer synchronised: ${why}`,
    );
  }

  finish(): void {
    for (const server of this.servers.splice(0)) server.close();
  }

  private state(): ServerState {
    return stateOf(this.time.read(this.pipeline), this.upstream, this.options, this.precision);
  }
}

/** RFC 5905 section 7.3: the address of an IPv4 source, and four octets of a hash of any other. */
function referenceIdFor(source: string): number {
  const { host } = parseServer(source, `source ${source}`);
  const octets = isIPv4(host) ? host.split('.').map(Number) : createHash('md5').update(host).digest();
  return Buffer.from(octets).readUInt32BE(0);
}
