import { createHash } from 'node:crypto';
import { cmac } from '@noble/ciphers/aes.js';
import { InputError } from '../core/errors.js';
import type { KeyLine } from '../core/ntp/key-file.js';
import type { SymmetricKey } from '../core/ntp/symmetric-key.js';

/** Digests by the names of chrony's and ntpd's key files; their MAC is that of key and packet, cut to 20 bytes. */
const DIGESTS: Readonly<Record<string, string>> = {
  MD5: 'md5',
  M: 'md5',
  SHA1: 'sha1',
  SHA: 'sha1',
  SHA256: 'sha256',
  SHA384: 'sha384',
  SHA512: 'sha512',
  'SHA3-224': 'sha3-224',
  'SHA3-256': 'sha3-256',
  'SHA3-384': 'sha3-384',
  'SHA3-512': 'sha3-512',
};
const LONGEST_MAC = 20;

/** Lengths of the keys of AES-CMAC (RFC 8573), in bytes. */
const CIPHERS: Readonly<Record<string, number>> = {
  AES128: 16,
  AES256: 32,
  'AES-128-CMAC': 16,
  'AES-128': 16,
  AES128CMAC: 16,
  AES: 16,
  CMAC: 16,
};

/** The MAC of a key by the algorithm that its line names. Throws an `InputError` at its line. */
export function symmetricKey({ id, type, secret, place }: KeyLine): SymmetricKey {
  const name = type.toUpperCase();
  const length = CIPHERS[name];
  if (length !== undefined) {
    if (secret.length !== length) {
      throw new InputError(place, `expected a key of ${length} bytes for ${type}, found ${secret.length}`);
    }
    return { id, mac: bytes => cmac(bytes, secret) };
  }
  const digest = DIGESTS[name];
  if (digest === undefined) {
    const known = [...Object.keys(DIGESTS), ...Object.keys(CIPHERS)].join(', ');
    throw new InputError(place, `expected one of ${known}, found the type '${type}'`);
  }
  const mac = (bytes: Uint8Array): Uint8Array =>
    Uint8Array.from(createHash(digest).update(secret).update(bytes).digest().subarray(0, LONGEST_MAC));
  try {
    mac(new Uint8Array(0));
  } catch {
    throw new InputError(place, `this machine's OpenSSL has no ${type}`);
  }
  return { id, mac };
}

/** Deprecated for NTP by RFC 8573. */
export const isWeak = ({ type }: KeyLine): boolean => DIGESTS[type.toUpperCase()] === 'md5';
