import type {
  ClockModel,
  Fault,
  FaultTarget,
  PathEffect,
  PathSelector,
  RandomStream,
  ServerControls,
  World,
} from '../contracts/index.js';
import { guarded } from '../errors.js';
import { forge } from '../ntp/responder.js';
import { LeapSeconds } from './leap-seconds.js';
import { LocalScheduler } from './local-scheduler.js';
import { randomStream } from './random.js';
import { SimulatedClock } from './simulated-clock.js';
import { SimulatedNetwork, type SimulatedServerOptions } from './simulated-network.js';
import { Tampering } from './tampering.js';
import { VirtualScheduler } from './virtual-scheduler.js';

const DAY = 86_400;

/** When a fault strikes. Seconds of true time. */
export interface FaultTiming {
  readonly at: number;
  /** How long it lasts; undefined: to the end. */
  readonly for?: number | undefined;
  /** Strikes again after this long; undefined: once. */
  readonly every?: number | undefined;
  /** That a strike happens at all; undefined: always. Drawn for each, from a stream of the fault's own. */
  readonly chance?: number | undefined;
}

/**
 * A world in which the truth is known. Its scheduler counts true time; what pipelines are given (`view`) counts their
 * own machine's.
 */
export class SimulatedWorld {
  readonly truth = new VirtualScheduler();
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  /** What faults do to predictors. */
  readonly tampering = new Tampering();
  private readonly leaps = new LeapSeconds();
  /** The world as pipelines and sources see it. */
  readonly view: World;

  constructor(
    private readonly seed: string,
    epoch: number,
    model: ClockModel,
    servers: readonly SimulatedServerOptions[],
  ) {
    const random = (path: string): RandomStream => randomStream(seed, path);
    this.clock = new SimulatedClock(model, this.truth);
    this.network = new SimulatedNetwork(this.truth, this.clock, random, epoch, this.leaps, servers);
    const { clock, network } = this;
    const scheduler = new LocalScheduler(this.truth, this.clock);
    this.view = Object.freeze({
      kind: 'simulated' as const,
      clock: Object.freeze({ read: () => clock.read() }),
      network: Object.freeze({
        resolve: (host: string, port: number) => network.resolve(host, port),
        lookUpTime: (host: string) => network.lookUpTime(host),
        open: (path: string) => network.open(path),
      }),
      scheduler,
      // A prefix of its own: nobody may draw from the oscillator's stream, and so learn its noise.
      random: (path: string) => random(`view/${path}`),
      epoch,
    });
  }

  private leapSecond(by: -1 | 1, notice: number | undefined): void {
    const now = this.truth.time;
    const utc = now + this.view.epoch + this.leaps.offsetAt(now, 0);
    const end = now + (notice ?? Math.ceil(utc / DAY) * DAY - utc);
    // A deleted second is the last of its day: UTC jumps where it would begin.
    const at = Math.max(now, by < 0 ? end : end - 1);
    this.leaps.add(at, by, now);
    const strike = (): void => this.clock.leapSecond(by);
    if (at === now) strike();
    else this.truth.at(at, strike);
  }

  /** Puts a fault on the timeline. `report` is told when it strikes and when it ends. */
  strike(fault: Fault, timing: FaultTiming, name: string, report: (what: string) => void): void {
    const { clock, network } = this;
    const target: FaultTarget = {
      clock,
      servers: network.names,
      server: (server: string): ServerControls => network.find(server, name),
      disturb: (selector: PathSelector, effect: PathEffect) => network.disturb(selector, effect, name),
      leapSecond: (by, notice) => this.leapSecond(by, notice),
      tamper: (selector, change) => this.tampering.add(selector, change),
      forge: (question, time, guess) => forge(question, time, guess, this.view.epoch),
    };
    const strikes = timing.chance === undefined ? undefined : randomStream(this.seed, `${name}/strikes`);
    const begin = (at: number): void => {
      this.truth.at(at, () => {
        if (timing.every !== undefined) begin(at + timing.every);
        if (strikes !== undefined && !(strikes.uniform() < timing.chance!)) return;
        const end = guarded(name, () => fault.inject(target));
        report('begins');
        if (end !== undefined && timing.for !== undefined) {
          this.truth.at(at + timing.for, () => {
            guarded(name, end);
            report('ends');
          });
        }
      });
    };
    begin(timing.at);
  }
}
