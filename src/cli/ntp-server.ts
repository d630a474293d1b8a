import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import type { Endpoint, ServerState } from '../core/contracts/index.js';
import { InputError } from '../core/errors.js';
import { respond } from '../core/ntp/responder.js';
import { reasonOf } from './scenario-files.js';

/** Delays that a server pretends its path to have, seconds of one way each. */
export interface PathDelay {
  readonly out: number;
  readonly back: number;
}

export interface NtpServerOptions {
  /** An address of this machine, IPv4 or IPv6. */
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** What it says of itself, asked for each answer. */
  readonly state: () => ServerState;
  /** The time that it serves, seconds since `epoch`. */
  readonly now: () => number;
  /** Unix seconds, a whole number. */
  readonly epoch: number;
  /** Drawn for each question; left out, the answer goes at once. */
  readonly path?: () => PathDelay;
}

/** An NTP server on a UDP port of this machine: RFC 5905's server mode, and nothing that is longer than its question. */
export class NtpServer {
  private readonly pending = new Set<ReturnType<typeof setTimeout>>();

  private constructor(
    private readonly socket: Socket,
    private readonly options: NtpServerOptions,
  ) {
    socket.on('message', (bytes, from) => this.answer(bytes, from));
    // An answer that cannot be sent is lost, as on any network: the client asks again.
    socket.on('error', () => {});
  }

  /** Resolves when it listens. Throws an `InputError` where the address or the port cannot be had. */
  static async listen(options: NtpServerOptions): Promise<NtpServer> {
    const { address, port } = options;
    const socket = createSocket({ type: isIP(address) === 6 ? 'udp6' : 'udp4' });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind({ address, port, exclusive: true }, () => {
          socket.off('error', reject);
          resolve();
        });
      });
    } catch (error) {
      throw new InputError(`NTP server on ${address} port ${port}`, `cannot listen: ${reasonOf(error)}`);
    }
    return new NtpServer(socket, options);
  }

  get endpoint(): Endpoint {
    const { address, port } = this.socket.address();
    return { address, port };
  }

  close(): void {
    for (const timer of this.pending) clearTimeout(timer);
    this.socket.close();
  }

  private answer(request: Uint8Array, from: RemoteInfo): void {
    const { path, now } = this.options;
    const arrived = now();
    if (path === undefined) {
      this.send(request, from, arrived);
      return;
    }
    const { out, back } = path();
    const timer = setTimeout(
      () => {
        this.pending.delete(timer);
        // Timers count milliseconds: what has really passed is shared out between the two ways as was drawn.
        const passed = now() - arrived;
        const received = arrived + (out + back > 0 ? (passed * out) / (out + back) : 0);
        this.send(request, from, received, received);
      },
      (out + back) * 1000,
    );
    this.pending.add(timer);
  }

  private send(request: Uint8Array, from: RemoteInfo, received: number, transmitted = this.options.now()): void {
    const { state, epoch } = this.options;
    const reply = respond(request, state(), received, transmitted, epoch);
    if (reply !== undefined) this.socket.send(reply, from.port, from.address, () => {});
  }
}
