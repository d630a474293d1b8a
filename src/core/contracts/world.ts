import type { Observable, SchedulerLike } from 'rxjs';
import type { Clock, ClockReading } from './clock.js';

/** Something scheduled or listening, which can be called off. Cancelling twice, or too late, does nothing. */
export interface Task {
  cancel(): void;
}

/**
 * Time as a pipeline may use it: a view of its own machine's counter. On a clock that runs 5 % fast, 64 s pass early.
 *
 * As an RxJS `SchedulerLike` it counts milliseconds, rounded to whole nanoseconds. Timers are good to a microsecond:
 * `time` is exactly the due instant while a punctual task runs.
 */
export interface WorldScheduler extends SchedulerLike {
  /** The counter, in seconds since the run's epoch. */
  readonly time: number;
  /** Runs a task when the counter reads `time` (at once, but never synchronously, if that has passed). */
  at(time: number, run: () => void): Task;
  /**
   * The one door for promises: hands the answer to `deliver`, in the order of asking, and holds virtual time still
   * until it has come. A plain value is delivered at once. Real time does not hold still: there each answer is delivered
   * when it comes.
   */
  settle<T>(answer: T | PromiseLike<T>, deliver: (value: T) => void, fail: (error: unknown) => void): void;
}

/** Uniform and normal draws of one named stream. Never share one between two parts. */
export interface RandomStream {
  /** Uniform on [0, 1), 32 bits. */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Exponential with mean 1. */
  exponential(): number;
  /** A uniform 32-bit unsigned integer. */
  uint32(): number;
}

/** An address already resolved. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: Endpoint;
  /** Stamped by the network as close to arrival as it can. */
  readonly at: ClockReading;
}

/** One socket on a port of its own, chosen at random. */
export interface DatagramSocket {
  /** Sends, and returns the reading taken next to the departure. */
  send(bytes: Uint8Array, to: Endpoint): ClockReading;
  /** Errors, never within `send`, when nothing can be sent or received: the message says why, for people. */
  readonly received: Observable<Datagram>;
  close(): void;
}

/** Whom to ask for NTS keys (RFC 8915, section 4), and how to know that it is them. */
export interface KeyEstablishment {
  readonly host: string;
  readonly port: number;
  /** Certificates of the authorities to trust, PEM. Left out: those that are trusted on this machine. */
  readonly ca?: string | undefined;
  /** The name that the server's certificate has to be for. Left out: `host`. */
  readonly servername?: string | undefined;
}

/** The keys of both directions, the cookies to begin with, and the NTP server that takes them. */
export interface NtsKeys {
  readonly c2s: Uint8Array;
  readonly s2c: Uint8Array;
  readonly cookies: readonly Uint8Array[];
  readonly server: { readonly host: string; readonly port: number };
}

export interface Network {
  /** Addresses of a server, best first. Rejects with a message for people when there are none. */
  resolve(host: string, port: number): readonly Endpoint[] | Promise<readonly Endpoint[]>;
  /** How long a simulated look-up takes, seconds of the local clock; a real one takes its own time. */
  lookUpTime?(host: string): number;
  /** `path` names the association that opens it: a simulated network draws its delays from streams of that name. */
  open(path: string): DatagramSocket;
  /** NTS keys, where the network can have them. Rejects with a message for people. */
  establishKeys?(server: KeyEstablishment): Promise<NtsKeys>;
}

/** All that a plugin can know of the world: no truth in it. */
export interface World {
  readonly kind: WorldKind;
  readonly clock: Clock;
  readonly network: Network;
  readonly scheduler: WorldScheduler;
  /** The stream of this name: a function of the run's seed and the name only. Ask once and keep it. */
  random(path: string): RandomStream;
  /** Unix time of the run's epoch in seconds, at which all axes count 0. A whole number. */
  readonly epoch: number;
}

export type WorldKind = 'simulated' | 'replayed' | 'real';
/** Inject the world by this name: `@inject(World) world: World`. */
export const World = Symbol.for('escapement.World');
