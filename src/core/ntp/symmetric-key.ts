import type { Drop } from '../contracts/index.js';
import type { Credentials, SealedQuestion } from './credentials.js';
import { joined, readExtensions, sameBytes } from './extension.js';
import { PACKET_LENGTH } from './packet.js';

/** A key that a client and a server share, and what it makes of a packet. */
export interface SymmetricKey {
  readonly id: number;
  /** The message authentication code, at most 20 bytes (RFC 5905, figure 14, and RFC 8573). */
  mac(bytes: Uint8Array): Uint8Array;
}

const ID_LENGTH = 4;

/** Questions end in the number of the key and a MAC of all before it, and so must answers (RFC 5905, section 7.3). */
export class SymmetricKeyCredentials implements Credentials {
  readonly spent = false;
  private refused = false;

  constructor(private readonly key: SymmetricKey) {}

  get complaint(): string | undefined {
    return this.refused ? `crypto-NAK: the server does not take key ${this.key.id}` : undefined;
  }

  seal(header: Uint8Array): SealedQuestion {
    this.refused = false;
    return { bytes: withMac(header, this.key), distrust: reply => this.distrust(reply) };
  }

  private distrust(reply: Uint8Array): Drop | undefined {
    const { key } = this;
    // A crypto-NAK is a key number of 0 and no MAC. Anybody can send one, so it ends nothing.
    if (reply.length === PACKET_LENGTH + ID_LENGTH && reply.subarray(PACKET_LENGTH).every(byte => byte === 0)) {
      this.refused = true;
      return 'unauthenticated';
    }
    const length = key.mac(new Uint8Array(0)).length;
    const end = reply.length - ID_LENGTH - length;
    if (end < PACKET_LENGTH || readExtensions(reply.subarray(0, end)) === undefined) return 'unauthenticated';
    return sameBytes(reply, withMac(reply.subarray(0, end), key)) ? undefined : 'forged';
  }
}

/** The bytes with the number of the key and their MAC after them. */
export function withMac(bytes: Uint8Array, { id, mac }: SymmetricKey): Uint8Array {
  return joined([bytes, Uint8Array.of(id >>> 24, id >>> 16, id >>> 8, id), mac(bytes)]);
}
