/**
 * The NTP packet header, RFC 5905 section 7.3: 48 bytes. Numbers, not BigInt: an instant on the wire is 32 bits of
 * seconds since 1900 (of an era that a pivot decides) and 32 bits of fraction.
 */
export const PACKET_LENGTH = 48;

/** Seconds from 1900-01-01 to the Unix epoch. */
const UNIX_EPOCH = 2_208_988_800;
const ERA = 4_294_967_296;

export const MODE_CLIENT = 3;
export const MODE_SERVER = 4;
export const LEAP_UNSYNCHRONISED = 3;

/** A 64-bit NTP timestamp as it stands on the wire. Both zero means "not set". */
export interface NtpTimestamp {
  readonly seconds: number;
  readonly fraction: number;
}

export const NOT_SET: NtpTimestamp = { seconds: 0, fraction: 0 };

export interface NtpPacket {
  readonly leap: number;
  readonly version: number;
  readonly mode: number;
  readonly stratum: number;
  /** log2 of seconds. */
  readonly poll: number;
  /** log2 of seconds. */
  readonly precision: number;
  /** Seconds. */
  readonly rootDelay: number;
  /** Seconds. */
  readonly rootDispersion: number;
  /** 32 bits: an address, or four ASCII characters at stratum 0 and 1. */
  readonly referenceId: number;
  readonly reference: NtpTimestamp;
  readonly origin: NtpTimestamp;
  readonly receive: NtpTimestamp;
  readonly transmit: NtpTimestamp;
}

export function encodePacket(packet: NtpPacket): Uint8Array {
  const bytes = new Uint8Array(PACKET_LENGTH);
  bytes[0] = (packet.leap << 6) | (packet.version << 3) | packet.mode;
  bytes[1] = packet.stratum;
  bytes[2] = packet.poll & 0xff;
  bytes[3] = packet.precision & 0xff;
  writeUint32(bytes, 4, toShort(packet.rootDelay));
  writeUint32(bytes, 8, toShort(packet.rootDispersion));
  writeUint32(bytes, 12, packet.referenceId);
  writeTimestamp(bytes, 16, packet.reference);
  writeTimestamp(bytes, 24, packet.origin);
  writeTimestamp(bytes, 32, packet.receive);
  writeTimestamp(bytes, 40, packet.transmit);
  return bytes;
}

/** Reads the header; extension fields and a MAC after it are left alone. Undefined if it is no NTP packet at all. */
export function decodePacket(bytes: Uint8Array): NtpPacket | undefined {
  if (bytes.length < PACKET_LENGTH) return undefined;
  const first = bytes[0]!;
  const version = (first >> 3) & 7;
  if (version < 1 || version > 4) return undefined;
  return {
    leap: first >> 6,
    version,
    mode: first & 7,
    stratum: bytes[1]!,
    poll: (bytes[2]! << 24) >> 24,
    precision: (bytes[3]! << 24) >> 24,
    rootDelay: readUint32(bytes, 4) / 65536,
    rootDispersion: readUint32(bytes, 8) / 65536,
    referenceId: readUint32(bytes, 12),
    reference: readTimestamp(bytes, 16),
    origin: readTimestamp(bytes, 24),
    receive: readTimestamp(bytes, 32),
    transmit: readTimestamp(bytes, 40),
  };
}

export function isSet(timestamp: NtpTimestamp): boolean {
  return timestamp.seconds !== 0 || timestamp.fraction !== 0;
}

export function sameTimestamp(a: NtpTimestamp, b: NtpTimestamp): boolean {
  return a.seconds === b.seconds && a.fraction === b.fraction;
}

/**
 * The timestamp of an instant `time` seconds after `epoch` (Unix seconds, a whole number). The fraction is rounded to
 * 2⁻³² s; an instant that would read as "not set" moves by one unit.
 */
export function toTimestamp(time: number, epoch: number): NtpTimestamp {
  let whole = Math.floor(time);
  let fraction = Math.round((time - whole) * ERA);
  if (fraction === ERA) {
    whole += 1;
    fraction = 0;
  }
  const seconds = modulo(whole + epoch + UNIX_EPOCH, ERA);
  return { seconds, fraction: seconds === 0 && fraction === 0 ? 1 : fraction };
}

/**
 * The instant of a timestamp, in seconds after `epoch` (Unix seconds, a whole number). Of the eras it may belong to it
 * takes the one nearest to `pivot` (seconds after `epoch`): right as long as the local clock is within 68 years.
 */
export function fromTimestamp(timestamp: NtpTimestamp, epoch: number, pivot: number): number {
  const whole = timestamp.seconds - UNIX_EPOCH - epoch;
  const eras = Math.round((pivot - whole) / ERA);
  return whole + eras * ERA + timestamp.fraction / ERA;
}

/** NTP short format: 16 bits of seconds, 16 of fraction. */
function toShort(seconds: number): number {
  return Math.min(0xffffffff, Math.max(0, Math.round(seconds * 65536)));
}

/** The four ASCII characters of a kiss code or a stratum-1 reference. */
export function asciiOf(referenceId: number): string {
  return String.fromCharCode(
    referenceId >>> 24,
    (referenceId >>> 16) & 0xff,
    (referenceId >>> 8) & 0xff,
    referenceId & 0xff,
  )
    .replaceAll('\0', '')
    .replaceAll(/[^\x20-\x7e]/g, '?');
}

export function referenceIdOf(ascii: string): number {
  let id = 0;
  for (let i = 0; i < 4; i++) id = (id << 8) | (i < ascii.length ? ascii.charCodeAt(i) & 0xff : 0);
  return id >>> 0;
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function writeTimestamp(bytes: Uint8Array, at: number, timestamp: NtpTimestamp): void {
  writeUint32(bytes, at, timestamp.seconds);
  writeUint32(bytes, at + 4, timestamp.fraction);
}

function readTimestamp(bytes: Uint8Array, at: number): NtpTimestamp {
  return { seconds: readUint32(bytes, at), fraction: readUint32(bytes, at + 4) };
}

function modulo(value: number, size: number): number {
  const rest = value % size;
  return rest < 0 ? rest + size : rest;
}
