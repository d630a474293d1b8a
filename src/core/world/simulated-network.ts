import { Subject } from 'rxjs';
import type {
  ClockReading,
  Datagram,
  DatagramSocket,
  DelayLaw,
  Direction,
  Endpoint,
  Network,
  PathEffect,
  PathSelector,
  RandomStream,
  ServerControls,
} from '../contracts/index.js';
import { guarded, InputError, unknownName } from '../errors.js';
import { respond, type ServerState } from '../ntp/responder.js';
import type { SimulatedClock } from './simulated-clock.js';
import type { VirtualScheduler } from './virtual-scheduler.js';

/** One way between the client and a server. */
export interface PathModel {
  /** Shortest delay, seconds. */
  readonly delay: number;
  /** Queueing on top of it. */
  readonly jitter: DelayLaw | undefined;
  /** Probability that a packet is lost. */
  readonly loss: number;
}

export interface SimulatedServerOptions {
  readonly name: string;
  readonly out: PathModel;
  readonly back: PathModel;
  /** Server's clock − true, seconds, at the start, and its fractional frequency error. */
  readonly timeError: number;
  readonly frequencyError: number;
  /** Seconds between a question's arrival and the answer's departure. */
  readonly processing: number;
  readonly state: ServerState;
}

const PORT = 123;

/**
 * Synthetic servers and the paths to them. A packet's own draws come from the stream of its server, association and
 * direction, all taken when the question is sent, so nobody's packets depend on who else asks. Each fault's effect has
 * streams of its own.
 */
export class SimulatedNetwork implements Network {
  private readonly servers = new Map<string, SimulatedServer>();
  private readonly effects: EffectEntry[] = [];
  private readonly faults = new Map<string, FaultStreams>();
  private nextPort = 49152;

  constructor(
    private readonly truth: VirtualScheduler,
    private readonly clock: SimulatedClock,
    private readonly random: (path: string) => RandomStream,
    private readonly epoch: number,
    servers: readonly SimulatedServerOptions[],
  ) {
    for (const options of servers) this.servers.set(options.name, new SimulatedServer(options));
  }

  get names(): readonly string[] {
    return [...this.servers.keys()];
  }

  resolve(host: string, _port: number): readonly Endpoint[] {
    this.find(host, `server '${host}'`);
    return [{ address: host, port: PORT }];
  }

  find(name: string, place: string): SimulatedServer {
    const server = this.servers.get(name);
    if (server === undefined) throw unknownName(place, 'server', name, this.names);
    return server;
  }

  disturb(selector: PathSelector, effect: PathEffect, name: string): () => void {
    for (const server of selector.servers ?? []) this.find(server, name);
    const entry = new EffectEntry(selector, effect, this.streamsOf(name), name);
    this.effects.push(entry);
    return () => {
      const index = this.effects.indexOf(entry);
      if (index >= 0) this.effects.splice(index, 1);
    };
  }

  open(path: string): DatagramSocket {
    return new SimulatedSocket(this, path, this.nextPort++);
  }

  /** Sends one datagram on its way through a server and back. */
  exchange(socket: SimulatedSocket, bytes: Uint8Array, to: Endpoint): ClockReading {
    const sent = this.clock.read();
    // The packet leaves when its stamp has been taken.
    const stamped = this.truth.time + this.clock.latency;
    const server = this.find(to.address, `server '${to.address}'`);
    const out = this.fate(server, socket.path, 'out');
    const back = this.fate(server, socket.path, 'back');
    if (out === undefined) return sent;
    this.truth.at(stamped + out, () => {
      const receive = server.timeAt(this.truth.time);
      const { processing, state } = server.options;
      const answer = respond(bytes, state, receive, receive + processing, this.epoch);
      if (answer === undefined || back === undefined) return;
      this.truth.at(this.truth.time + processing + back, () => socket.deliver(answer, to, this.clock.read()));
    });
    return sent;
  }

  /** A fault keeps its streams from one strike to the next. */
  private streamsOf(fault: string): FaultStreams {
    let streams = this.faults.get(fault);
    if (streams === undefined) {
      streams = new FaultStreams(fault, this.random);
      this.faults.set(fault, streams);
    }
    return streams;
  }

  /** Seconds under way, or undefined if the packet is lost. Always the same draws, whatever they turn out to be. */
  private fate(server: SimulatedServer, association: string, direction: Direction): number | undefined {
    const path = server.options[direction];
    const random = server.stream(association, direction, this.random);
    let lost = path.loss > 0 && random.uniform() < path.loss;
    let delay = path.delay;
    if (path.jitter !== undefined) {
      delay += waiting(server.options.name, 'jitter', () => path.jitter!.draw(random, this.truth.time));
    }
    for (const entry of this.effects) {
      if (!entry.concerns(server.options.name, direction)) continue;
      const own = entry.streams.get(`${server.options.name}/${association}/${direction}`);
      const { effect } = entry;
      if (guarded(entry.name, () => effect.lost?.(own, this.truth.time) ?? false)) lost = true;
      if (effect.delay !== undefined) {
        delay += waiting(server.options.name, entry.name, () => effect.delay!(own, this.truth.time));
      }
    }
    return lost ? undefined : delay;
  }
}

/** A delay that a plugin gives, checked: a packet that is to arrive at no time would never arrive at all. */
function waiting(server: string, what: string, draw: () => number): number {
  const delay = guarded(`server '${server}', ${what}`, draw);
  if (delay >= 0 && delay < Number.POSITIVE_INFINITY) return delay;
  throw new InputError(`server '${server}', ${what}`, `gave a delay of ${delay} s; expected a finite number from 0`);
}

/** What one fault's effects draw from, by server, association and direction. */
class FaultStreams {
  private readonly streams = new Map<string, RandomStream>();

  constructor(
    private readonly fault: string,
    private readonly random: (path: string) => RandomStream,
  ) {}

  get(packets: string): RandomStream {
    let stream = this.streams.get(packets);
    if (stream === undefined) {
      stream = this.random(`${this.fault}/${packets}`);
      this.streams.set(packets, stream);
    }
    return stream;
  }
}

class EffectEntry {
  constructor(
    private readonly selector: PathSelector,
    readonly effect: PathEffect,
    readonly streams: FaultStreams,
    readonly name: string,
  ) {}

  concerns(server: string, direction: Direction): boolean {
    const { servers, directions } = this.selector;
    return (servers?.includes(server) ?? true) && (directions?.includes(direction) ?? true);
  }
}

export class SimulatedServer implements ServerControls {
  private shifted = 0;
  private readonly streams = { out: new Map<string, RandomStream>(), back: new Map<string, RandomStream>() };

  constructor(readonly options: SimulatedServerOptions) {}

  /** What one association's packets in one direction draw from. */
  stream(association: string, direction: Direction, random: (path: string) => RandomStream): RandomStream {
    const streams = this.streams[direction];
    let stream = streams.get(association);
    if (stream === undefined) {
      stream = random(`network/${this.options.name}/${association}/${direction}`);
      streams.set(association, stream);
    }
    return stream;
  }

  timeAt(t: number): number {
    return t + this.options.timeError + this.options.frequencyError * t + this.shifted;
  }

  shift(by: number): void {
    this.shifted += by;
  }
}

class SimulatedSocket implements DatagramSocket {
  readonly received = new Subject<Datagram>();
  // Hard-private: a plugin holds this object, and must not find the truth through it.
  readonly #network: SimulatedNetwork;
  #closed = false;

  constructor(
    network: SimulatedNetwork,
    readonly path: string,
    readonly port: number,
  ) {
    this.#network = network;
  }

  send(bytes: Uint8Array, to: Endpoint): ClockReading {
    if (this.#closed) throw new InputError(this.path, 'the socket is closed');
    return this.#network.exchange(this, bytes, to);
  }

  deliver(bytes: Uint8Array, from: Endpoint, at: ClockReading): void {
    if (!this.#closed) this.received.next({ bytes, from, at });
  }

  close(): void {
    this.#closed = true;
  }
}
