import type { Drop, Endpoint } from '../contracts/index.js';
import type { NtpPacket } from './packet.js';

/** A question as it goes out, and what is known of it to judge its answers by. */
export interface SealedQuestion {
  readonly bytes: Uint8Array;
  /** Why a datagram with the question's origin is not its answer all the same; undefined where it is. */
  distrust(reply: Uint8Array, packet: NtpPacket): Drop | undefined;
}

/** What a client and a server prove themselves to each other by. */
export interface Credentials {
  /** Undefined where there is nothing to seal with before `find` has been asked again. */
  seal(header: Uint8Array): SealedQuestion | undefined;
  /** True where `find` should be asked again after a question that had no answer. */
  readonly spent: boolean;
  /** Where the server is, after whatever has to be agreed on first. Left out: where its name says. */
  find?(): Promise<readonly Endpoint[]>;
  /** What to add to the reason of a question without an answer. */
  readonly complaint: string | undefined;
}

/** Nothing but the origin. */
export const NO_CREDENTIALS: Credentials = {
  seal: header => ({ bytes: header, distrust: () => undefined }),
  spent: false,
  complaint: undefined,
};
