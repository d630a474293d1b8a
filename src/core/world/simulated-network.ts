import { Subject } from 'rxjs';
import type {
  ClockModel,
  ClockReading,
  Datagram,
  DatagramSocket,
  DelayLaw,
  Direction,
  Endpoint,
  Forgery,
  Lie,
  LossLaw,
  Network,
  PathEffect,
  PathSelector,
  RandomStream,
  Reply,
  ServerBehaviour,
  ServerControls,
  ServerSide,
  ServerState,
} from '../contracts/index.js';
import { guarded, InputError, thrownBy, unknownName } from '../errors.js';
import { respond } from '../ntp/responder.js';
import type { LeapSeconds } from './leap-seconds.js';
import type { SimulatedClock } from './simulated-clock.js';
import type { VirtualScheduler } from './virtual-scheduler.js';

/** One way between the client and a server. */
export interface PathModel {
  /** Shortest delay, seconds. */
  readonly delay: number;
  /** Queueing on top of it. */
  readonly jitter: DelayLaw | undefined;
  /** Probability that a packet is lost, each by itself, or the law by which packets are lost. */
  readonly loss: number | LossLaw;
}

export interface SimulatedServerOptions {
  readonly name: string;
  readonly out: PathModel;
  readonly back: PathModel;
  /** Server's clock − true, seconds, at the start, and its fractional frequency error. */
  readonly timeError: number;
  readonly frequencyError: number;
  /** The server's oscillator, where it has one, on top of both. */
  readonly clock: ClockModel | undefined;
  /** Seconds between a question's arrival and the answer's departure. */
  readonly processing: number;
  readonly state: ServerState;
  readonly behaviour: ServerBehaviour;
  /** How long it takes to look up its name, seconds of the client's time. */
  readonly lookUp: number;
  /** How long a leap second is smeared over, seconds, half of it before the leap; 0: the server steps. */
  readonly smear: number;
}

const PORT = 123;
/** Where forged packets come from that do not come from the server. */
const ELSEWHERE: Endpoint = { address: 'elsewhere', port: PORT };

/** What the effects in force make of one packet, beyond its delay. */
class Oddities {
  readonly copies: number[] = [];
  readonly manglers: ((bytes: Uint8Array) => Uint8Array)[] = [];
  readonly forgeries: Forgery[] = [];
  late = false;

  mangle(bytes: Uint8Array): Uint8Array {
    return this.manglers.reduce((mangled, mangler) => mangler(mangled), bytes);
  }
}

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
  /** What `passage` found besides a delay, at its last call. */
  private oddities: Oddities | undefined;

  constructor(
    private readonly truth: VirtualScheduler,
    private readonly clock: SimulatedClock,
    private readonly random: (path: string) => RandomStream,
    epoch: number,
    leaps: LeapSeconds,
    servers: readonly SimulatedServerOptions[],
  ) {
    for (const options of servers) {
      this.servers.set(options.name, new SimulatedServer(options, truth, epoch, leaps));
    }
  }

  get names(): readonly string[] {
    return [...this.servers.keys()];
  }

  resolve(host: string, _port: number): readonly Endpoint[] {
    this.find(host, `server '${host}'`);
    return [{ address: host, port: PORT }];
  }

  lookUpTime(host: string): number {
    return this.find(host, `server '${host}'`).options.lookUp;
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
    const now = this.truth.time;
    // The packet leaves when its stamp has been taken.
    const stamped = now + this.clock.latency;
    const server = this.servers.get(to.address) ?? this.find(to.address, `server '${to.address}'`);
    const lanes = server.lanes(socket.path, this.random);
    const out = this.passage(server, lanes, 'out', now);
    const oddOut = this.oddities;
    const back = this.passage(server, lanes, 'back', now);
    const oddBack = this.oddities;
    for (const held of lanes.held.splice(0)) this.deliver(socket, held, to, now);
    if (oddBack !== undefined) {
      for (const { after, make, elsewhere } of oddBack.forgeries) {
        this.deliver(socket, make(bytes), elsewhere === true ? ELSEWHERE : to, now + after);
      }
    }
    if (out === undefined) return sent;
    const question = oddOut === undefined ? bytes : oddOut.mangle(bytes);
    const arrive = (arrival: number): void => {
      this.truth.at(arrival, () => {
        for (const { bytes: answer, after } of server.answer(question, socket.path, arrival)) {
          if (back === undefined) continue;
          const departure = arrival + after;
          if (oddBack === undefined) {
            this.deliver(socket, answer, to, departure + back);
            continue;
          }
          const arrived = oddBack.mangle(answer);
          if (oddBack.late) lanes.held.push(arrived);
          else this.deliver(socket, arrived, to, departure + back);
          for (const copy of oddBack.copies) this.deliver(socket, arrived, to, departure + back + copy);
        }
      });
    };
    arrive(stamped + out);
    if (oddOut !== undefined) for (const copy of oddOut.copies) arrive(stamped + out + copy);
    return sent;
  }

  private deliver(socket: SimulatedSocket, bytes: Uint8Array, from: Endpoint, at: number): void {
    this.truth.at(at, () => this.clock.receive(() => socket.deliver(bytes, from, this.clock.read())));
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

  /**
   * Seconds under way, or undefined if the packet is lost; what else happens to it is in `oddities`. Always the same
   * draws, whatever they turn out to be.
   */
  private passage(server: SimulatedServer, lanes: Lanes, direction: Direction, now: number): number | undefined {
    const path = server.options[direction];
    const lane = lanes[direction];
    const { random } = lane;
    const { loss } = path;
    let lost =
      typeof loss === 'number'
        ? loss > 0 && random.uniform() < loss
        : guarded(`server '${server.options.name}', loss`, () => loss.lost(random, now, ++lane.count));
    let delay = path.delay;
    if (path.jitter !== undefined) {
      delay += waiting(server.options.name, 'jitter', () => path.jitter!.draw(random, now));
    }
    this.oddities = undefined;
    if (this.effects.length === 0) return lost ? undefined : delay;
    for (const entry of this.effects) {
      if (!entry.concerns(server.options.name, direction)) continue;
      const { effect } = entry;
      const own = entry.streams.get(`${server.options.name}/${lanes.association}/${direction}`);
      try {
        if (effect.lost?.(own, now)) lost = true;
        if (effect.delay !== undefined) {
          delay += waiting(server.options.name, entry.name, () => effect.delay!(own, now), Number.NEGATIVE_INFINITY);
        }
        const copy = effect.copy?.(own, now);
        if (copy !== undefined) this.odd().copies.push(copy);
        const mangler = effect.mangle?.(own, now);
        if (mangler !== undefined) this.odd().manglers.push(mangler);
        if (direction === 'out') continue;
        if (effect.late?.(own, now)) this.odd().late = true;
        const forgery = effect.forge?.(own, now);
        if (forgery !== undefined) this.odd().forgeries.push(forgery);
      } catch (error) {
        throw thrownBy(entry.name, error);
      }
    }
    return lost ? undefined : Math.max(0, delay);
  }

  private odd(): Oddities {
    this.oddities ??= new Oddities();
    return this.oddities;
  }
}

/** A delay that a plugin gives, checked: a packet that is to arrive at no time would never arrive at all. */
function waiting(server: string, what: string, draw: () => number, least = 0): number {
  const delay = guarded(`server '${server}', ${what}`, draw);
  if (delay >= least && Number.isFinite(delay)) return delay;
  const expected = `expected a finite number${least === 0 ? ' from 0' : ''}`;
  throw new InputError(`server '${server}', ${what}`, `gave a delay of ${delay} s; ${expected}`);
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

interface Lane {
  readonly random: RandomStream;
  count: number;
}

/** The two ways between one association and one server, with the answers that are held back on them. */
interface Lanes {
  readonly association: string;
  readonly out: Lane;
  readonly back: Lane;
  readonly held: Uint8Array[];
}

export class SimulatedServer implements ServerControls, ServerSide {
  readonly name: string;
  private shifted = 0;
  private driftRate = 0;
  private driftSince = 0;
  private readonly claims: Partial<ServerState>[] = [];
  private readonly behaviours: ServerBehaviour[] = [];
  private state: ServerState;
  private readonly associations = new Map<string, Lanes>();

  constructor(
    readonly options: SimulatedServerOptions,
    private readonly truth: VirtualScheduler,
    private readonly epoch: number,
    private readonly leaps: LeapSeconds,
  ) {
    this.name = options.name;
    this.state = options.state;
  }

  get processing(): number {
    return this.options.processing;
  }

  /** What one association's packets draw from. */
  lanes(association: string, random: (path: string) => RandomStream): Lanes {
    let lanes = this.associations.get(association);
    if (lanes === undefined) {
      const lane = (direction: Direction): Lane => ({
        random: random(`network/${this.options.name}/${association}/${direction}`),
        count: 0,
      });
      lanes = { association, out: lane('out'), back: lane('back'), held: [] };
      this.associations.set(association, lanes);
    }
    return lanes;
  }

  answer(question: Uint8Array, asker: string, at: number) {
    const behaviour = this.behaviours.at(-1) ?? this.options.behaviour;
    const part = `server '${this.name}', behaviour`;
    const replies = guarded(part, () => behaviour.answer(question, asker, at, this));
    if (!Array.isArray(replies) || !replies.every(({ after }) => Number.isFinite(after))) {
      throw new InputError(part, 'expected a list of replies { bytes, after }, `after` a finite number of seconds');
    }
    return replies as readonly Reply[];
  }

  respond(question: Uint8Array, at: number, lie?: Lie): Uint8Array | undefined {
    const receive = this.timeAt(at) + (lie?.shift ?? 0);
    let { state } = this;
    const leap = this.options.smear === 0 ? this.leaps.announcedAt(at) : 0;
    if (leap !== 0 && state.leap === 0) state = { ...state, leap };
    if (lie?.state !== undefined) state = { ...state, ...lie.state };
    return respond(question, state, receive, receive + this.options.processing, this.epoch);
  }

  /** The time that the server tells at true time t, seconds since the run's epoch, UTC as it follows it. */
  timeAt(t: number): number {
    const { timeError, frequencyError, clock, smear } = this.options;
    const gained = this.driftRate === 0 ? 0 : this.driftRate * (t - this.driftSince);
    const utc = this.leaps.offsetAt(t, smear);
    return t + timeError + frequencyError * t + this.shifted + gained + utc + (clock?.phase(t) ?? 0);
  }

  shift(by: number): void {
    this.shifted += by;
  }

  drift(rate: number): () => number {
    const since = this.truth.time;
    this.turnDrift(rate);
    return () => {
      this.turnDrift(-rate);
      return rate * (this.truth.time - since);
    };
  }

  private turnDrift(by: number): void {
    const now = this.truth.time;
    this.shifted += this.driftRate * (now - this.driftSince);
    this.driftSince = now;
    this.driftRate += by;
    if (Math.abs(this.driftRate) < 1e-15) this.driftRate = 0;
  }

  claim(state: Partial<ServerState>): () => void {
    return this.stack(this.claims, state, () => {
      this.state = Object.assign({}, this.options.state, ...this.claims) as ServerState;
    });
  }

  behave(behaviour: ServerBehaviour): () => void {
    return this.stack(this.behaviours, behaviour, () => {});
  }

  /** Puts something on a stack, the last of which counts; returns how to take it away again. */
  private stack<T>(entries: T[], entry: T, changed: () => void): () => void {
    entries.push(entry);
    changed();
    return () => {
      const index = entries.lastIndexOf(entry);
      if (index >= 0) entries.splice(index, 1);
      changed();
    };
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
