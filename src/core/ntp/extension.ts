import { PACKET_LENGTH } from './packet.js';

/** An extension field of an NTPv4 packet (RFC 7822): type and length, 16 bits each, then its body. */
export interface ExtensionField {
  readonly type: number;
  /** As it stands in the packet, padding included. */
  readonly body: Uint8Array;
  /** Where it begins in the bytes that it was read from. */
  readonly at: number;
}

const HEAD = 4;
/** The shortest field, head included. */
const SHORTEST = 16;

/**
 * The extension fields from `from` to the end of `bytes`. Undefined if they do not fill it exactly: then something is
 * truncated, or a MAC of a kind that nobody has agreed on.
 */
export function readExtensions(bytes: Uint8Array, from = PACKET_LENGTH): readonly ExtensionField[] | undefined {
  const fields: ExtensionField[] = [];
  let at = from;
  while (at < bytes.length) {
    if (bytes.length - at < HEAD) return undefined;
    const length = readUint16(bytes, at + 2);
    if (length < SHORTEST || length % 4 !== 0 || at + length > bytes.length) return undefined;
    fields.push({ type: readUint16(bytes, at), body: bytes.subarray(at + HEAD, at + length), at });
    at += length;
  }
  return fields;
}

/** A field with its body padded with zeros to a multiple of four, and to the shortest length. */
export function extensionField(type: number, body: Uint8Array): Uint8Array {
  const length = Math.max(SHORTEST, HEAD + padded(body.length));
  const field = new Uint8Array(length);
  writeUint16(field, 0, type);
  writeUint16(field, 2, length);
  field.set(body, HEAD);
  return field;
}

/** The next multiple of four. */
export const padded = (length: number): number => (length + 3) & ~3;

export const readUint16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;

export function writeUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 0xff;
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Whether two byte strings are the same, in a time that does not tell where they differ. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
