import type { Endpoint, Poller, SourceEvent, World } from '../../src/core/contracts/index.js';
import { Association } from '../../src/core/ntp/association.js';
import type { Credentials } from '../../src/core/ntp/credentials.js';
import { RealtimeScheduler } from '../../src/core/world/realtime-scheduler.js';
import { SystemClock } from '../../src/plugins/clocks/system.js';
import { UdpNetwork } from '../../src/plugins/networks/udp.js';

/** Nonces and jitter of the real world. */
const uint32 = (): number => crypto.getRandomValues(new Uint32Array(1))[0]!;
export const secureRandom = {
  uint32,
  uniform: () => uint32() / 4294967296,
  exponential: () => 1,
  normal: () => 0,
};

/** The real world as an association needs it: this machine's clock and UDP. */
export function realWorld() {
  const clock = new SystemClock({ through: 'auto' });
  const scheduler = new RealtimeScheduler(clock);
  const network = new UdpNetwork({ stamps: 'auto' }, () => {}).connect(clock);
  const epoch = Number(clock.epoch / 1_000_000_000n);
  const world: World = { kind: 'real', clock, network, scheduler, random: () => secureRandom, epoch };
  return { clock, scheduler, network, world };
}

/** Asks the server at `to` every `interval` seconds for `duration` seconds, and returns what came of it. */
export async function askFor(
  duration: number,
  to: Endpoint,
  options: { readonly interval?: number; readonly timeout?: number },
  withCredentials: (world: ReturnType<typeof realWorld>) => Credentials | undefined = () => undefined,
) {
  const real = realWorld();
  const { interval = 0.2, timeout = 0.15 } = options;
  const poller: Poller = { next: ({ floor }) => Math.max(floor, interval) };
  const target = { host: to.address, port: to.port };
  const association = new Association(
    'server',
    'test/server',
    target,
    real.world,
    poller,
    { timeout, maxDistance: 1.5 },
    withCredentials(real),
  );
  const events: SourceEvent[] = [];
  association.events.subscribe(event => events.push(event));
  association.start();
  await real.scheduler.run(real.scheduler.time + duration);
  association.stop();
  return { events, drops: association.drops, summaries: events.map(summaryOf) };
}

const summaryOf = (event: SourceEvent): string => (event.type === 'exchange' ? 'exchange' : event.failure.reason);
