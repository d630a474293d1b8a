import type { RemoteInfo, Socket } from 'node:dgram';
import type { Endpoint, MachineClock } from '../core/contracts/index.js';
import { InputError } from '../core/errors.js';
import type { LoadedScenario } from '../core/experiment/load-scenario.js';
import { emptyWorld, type ReadyWorld } from '../core/experiment/run.js';
import type { ServerSpec } from '../core/experiment/scenario.js';
import { clientOf } from '../core/ntp/rate-limit.js';
import { formatTime, parseQuantity } from '../core/quantity.js';
import { SystemClock } from '../plugins/clocks/system.js';
import { listenUdp } from '../plugins/sinks/ntp-server.js';
import { Alarm } from './alarm.js';
import { openScenario } from './scenario-files.js';

export interface ServeOptions {
  readonly address?: readonly string[];
  readonly port?: string;
  readonly seed?: string;
  readonly for?: string;
  readonly withClock?: boolean;
  readonly json?: boolean;
  readonly plugin?: readonly string[];
}

/** Clients that have paths of their own; further ones share one. */
const CLIENTS = 1024;
/** Packets under way at once; what comes while there are more is lost. */
const UNDER_WAY = 20_000;
/** As simulated-network.ts has it; nobody sees it. */
const PORT = 123;

/** `escapement serve`: a simulated world's servers on real UDP ports, in real time. */
export async function serve(file: string, options: ServeOptions): Promise<void> {
  const { address = ['127.0.0.1'], json } = options;
  const port = portOf('--port', options.port ?? '0');
  const duration = options.for === undefined ? undefined : durationOf('--for', options.for);
  const loaded = await openScenario(file, options.plugin);
  const seeded =
    options.seed === undefined ? loaded : { ...loaded, scenario: { ...loaded.scenario, seed: options.seed } };
  const served = await ServedWorld.start(seeded, { addresses: address, port, withClock: options.withClock ?? false });
  const people = (line: string): void => void (json ? process.stderr : process.stdout).write(`${line}\n`);
  try {
    if (json) process.stdout.write(`${JSON.stringify({ servers: served.endpoints })}\n`);
    else for (const line of description(seeded, served)) people(line);
    served.strike(people);
    await ending(duration);
  } finally {
    served.close();
  }
  const width = Math.max(...served.endpoints.map(({ name }) => name.length));
  for (const { name, asked, answered } of served.counts) {
    people(`      ${name.padEnd(width)}  asked ${asked} times, sent ${answered} packets`);
  }
}

export interface ServedEndpoint {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

interface Counts {
  readonly name: string;
  asked: number;
  answered: number;
}

/**
 * A scenario's simulated network behind real sockets. Its true time is this machine's counter from the moment it starts,
 * and whoever asks is a client at the end of the simulated paths: his packets are lost, delayed, duplicated and mangled
 * as the scenario has it.
 */
export class ServedWorld {
  readonly endpoints: ServedEndpoint[] = [];
  readonly counts: Counts[] = [];
  private readonly alarm: Alarm;
  private readonly sockets: Socket[] = [];
  /** Where forged packets come from that do not come from a server. */
  private elsewhere!: Socket;
  private readonly clients = new Map<string, string>();
  private readonly start: number;
  private shifted = 0;

  private constructor(
    private readonly ready: ReadyWorld,
    private readonly clock: MachineClock,
    start: number,
    private readonly withClock: boolean,
  ) {
    this.start = start;
    const { truth } = ready.world;
    this.alarm = new Alarm(
      () => this.elapsed(),
      () => truth.nextTime,
      () => this.catchUp(),
    );
  }

  static async start(
    { scenario, file }: LoadedScenario,
    options: { readonly addresses: readonly string[]; readonly port: number; readonly withClock: boolean },
  ): Promise<ServedWorld> {
    const { addresses, port, withClock } = options;
    const clock = new SystemClock({ through: 'auto' });
    const { wall, counter } = clock.read();
    const epoch = Number(clock.epoch / 1_000_000_000n);
    // The clock counts from a whole second, the world from its start.
    const served = new ServedWorld(emptyWorld({ scenario, file }, epoch, wall), clock, counter, withClock);
    const names = served.ready.world.network.names;
    const places = placesFor(addresses, port, names.length);
    try {
      for (const [index, name] of names.entries()) {
        const socket = await listenUdp(places[index]!, `server '${name}'`);
        served.sockets.push(socket);
        const counts = { name, asked: 0, answered: 0 };
        served.counts.push(counts);
        socket.on('message', (bytes, from) => served.hear(socket, counts, bytes, from));
        served.endpoints.push({ name, address: places[index]!.address, port: socket.address().port });
      }
      served.elsewhere = await listenUdp({ address: addresses[0]!, port: 0 }, 'forged packets');
      served.sockets.push(served.elsewhere);
    } catch (error) {
      served.close();
      throw error;
    }
    return served;
  }

  /** Lets what goes wrong go wrong. */
  strike(report: (line: string) => void): void {
    this.ready.strike((part, what) => report(`[${this.ready.world.truth.time.toFixed(1)} s] ${part}: ${what}`));
    this.alarm.set();
  }

  close(): void {
    this.alarm.stop();
    for (const socket of this.sockets.splice(0)) socket.close();
  }

  /** True time, seconds since the start. */
  private elapsed(): number {
    return this.clock.read().counter - this.start;
  }

  private catchUp(): void {
    const { truth } = this.ready.world;
    truth.advanceTo(Math.max(truth.time, this.elapsed()));
  }

  private hear(socket: Socket, counts: Counts, bytes: Uint8Array, from: RemoteInfo): void {
    this.catchUp();
    const { world } = this.ready;
    if (world.truth.pending > UNDER_WAY || from.port === 0) return;
    counts.asked += 1;
    if (this.withClock) this.followClock();
    const path = world.network.open(`serve/${counts.name}/${this.client(from.address)}`);
    path.received.subscribe(({ bytes: answer, from: sender }) => {
      counts.answered += 1;
      const through = sender.address === counts.name ? socket : this.elsewhere;
      if (this.sockets.length > 0) through.send(answer, from.port, from.address, () => {});
    });
    path.send(bytes, { address: counts.name, port: PORT });
    this.alarm.set();
  }

  /**
   * The machine that asks plays the scenario's: what its clock would show too much, the servers show too little. (Errors
   * of the clock are small, so it does not matter on whose time they are counted.)
   */
  private followClock(): void {
    const { network, clock, truth } = this.ready.world;
    const sample = clock.sampleAt(truth.time);
    if (sample === undefined) return;
    const by = -sample.wallError - this.shifted;
    this.shifted += by;
    for (const name of network.names) network.find(name, 'serve').shift(by);
  }

  /** The name of a client in the world: his packets draw from streams of his own, as long as there is room. */
  private client(address: string): string {
    const key = clientOf(address);
    const known = this.clients.get(key);
    if (known !== undefined) return known;
    if (this.clients.size >= CLIENTS) return 'others';
    this.clients.set(key, key);
    return key;
  }
}

function description({ scenario }: LoadedScenario, served: ServedWorld): string[] {
  const { world } = scenario;
  const specs: readonly ServerSpec[] = world.kind === 'simulated' ? world.servers : [];
  const width = Math.max(...served.endpoints.map(({ name }) => name.length));
  const lines = served.endpoints.map(({ name, address, port }, index) => {
    const { delay, out, back, timeError, stratum } = specs[index]!;
    const round = (out.delay ?? delay) + (back.delay ?? delay);
    const wrong = timeError === 0 ? '' : `, ${formatTime(timeError, true)} wrong`;
    const place = address.includes(':') ? `[${address}]` : address;
    return `      ${name.padEnd(width)}  ${place}:${port}  stratum ${stratum}, ${formatTime(round)} away and back${wrong}`;
  });
  return [`Scenario '${scenario.name}' on UDP, in real time. Ctrl-C ends it.`, ...lines];
}

/** Resolves when the duration has passed, or somebody ends it. */
export function ending(duration: number | undefined): Promise<void> {
  return new Promise(resolve => {
    const timer = setInterval(() => {}, 60_000);
    const end = (): void => {
      clearInterval(timer);
      clearTimeout(last);
      process.off('SIGINT', end);
      process.off('SIGTERM', end);
      resolve();
    };
    const last = duration === undefined ? undefined : setTimeout(end, duration * 1000);
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
  });
}

/**
 * Where each of some servers is to listen: on an address of its own and one port, or on one address with ports that follow
 * each other. Port 0 takes free ones.
 */
export function placesFor(addresses: readonly string[], port: number, count: number): readonly Endpoint[] {
  const apart = addresses.length > 1;
  if (apart && addresses.length !== count) {
    throw new InputError('--address', `expected one, or one for each of ${count} servers, found ${addresses.length}`);
  }
  if (!apart && port !== 0 && port + count - 1 > 65_535) {
    throw new InputError('--port', `expected room for ${count} ports from it on, found ${port}`);
  }
  return Array.from({ length: count }, (_, index) => ({
    address: addresses[apart ? index : 0]!,
    port: apart || port === 0 ? port : port + index,
  }));
}

export function portOf(option: string, text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) {
    throw new InputError(option, `expected a port from 0 (a free one) to 65535, found '${text}'`);
  }
  return port;
}

/** Longest that setTimeout can wait, seconds. */
const LONGEST = 2_147_483;

export function durationOf(option: string, text: string): number {
  const parsed = parseQuantity(text, 'time');
  if (typeof parsed === 'string') throw new InputError(option, parsed);
  if (!(parsed > 0 && parsed <= LONGEST))
    throw new InputError(option, `expected more than 0 s and at most 24 d, found ${text}`);
  return parsed;
}
