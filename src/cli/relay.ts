import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import type { Endpoint, RandomStream } from '../core/contracts/index.js';
import { InputError } from '../core/errors.js';
import { decodePacket, MODE_SERVER, sameTimestamp } from '../core/ntp/packet.js';
import { clientOf, RateLimiter } from '../core/ntp/rate-limit.js';
import { NtpResponder, UNSYNCHRONISED } from '../core/ntp/server.js';
import { parseServer } from '../core/ntp/server-address.js';
import { formatTime, parseQuantity } from '../core/quantity.js';
import { randomStream } from '../core/world/random.js';
import { TaskHeap } from '../core/world/task-heap.js';
import { UdpNetwork } from '../plugins/networks/udp.js';
import { listenUdp } from '../plugins/sinks/ntp-server.js';
import { Alarm } from './alarm.js';
import { durationOf, ending, placesFor, portOf } from './serve.js';

export interface RelayOptions {
  readonly upstream: readonly string[];
  readonly address?: readonly string[];
  readonly port?: string;
  readonly for?: string;
  readonly every?: string;
  readonly burst?: string;
  readonly delay?: string;
  readonly jitter?: string;
  readonly asymmetry?: string;
  readonly loss?: string;
  readonly duplication?: string;
  readonly late?: string;
  readonly seed?: string;
  readonly json?: boolean;
}

/** What the relay does to packets. Seconds, and probabilities for each packet. */
export interface RelayFaults {
  /** Added each way. */
  readonly delay: number;
  /** Mean of what queues add each way, exponential. */
  readonly jitter: number;
  /** Added to the way back, if positive, else to the way there. */
  readonly asymmetry: number;
  readonly loss: number;
  /** That an answer comes twice. */
  readonly duplication: number;
  /** That an answer is held back until its client asks again. */
  readonly late: number;
}

export interface RelayLimits {
  readonly every: number;
  readonly burst: number;
}

/** Questions that wait for an answer, of one upstream server, and how long they do, seconds. */
const OPEN = 512;
const PATIENCE = 5;
/** All clients together may ask an upstream server so often, seconds, after a burst. */
const TOGETHER = { every: 0.1, burst: 64, leak: 0, clients: 1 };
/** Clients whose questions are counted, or for whom an answer is held back. */
const CLIENTS = 4096;
/** A copy follows after this long, seconds. */
const COPY = 1e-3;
/** Questions without an answer in a row after which another address is tried, and the name is looked up again. */
const SILENT = 3;

/** `escapement relay`: forwards NTP clients' questions to servers that they have no route to. */
export async function relay(options: RelayOptions): Promise<void> {
  const { address = ['127.0.0.1'], json } = options;
  const port = portOf('--port', options.port ?? '0');
  const duration = options.for === undefined ? undefined : durationOf('--for', options.for);
  const limits = {
    every: options.every === undefined ? 1 : durationOf('--every', options.every),
    burst: options.burst === undefined ? 16 : whole('--burst', options.burst),
  };
  const faults = faultsOf(options);
  const people = (line: string): void => void (json ? process.stderr : process.stdout).write(`${line}\n`);
  const places = placesFor(address, port, options.upstream.length);
  const relays: Relay[] = [];
  try {
    for (const [index, upstream] of options.upstream.entries()) {
      const random = randomStream(options.seed ?? '1', `relay/${upstream}`);
      relays.push(await Relay.start(upstream, places[index]!, limits, faults, random, people));
    }
    const endpoints = relays.map(({ upstream, endpoint }) => ({ upstream, ...endpoint }));
    if (json) process.stdout.write(`${JSON.stringify({ relays: endpoints })}\n`);
    for (const { upstream, address: at, port: on } of endpoints) {
      people(`      ${at.includes(':') ? `[${at}]` : at}:${on}  relays to ${upstream}${describe(faults)}`);
    }
    await ending(duration);
  } finally {
    for (const one of relays) one.close();
  }
  for (const { upstream, counts } of relays) {
    const { asked, relayed, answered, refused, forged } = counts;
    people(
      `      ${upstream}: asked ${asked} times, passed on ${relayed}, answered ${answered}; ` +
        `${refused} not passed on, ${forged} answers that were none`,
    );
  }
}

/** One upstream server behind one port of this machine. */
export class Relay {
  readonly counts = { asked: 0, relayed: 0, answered: 0, refused: 0, forged: 0 };
  private readonly clock = (): number => performance.now() / 1000;
  private readonly responder: NtpResponder;
  private readonly together: RateLimiter;
  private readonly heap = new TaskHeap();
  private readonly alarm: Alarm;
  private readonly open = new Set<Socket>();
  private readonly held = new Map<string, Uint8Array>();
  private addresses: readonly Endpoint[] = [];
  private silent = 0;
  private closed = false;

  private constructor(
    readonly upstream: string,
    private readonly socket: Socket,
    limits: RelayLimits,
    private readonly faults: RelayFaults,
    private readonly random: RandomStream,
    private readonly report: (line: string) => void,
  ) {
    const uniform = (): number => this.random.uniform();
    const limiter = new RateLimiter({ ...limits, leak: 2, clients: CLIENTS }, uniform);
    this.responder = new NtpResponder({ epoch: 0, state: () => UNSYNCHRONISED }, limiter);
    this.together = new RateLimiter(TOGETHER, uniform);
    this.alarm = new Alarm(
      this.clock,
      () => this.heap.nextTime,
      () => {
        while (this.heap.nextTime <= this.clock()) this.heap.pop()!.run();
      },
    );
    socket.on('message', (bytes, from) => this.hear(bytes, from));
  }

  static async start(
    upstream: string,
    where: Endpoint,
    limits: RelayLimits,
    faults: RelayFaults,
    random: RandomStream,
    report: (line: string) => void,
  ): Promise<Relay> {
    parseServer(upstream, `--upstream ${upstream}`);
    const socket = await listenUdp(where, `relay to ${upstream}`);
    const relay = new Relay(upstream, socket, limits, faults, random, report);
    try {
      await relay.lookUp();
    } catch (error) {
      relay.close();
      throw new InputError(`--upstream ${upstream}`, error instanceof Error ? error.message : String(error));
    }
    return relay;
  }

  get endpoint(): Endpoint {
    const { address, port } = this.socket.address();
    return { address, port };
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.alarm.stop();
    for (const socket of this.open) socket.close();
    this.open.clear();
    this.socket.close();
  }

  private async lookUp(): Promise<void> {
    const { host, port } = parseServer(this.upstream, this.upstream);
    const network = new UdpNetwork({ stamps: 'process' }, () => {}).connect({ read: () => ({ wall: 0, counter: 0 }) });
    this.addresses = await network.resolve(host, port);
  }

  private hear(bytes: Uint8Array, from: RemoteInfo): void {
    this.counts.asked += 1;
    const permission = this.responder.admit(bytes, from, this.clock());
    if (permission === 'kiss') this.send(this.responder.answer(bytes, 'kiss', 0, 0), from);
    const full = this.open.size >= OPEN;
    if (permission !== 'answer' || full || this.together.ask('all', this.clock()) !== 'answer') {
      this.counts.refused += 1;
      return;
    }
    const client = clientOf(from.address);
    const held = this.held.get(client);
    if (held !== undefined) {
      this.held.delete(client);
      this.send(held, from);
    }
    const { loss, asymmetry } = this.faults;
    if (this.random.uniform() < loss) return;
    this.after(this.underWay(Math.max(0, -asymmetry)), () => this.ask(bytes, from, client));
  }

  /** Each question from a socket of its own, which hears nobody but the server: an answer has to be guessed twice. */
  private ask(question: Uint8Array, from: RemoteInfo, client: string): void {
    const to = this.addresses[0];
    if (this.closed || to === undefined) return;
    const socket = createSocket(isIP(to.address) === 6 ? 'udp6' : 'udp4');
    this.open.add(socket);
    let answered = false;
    const done = (): void => {
      clearTimeout(patience);
      if (!this.open.delete(socket)) return;
      socket.close();
      if (answered) this.silent = 0;
      else this.unheard();
    };
    const patience = setTimeout(done, PATIENCE * 1000);
    socket.on('error', done);
    socket.on('message', answer => {
      if (!isAnswer(answer, question)) {
        this.counts.forged += 1;
        return;
      }
      answered = true;
      done();
      this.answer(answer, from, client);
    });
    socket.connect(to.port, to.address, () => {
      this.counts.relayed += 1;
      socket.send(question, 0, question.length, () => {});
    });
  }

  private answer(answer: Uint8Array, from: RemoteInfo, client: string): void {
    const { loss, asymmetry, duplication, late } = this.faults;
    const [lost, twice, held] = [this.random.uniform(), this.random.uniform(), this.random.uniform()];
    if (lost < loss) return;
    this.counts.answered += 1;
    if (held < late) {
      if (this.held.size >= CLIENTS) this.held.delete(this.held.keys().next().value!);
      this.held.set(client, answer);
      return;
    }
    const wait = this.underWay(Math.max(0, asymmetry));
    this.after(wait, () => this.send(answer, from));
    if (twice < duplication) this.after(wait + COPY, () => this.send(answer, from));
  }

  private underWay(more: number): number {
    const { delay, jitter } = this.faults;
    return delay + more + (jitter === 0 ? 0 : jitter * this.random.exponential());
  }

  private after(seconds: number, run: () => void): void {
    if (seconds === 0) {
      run();
      return;
    }
    this.heap.add(this.clock() + seconds, run);
    this.alarm.set();
  }

  private send(bytes: Uint8Array | undefined, to: RemoteInfo): void {
    if (bytes !== undefined && !this.closed) this.socket.send(bytes, to.port, to.address, () => {});
  }

  /** A server that is silent: its next address, and where all have been tried, what its name says by now. */
  private unheard(): void {
    this.silent += 1;
    if (this.silent % SILENT !== 0) return;
    const [first, ...others] = this.addresses;
    this.report(`${this.upstream} does not answer (${first!.address})`);
    this.addresses = [...others, first!];
    if (this.silent % (SILENT * this.addresses.length) === 0) {
      // Without a name server the addresses that are known will do.
      this.lookUp().catch(() => {});
    }
  }
}

/** Whether a datagram answers the question: a server's, to this very question, and no longer than it. */
function isAnswer(answer: Uint8Array, question: Uint8Array): boolean {
  const [replied, asked] = [decodePacket(answer), decodePacket(question)!];
  if (replied === undefined || replied.mode !== MODE_SERVER || answer.length > question.length) return false;
  return sameTimestamp(replied.origin, asked.transmit);
}

function faultsOf(options: RelayOptions): RelayFaults {
  const time = (name: 'delay' | 'jitter' | 'asymmetry', least: number): number => {
    const text = options[name];
    if (text === undefined) return 0;
    const parsed = parseQuantity(text, 'time');
    if (typeof parsed === 'string') throw new InputError(`--${name}`, parsed);
    if (!(parsed >= least && parsed <= PATIENCE)) {
      const from = least === 0 ? '0 s' : formatTime(least);
      throw new InputError(`--${name}`, `expected a time from ${from} to ${formatTime(PATIENCE)}, found ${text}`);
    }
    return parsed;
  };
  const chance = (name: 'loss' | 'duplication' | 'late'): number => {
    const text = options[name];
    if (text === undefined) return 0;
    const parsed = parseQuantity(text, 'ratio');
    if (typeof parsed === 'string') throw new InputError(`--${name}`, parsed);
    if (!(parsed >= 0 && parsed <= 1)) throw new InputError(`--${name}`, `expected a probability, found ${text}`);
    return parsed;
  };
  return {
    delay: time('delay', 0),
    jitter: time('jitter', 0),
    asymmetry: time('asymmetry', -PATIENCE),
    loss: chance('loss'),
    duplication: chance('duplication'),
    late: chance('late'),
  };
}

function describe({ delay, jitter, asymmetry, loss, duplication, late }: RelayFaults): string {
  const parts = [
    ...(delay === 0 ? [] : [`${formatTime(delay)} more each way`]),
    ...(jitter === 0 ? [] : [`jitter ${formatTime(jitter)}`]),
    ...(asymmetry === 0
      ? []
      : [`${formatTime(Math.abs(asymmetry))} more on the way ${asymmetry > 0 ? 'back' : 'there'}`]),
    ...(loss === 0 ? [] : [`loses ${100 * loss} % each way`]),
    ...(duplication === 0 ? [] : [`doubles ${100 * duplication} %`]),
    ...(late === 0 ? [] : [`holds back ${100 * late} %`]),
  ];
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

function whole(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InputError(option, `expected a whole number from 1, found '${text}'`);
  return value;
}
