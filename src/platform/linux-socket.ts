import { createRequire } from 'node:module';
import { constants, endianness, networkInterfaces } from 'node:os';
import type { KernelInstant } from '../core/ntp/arrival.js';

/**
 * Linux's UDP sockets through koffi, for what Node's own do not tell: when a datagram reached the kernel. The numbers are
 * those of the ABI that these architectures share.
 */
const ARCHITECTURES = ['x64', 'arm64', 'riscv64', 'loong64', 'ppc64'];
const AF_INET = 2;
const AF_INET6 = 10;
/** SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC */
const DATAGRAM = 2 | 0o4000 | 0o2000000;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
/** The kernel's stamp of the datagram that was read last, as a struct timespec; asking turns the stamping on. */
const SIOCGSTAMPNS = 0x8907;
/** Readings of both clocks that are tried, and what takes no longer was not interrupted, seconds. */
const BRACKETS = 3;
const UNDISTURBED = 2e-6;
const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC_RAW = 4;

type Family = 4 | 6;

/** What goes wrong has a `code`, as Node's own errors have. */
class SocketError extends Error {
  constructor(
    call: string,
    readonly code: string,
  ) {
    super(`${call} ${code}`);
  }
}

export class LinuxSockets {
  private readonly koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  private readonly libc = this.koffi.load(null);
  private readonly call = {
    socket: this.libc.func('int socket(int family, int type, int protocol)') as (
      family: number,
      type: number,
      protocol: number,
    ) => number,
    setsockopt: this.libc.func('int setsockopt(int fd, int level, int name, void *value, uint32_t length)') as (
      fd: number,
      level: number,
      name: number,
      value: Uint8Array,
      length: number,
    ) => number,
    bind: this.libc.func('int bind(int fd, void *address, uint32_t length)') as (
      fd: number,
      address: Uint8Array,
      length: number,
    ) => number,
    sendto: this.libc.func(
      'long sendto(int fd, void *bytes, size_t length, int flags, void *address, uint32_t addressLength)',
    ) as (
      fd: number,
      bytes: Uint8Array,
      length: number,
      flags: number,
      address: Uint8Array,
      addressLength: number,
    ) => number,
    ioctl: this.libc.func('int ioctl(int fd, unsigned long request, void *into)') as (
      fd: number,
      request: number,
      into: Uint32Array,
    ) => number,
    pton: this.libc.func('int inet_pton(int family, const char *text, void *into)') as (
      family: number,
      text: string,
      into: Uint8Array,
    ) => number,
    gettime: this.libc.func('int clock_gettime(int clock, void *into)') as (clock: number, into: Uint32Array) => number,
    close: this.libc.func('int close(int fd)') as (fd: number) => number,
  };
  /** struct timespec: seconds (low, high), nanoseconds (low, high). */
  private readonly timespec = new Uint32Array(4);
  /** Whole seconds that both clocks are counted from, so that a double holds nanoseconds. */
  readonly origin: { readonly realtime: number; readonly raw: number };

  private constructor() {
    const { call, timespec } = this;
    const whole = (clock: number): number => {
      if (call.gettime(clock, timespec) !== 0) throw this.failed('clock_gettime');
      return timespec[0]! + timespec[1]! * 4294967296;
    };
    this.origin = { realtime: whole(CLOCK_REALTIME), raw: whole(CLOCK_MONOTONIC_RAW) };
    // Held for as long as the process lives: while one socket wants stamps the kernel stamps every datagram when it comes
    // in, so that the first one of a new socket has a stamp too.
    this.askForStamps(this.socket(4));
  }

  /** Throws, for people, where it cannot be had. */
  static load(): LinuxSockets {
    const { platform, arch } = process;
    if (platform !== 'linux') throw new Error(`no kernel stamps known on ${platform}`);
    if (!ARCHITECTURES.includes(arch) || endianness() !== 'LE') throw new Error(`no kernel stamps known on ${arch}`);
    loaded ??= new LinuxSockets();
    return loaded;
  }

  /** A socket that stamps, bound to `port` of `address`; left out, to any address and a port that the kernel draws. */
  open(family: Family, address = family === 6 ? '::' : '0.0.0.0', port = 0): number {
    const { call } = this;
    const fd = this.socket(family);
    try {
      if (family === 6) {
        const on = Uint8Array.of(1, 0, 0, 0);
        if (call.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, on, on.length) !== 0) throw this.failed('setsockopt');
      }
      this.askForStamps(fd);
      const own = this.endpoint(address, port);
      if (call.bind(fd, own, own.length) !== 0) throw this.failed('bind');
      return fd;
    } catch (error) {
      call.close(fd);
      throw error;
    }
  }

  /** Only for a socket that nobody else has been given: who was, closes it. */
  close(fd: number): void {
    this.call.close(fd);
  }

  /** Whole when it returns; a socket whose buffer is full refuses. */
  send(fd: number, bytes: Uint8Array, to: Uint8Array): void {
    if (this.call.sendto(fd, bytes, bytes.length, 0, to, to.length) < 0) throw this.failed('sendto');
  }

  /** A struct sockaddr_in or sockaddr_in6. */
  endpoint(address: string, port: number): Uint8Array {
    if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) throw new Error(`no port: ${port}`);
    const [bare, zone] = address.split('%') as [string, string | undefined];
    const wide = bare.includes(':');
    const bytes = new Uint8Array(wide ? 28 : 16);
    bytes[0] = wide ? AF_INET6 : AF_INET;
    bytes[2] = port >> 8;
    bytes[3] = port & 0xff;
    const into = bytes.subarray(wide ? 8 : 4);
    if (this.call.pton(wide ? AF_INET6 : AF_INET, bare, into) !== 1) throw new Error(`no address: ${address}`);
    if (wide && zone !== undefined) new DataView(bytes.buffer).setUint32(24, scopeOf(zone), true);
    return bytes;
  }

  /** When the datagram that was read last reached the kernel, by its realtime clock; undefined where it does not say. */
  stamp(fd: number): number | undefined {
    const { timespec } = this;
    if (this.call.ioctl(fd, SIOCGSTAMPNS, timespec) !== 0) return undefined;
    return this.seconds(this.origin.realtime);
  }

  now(): KernelInstant {
    const { call, timespec, origin } = this;
    let narrowest = Number.POSITIVE_INFINITY;
    let instant: KernelInstant = { realtime: 0, raw: 0 };
    // Who is interrupted between two readings has read them milliseconds apart: another try is not.
    for (let tries = 0; tries < BRACKETS && narrowest > UNDISTURBED; tries++) {
      call.gettime(CLOCK_MONOTONIC_RAW, timespec);
      const before = this.seconds(origin.raw);
      call.gettime(CLOCK_REALTIME, timespec);
      const realtime = this.seconds(origin.realtime);
      call.gettime(CLOCK_MONOTONIC_RAW, timespec);
      const width = this.seconds(origin.raw) - before;
      if (width >= narrowest) continue;
      narrowest = width;
      instant = { realtime, raw: before + width / 2 };
    }
    return instant;
  }

  private socket(family: Family): number {
    const fd = this.call.socket(family === 6 ? AF_INET6 : AF_INET, DATAGRAM, 0);
    if (fd < 0) throw this.failed('socket');
    return fd;
  }

  private askForStamps(fd: number): void {
    // ENOENT: there is no datagram yet; the stamping is on all the same.
    if (this.call.ioctl(fd, SIOCGSTAMPNS, this.timespec) === 0) return;
    const error = this.failed('ioctl');
    if (error.code !== 'ENOENT') throw error;
  }

  private seconds(origin: number): number {
    const { timespec } = this;
    return timespec[0]! + timespec[1]! * 4294967296 - origin + timespec[2]! * 1e-9;
  }

  private failed(call: string): SocketError {
    const errno = this.koffi.errno();
    const [code = `errno ${errno}`] = Object.entries(constants.errno).find(([, value]) => value === errno) ?? [];
    return new SocketError(call, code);
  }
}

let loaded: LinuxSockets | undefined;

/** The number of an IPv6 zone, which is written as a number or as an interface's name. */
function scopeOf(zone: string): number {
  if (/^\d+$/.test(zone)) return Number(zone);
  for (const entry of networkInterfaces()[zone] ?? []) {
    if (entry.family === 'IPv6' && entry.scopeid) return entry.scopeid;
  }
  throw new Error(`no interface ${zone}`);
}
