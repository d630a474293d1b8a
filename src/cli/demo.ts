import type { RoundRecord, RunInfo, Sink } from '../core/contracts/index.js';
import { referenceIdOf } from '../core/ntp/packet.js';
import { formatTime } from '../core/quantity.js';
import { randomStream } from '../core/world/random.js';
import { SystemClock } from '../plugins/clocks/system.js';
import { NtpServer } from '../plugins/sinks/ntp-server.js';
import { whyUnreachable } from './internet.js';

/** What the demo's honest servers say of this machine's clock: it is behind by so much (s), and loses so much (s/s). */
const BEHIND = 25e-3;
const LOSES = 12e-6;

/** Errors of the servers' own clocks, shortest delay of one way, and the mean of what queues add to it. Seconds. */
const SERVERS = [
  { name: 'near', error: 0.1e-3, delay: 2e-3, jitter: 0.3e-3 },
  { name: 'middle', error: -0.2e-3, delay: 5e-3, jitter: 0.6e-3 },
  { name: 'far', error: 0.3e-3, delay: 12e-3, jitter: 1.2e-3 },
  // The nearest of all, so that it looks best to who looks at the delay only.
  { name: 'liar', error: 250e-3, delay: 1e-3, jitter: 0.1e-3 },
] as const;

/** NTP servers on loopback with simulated clocks and paths; real packets on real sockets. */
export interface Demo {
  /** As a source has them. */
  readonly servers: readonly { readonly name: string; readonly server: string }[];
  /** What they are, for people. */
  readonly description: string;
  /** Compares what the pipelines tell with the time that the demo simulates; `lines` after the run. */
  readonly judge: Sink & { readonly lines: readonly string[] };
  close(): void;
}

export async function startDemo(): Promise<Demo> {
  const clock = new SystemClock({ through: 'auto' });
  const epoch = Number(clock.epoch / 1_000_000_000n);
  const start = clock.read().counter;
  const truthAt = (counter: number): number => counter + BEHIND + LOSES * (counter - start);
  const servers: NtpServer[] = [];
  const close = (): void => {
    for (const server of servers) server.close();
  };
  try {
    for (const { name, error, delay, jitter } of SERVERS) {
      const random = randomStream('demo', name);
      const server = await NtpServer.listen({
        address: '127.0.0.1',
        port: 0,
        state: () => ({
          leap: 0,
          stratum: 1,
          precision: -20,
          rootDelay: 0,
          rootDispersion: 1e-3,
          referenceId: referenceIdOf('DEMO'),
        }),
        now: () => truthAt(clock.read().counter) + error,
        epoch,
        path: () => ({ out: delay + jitter * random.exponential(), back: delay + jitter * random.exponential() }),
      });
      servers.push(server);
      // Asked once beforehand: what runs for the first time takes milliseconds, and would look like a slow path.
      await whyUnreachable(server.endpoint.address, server.endpoint.port, 1);
    }
  } catch (error) {
    close();
    throw error;
  }
  const addresses = servers.map(({ endpoint }) => `${endpoint.address}:${endpoint.port}`);
  const width = Math.max(...SERVERS.map(({ name }) => name.length));
  const lines = SERVERS.map(
    ({ name, error, delay, jitter }, index) =>
      `      ${name.padEnd(width)} ${addresses[index]}  ${formatTime(2 * delay)} away, jitter ${formatTime(jitter)}; ` +
      (name === 'liar' ? `FALSETICKER, ${formatTime(error)} ahead` : `its own error ${formatTime(error, true)}`),
  );
  return {
    servers: addresses.map((server, index) => ({ name: SERVERS[index]!.name, server })),
    description:
      `Demo: four NTP servers on loopback, by which this clock is ${formatTime(BEHIND)} behind and loses ` +
      `${1e6 * LOSES} ppm.\n${lines.join('\n')}`,
    judge: new DemoJudge(() => {
      const { wall, counter } = clock.read();
      return { wall: wall + epoch, ahead: truthAt(counter) - wall };
    }),
    close,
  };
}

/** What is told after each round, once the run is warm, against the simulated time. */
class DemoJudge implements Sink {
  private readonly errors = new Map<string, number[]>();
  private epoch = 0;
  private warmup = 0;

  /** Now: the wall clock in Unix seconds, and how far the simulated time is ahead of it. */
  constructor(private readonly now: () => { readonly wall: number; readonly ahead: number }) {}

  start({ epoch, warmup }: RunInfo): void {
    this.epoch = epoch;
    this.warmup = warmup;
  }

  round({ t, pipeline, told, reading }: RoundRecord): void {
    if (t < this.warmup) return;
    const { wall, ahead } = this.now();
    // The reading is microseconds old by now; in those the simulated time gains nothing on the wall clock.
    if (Math.abs(wall - this.epoch - reading.wall) > 1) return;
    const errors = this.errors.get(pipeline) ?? [];
    errors.push(told.time - reading.wall - ahead);
    this.errors.set(pipeline, errors);
  }

  get lines(): readonly string[] {
    const width = Math.max(0, ...[...this.errors.keys()].map(name => name.length));
    return [...this.errors].map(([name, errors]) => {
      const mean = errors.reduce((sum, error) => sum + Math.abs(error), 0) / errors.length;
      const last = errors.at(-1)!;
      return `      ${name.padEnd(width)}  mean |error| ${formatTime(mean)}, at the end ${formatTime(last, true)}`;
    });
  }
}
