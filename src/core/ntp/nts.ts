import { aessiv } from '@noble/ciphers/aes.js';
import type { Drop, Endpoint, NtsKeys, RandomStream } from '../contracts/index.js';
import type { Credentials, SealedQuestion } from './credentials.js';
import {
  type ExtensionField,
  extensionField,
  joined,
  padded,
  readExtensions,
  readUint16,
  sameBytes,
  writeUint16,
} from './extension.js';
import { asciiOf, type NtpPacket, PACKET_LENGTH } from './packet.js';

/** NTS for NTPv4, RFC 8915 section 5: the extension fields. */
const UNIQUE_IDENTIFIER = 0x0104;
const COOKIE = 0x0204;
const COOKIE_PLACEHOLDER = 0x0304;
const AUTHENTICATOR = 0x0404;

const IDENTIFIER_LENGTH = 32;
const NONCE_LENGTH = 16;
const TAG_LENGTH = 16;
/** As many cookies as the pool holds: one for each of so many questions that may be lost in a row. */
const POOL = 8;
/** A question with its placeholders stays under the smallest datagram that IPv6 carries whole. */
const LONGEST_QUESTION = 1200;

/**
 * RFC 8915 section 4.2: how long to wait after a key establishment that led to no answer, seconds; then 1.5 × as long, up
 * to five days.
 */
const FIRST_WAIT = 10;
const WAIT_GROWTH = 1.5;
const LONGEST_WAIT = 432_000;

export interface NtsOptions {
  /** For people: whose keys. */
  readonly name: string;
  establish(): Promise<NtsKeys>;
  resolve(host: string, port: number): readonly Endpoint[] | Promise<readonly Endpoint[]>;
  /** Unpredictable. */
  readonly random: RandomStream;
  /** Seconds, on a clock that nobody steps. */
  now(): number;
  readonly report: (what: string) => void;
}

/**
 * A client's side of NTS with one server: keys, a pool of cookies, of which every question takes one and every answer
 * brings one back, and new keys where cookies have run out, the server no longer knows them, or it does not answer.
 */
export class NtsCredentials implements Credentials {
  private keys: NtsKeys | undefined;
  private cookies: Uint8Array[] = [];
  /** The server said that it does not know our cookie. Anybody can say so; therefore it only counts where no answer comes. */
  private refused = false;
  /** Key establishments since one that led to an answer, and when the next may be tried. */
  private attempts = 0;
  private notBefore = 0;
  /** The keys are those of the last attempt: an answer by older ones proves nothing of key establishment. */
  private latest = false;

  constructor(private readonly options: NtsOptions) {}

  get spent(): boolean {
    return this.refused || this.cookies.length === 0;
  }

  get complaint(): string | undefined {
    return this.refused ? 'kiss NTSN: the server no longer knows the keys' : undefined;
  }

  /**
   * New keys, or the old ones where the server is not to be bothered yet and there are cookies left. Throws, for people,
   * where there are none.
   */
  async find(): Promise<readonly Endpoint[]> {
    const { establish, resolve, now, report, name } = this.options;
    if (now() < this.notBefore) {
      if (this.keys === undefined || this.cookies.length === 0) {
        throw new Error(`no NTS keys, and none are asked for in the next ${Math.ceil(this.notBefore - now())} s`);
      }
    } else {
      this.notBefore = now() + Math.min(LONGEST_WAIT, FIRST_WAIT * WAIT_GROWTH ** this.attempts);
      this.attempts += 1;
      this.latest = false;
      try {
        const keys = await establish();
        this.latest = true;
        const again = this.keys === undefined ? '' : 'again ';
        this.keys = keys;
        this.cookies = [...keys.cookies];
        this.refused = false;
        const { host, port } = keys.server;
        report(
          `${name}: NTS keys established ${again}(${keys.cookies.length} cookies, NTP server ${host} port ${port})`,
        );
      } catch (error) {
        const why = `NTS key establishment failed: ${error instanceof Error ? error.message : String(error)}`;
        report(`${name}: ${why}`);
        if (this.keys === undefined || this.cookies.length === 0) throw new Error(why);
      }
    }
    const { host, port } = this.keys.server;
    return resolve(host, port);
  }

  seal(header: Uint8Array): SealedQuestion | undefined {
    const { keys } = this;
    const cookie = this.cookies.shift();
    if (keys === undefined || cookie === undefined) return undefined;
    const identifier = this.randomBytes(IDENTIFIER_LENGTH);
    const placeholder = extensionField(COOKIE_PLACEHOLDER, new Uint8Array(cookie.length));
    const fields = [header, extensionField(UNIQUE_IDENTIFIER, identifier), extensionField(COOKIE, cookie)];
    let length = joined(fields).length + authenticatorLength;
    // As many as would fill the pool again, together with the one that comes for the one that goes.
    for (let i = this.cookies.length + 1; i < POOL && length + placeholder.length <= LONGEST_QUESTION; i++) {
      fields.push(placeholder);
      length += placeholder.length;
    }
    const known = joined(fields);
    const authenticator = authenticate(keys.c2s, known, this.randomBytes(NONCE_LENGTH), new Uint8Array(0));
    return {
      bytes: joined([known, authenticator]),
      distrust: (reply, packet) => this.distrust(keys, identifier, reply, packet),
    };
  }

  private distrust(keys: NtsKeys, identifier: Uint8Array, reply: Uint8Array, packet: NtpPacket): Drop | undefined {
    const fields = readExtensions(reply);
    if (fields === undefined) return 'unauthenticated';
    const mine = fields.some(({ type, body }) => type === UNIQUE_IDENTIFIER && sameBytes(body, identifier));
    const proof = fields.find(({ type }) => type === AUTHENTICATOR);
    if (proof === undefined) {
      if (mine && packet.stratum === 0 && asciiOf(packet.referenceId) === 'NTSN') this.refused = true;
      return 'unauthenticated';
    }
    // Only what stands before the authenticator is authenticated; what follows it is not looked at.
    if (!fields.some(field => field.at < proof.at && field.type === UNIQUE_IDENTIFIER)) return 'unauthenticated';
    if (!mine) return 'wrongOrigin';
    const secret = openAuthenticator(keys.s2c, reply, proof);
    const inside = secret && readExtensions(secret, 0);
    if (inside === undefined) return 'forged';
    // An answer that proves itself: the server knows the keys.
    this.refused = false;
    if (this.latest && this.keys === keys) this.attempts = 0;
    for (const { type, body } of inside) {
      if (type === COOKIE && this.keys === keys && this.cookies.length < POOL) this.cookies.push(Uint8Array.from(body));
    }
    return undefined;
  }

  private randomBytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < length; at += 4) view.setUint32(at, this.options.random.uint32());
    return bytes;
  }
}

/** Of a question: nothing is secret in it. */
const authenticatorLength = 4 + 4 + NONCE_LENGTH + TAG_LENGTH;

/** The authenticator field of everything before it, with `secret` encrypted in it (RFC 8915, section 5.6). */
export function authenticate(key: Uint8Array, known: Uint8Array, nonce: Uint8Array, secret: Uint8Array): Uint8Array {
  const sealed = aessiv(key, known, nonce).encrypt(secret);
  const body = new Uint8Array(4 + padded(nonce.length) + padded(sealed.length));
  writeUint16(body, 0, nonce.length);
  writeUint16(body, 2, sealed.length);
  body.set(nonce, 4);
  body.set(sealed, 4 + padded(nonce.length));
  return extensionField(AUTHENTICATOR, body);
}

/** What is encrypted in an authenticator; undefined where it is no proof of what stands before it. */
export function openAuthenticator(key: Uint8Array, packet: Uint8Array, field: ExtensionField): Uint8Array | undefined {
  const { body, at } = field;
  if (at < PACKET_LENGTH || body.length < 4) return undefined;
  const nonceEnd = 4 + readUint16(body, 0);
  const from = 4 + padded(readUint16(body, 0));
  const end = from + readUint16(body, 2);
  if (nonceEnd === 4 || end > body.length || end - from < TAG_LENGTH) return undefined;
  try {
    return aessiv(key, packet.subarray(0, at), body.subarray(4, nonceEnd)).decrypt(body.subarray(from, end));
  } catch {
    return undefined;
  }
}
