import { Subject } from 'rxjs';
import type {
  ClockReading,
  Datagram,
  DatagramSocket,
  Endpoint,
  Network,
  World,
} from '../../src/core/contracts/index.js';
import { randomStream } from '../../src/core/world/random.js';
import { VirtualScheduler } from '../../src/core/world/virtual-scheduler.js';

/** A datagram that somebody sent, and the means to answer it. */
export interface Asked {
  readonly bytes: Uint8Array;
  readonly to: Endpoint;
  /** When it was sent, seconds. */
  readonly at: number;
  /** The number of the socket that it left from; no two are alike. */
  readonly socket: number;
  /** Delivers bytes to the socket that asked, `after` seconds from now, as if `from` had sent them. */
  reply(bytes: Uint8Array, after: number, from?: Endpoint): void;
}

/** A network within one process: datagrams are bytes, and whoever is `listening` answers them as it likes. */
export class MemoryNetwork implements Network {
  readonly asked: Asked[] = [];
  listening: (question: Asked) => void = () => {};
  /** Called when a name is asked for. */
  lookingUp: () => void = () => {};
  /** Addresses by host name; a host that is not in it cannot be resolved. */
  readonly names = new Map<string, readonly Endpoint[]>();
  readonly lookUps: string[] = [];
  openSockets = 0;
  private sockets = 0;

  constructor(
    private readonly scheduler: VirtualScheduler,
    private readonly read: () => ClockReading,
  ) {}

  resolve(host: string, port: number): Promise<readonly Endpoint[]> {
    this.lookUps.push(`${host}:${port}`);
    this.lookingUp();
    const found = this.names.get(host);
    return found === undefined ? Promise.reject(new Error(`cannot resolve ${host}`)) : Promise.resolve(found);
  }

  open(_path: string): DatagramSocket {
    const received = new Subject<Datagram>();
    const number = this.sockets++;
    this.openSockets += 1;
    let closed = false;
    return {
      received,
      send: (bytes, to) => {
        const at = this.scheduler.time;
        const reading = this.read();
        const question: Asked = {
          bytes: Uint8Array.from(bytes),
          to,
          at,
          socket: number,
          reply: (answer, after, from = to) => {
            this.scheduler.at(this.scheduler.time + after, () => {
              if (!closed) received.next({ bytes: answer, from, at: this.read() });
            });
          },
        };
        this.asked.push(question);
        // Never from within `send`: a datagram takes some time.
        this.scheduler.at(at, () => this.listening(question));
        return reading;
      },
      close: () => {
        if (!closed) this.openSockets -= 1;
        closed = true;
      },
    };
  }
}

/** A machine with a perfect counter, a wall clock that is `wallAhead` seconds ahead, and a network in memory. */
export function memoryWorld(wallAhead = 0, epoch = Date.UTC(2026, 0, 1) / 1000) {
  const scheduler = new VirtualScheduler();
  const read = (): ClockReading => ({ counter: scheduler.time, wall: scheduler.time + wallAhead });
  const network = new MemoryNetwork(scheduler, read);
  const world: World = {
    kind: 'real',
    clock: { read },
    network,
    scheduler,
    random: path => randomStream('memory', path),
    epoch,
  };
  return { scheduler, network, world };
}
