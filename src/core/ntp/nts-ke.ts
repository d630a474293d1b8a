import { joined, readUint16, writeUint16 } from './extension.js';

/** NTS key establishment, RFC 8915 section 4: the records that cross the TLS connection. */
const END = 0;
const NEXT_PROTOCOL = 1;
const ERROR = 2;
const WARNING = 3;
const AEAD = 4;
const NEW_COOKIE = 5;
const SERVER = 6;
const PORT = 7;

const CRITICAL = 0x8000;
const NTPV4 = 0;
/** AEAD_AES_SIV_CMAC_256, the one that every server has to know. */
const AES_SIV_CMAC_256 = 15;

/** The port that key establishment listens on, and the name of its protocol in TLS (ALPN). */
export const NTS_KE_PORT = 4460;
export const NTS_KE_PROTOCOL = 'ntske/1';
/** What the keys are exported from TLS by: `context` for each direction (RFC 8915, section 5.1). */
export const KEY_LABEL = 'EXPORTER-network-time-security';
export const KEY_LENGTH = 32;
export const keyContext = (direction: 'c2s' | 's2c'): Uint8Array =>
  Uint8Array.of(0, NTPV4, 0, AES_SIV_CMAC_256, direction === 'c2s' ? 0 : 1);

/** What no answer needs to reach; a server that sends more is none. */
const LONGEST_ANSWER = 16_384;
const LONGEST_COOKIE = 1024;
const MOST_COOKIES = 8;

const ERRORS: Readonly<Record<number, string>> = {
  0: 'it does not know a record that is critical',
  1: 'it calls our request bad',
  2: 'it has an internal error',
};

/** What a server said. */
export interface KeyAnswer {
  readonly cookies: readonly Uint8Array[];
  /** Left out: that of key establishment. */
  readonly host: string | undefined;
  readonly port: number | undefined;
}

/** What a client sends first: NTPv4, with AES-SIV-CMAC-256. */
export function keyRequest(): Uint8Array {
  return joined([
    record(CRITICAL | NEXT_PROTOCOL, NTPV4),
    record(CRITICAL | AEAD, AES_SIV_CMAC_256),
    record(CRITICAL | END),
  ]);
}

function record(type: number, ...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 + 2 * values.length);
  for (const [index, value] of [type, 2 * values.length, ...values].entries()) writeUint16(bytes, 2 * index, value);
  return bytes;
}

/** Reads a server's answer as it comes in. Throws, for people, at anything that RFC 8915 does not allow. */
export class KeyAnswerReader {
  private bytes: Uint8Array = new Uint8Array(0);
  private protocol: number | undefined;
  private algorithm: number | undefined;
  private host: string | undefined;
  private port: number | undefined;
  private readonly cookies: Uint8Array[] = [];
  private length = 0;

  /** The whole answer, once its end has come. */
  push(more: Uint8Array): KeyAnswer | undefined {
    this.length += more.length;
    if (this.length > LONGEST_ANSWER) throw new Error(`its answer is longer than ${LONGEST_ANSWER} bytes`);
    this.bytes = this.bytes.length === 0 ? more : joined([this.bytes, more]);
    while (this.bytes.length >= 4) {
      const type = readUint16(this.bytes, 0);
      const end = 4 + readUint16(this.bytes, 2);
      if (this.bytes.length < end) return undefined;
      const body = this.bytes.subarray(4, end);
      this.bytes = this.bytes.subarray(end);
      if ((type & ~CRITICAL) === END) return this.whole(body);
      this.take(type & ~CRITICAL, (type & CRITICAL) !== 0, body);
    }
    return undefined;
  }

  private take(type: number, critical: boolean, body: Uint8Array): void {
    switch (type) {
      case NEXT_PROTOCOL:
        this.protocol = onlyOne('protocol', this.protocol, body);
        return;
      case AEAD:
        this.algorithm = onlyOne('AEAD algorithm', this.algorithm, body);
        return;
      case ERROR: {
        const code = body.length === 2 ? readUint16(body, 0) : -1;
        throw new Error(`it refuses: ${ERRORS[code] ?? `error ${code}`}`);
      }
      case WARNING:
        throw new Error(`it warns with a code that nobody knows (${body.length === 2 ? readUint16(body, 0) : 'none'})`);
      case NEW_COOKIE:
        if (body.length === 0 || body.length > LONGEST_COOKIE) throw new Error(`a cookie has ${body.length} bytes`);
        // More than asked for would do no harm, and no good.
        if (this.cookies.length < MOST_COOKIES) this.cookies.push(Uint8Array.from(body));
        return;
      case SERVER: {
        const host = String.fromCharCode(...body);
        if (this.host !== undefined || !/^[\w.:%-]{1,255}$/.test(host)) throw new Error('it names no NTP server');
        this.host = host;
        return;
      }
      case PORT:
        if (this.port !== undefined || body.length !== 2 || readUint16(body, 0) === 0)
          throw new Error('it names no port');
        this.port = readUint16(body, 0);
        return;
      default:
        if (critical) throw new Error(`its answer has a critical record of an unknown type (${type})`);
    }
  }

  private whole(body: Uint8Array): KeyAnswer {
    if (body.length > 0 || this.bytes.length > 0) throw new Error('its answer goes on after its end');
    if (this.protocol !== NTPV4) throw new Error('it does not offer NTPv4');
    if (this.algorithm !== AES_SIV_CMAC_256) throw new Error('it does not offer AES-SIV-CMAC-256');
    if (this.cookies.length === 0) throw new Error('it gives no cookie');
    return { cookies: this.cookies, host: this.host, port: this.port };
  }
}

/** The one value of a record; −1 for an empty one, which says that nothing of what was offered suits. */
function onlyOne(what: string, known: number | undefined, body: Uint8Array): number {
  if (known !== undefined || body.length > 2 || body.length === 1) throw new Error(`it names more than one ${what}`);
  return body.length === 0 ? -1 : readUint16(body, 0);
}
