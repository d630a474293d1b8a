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
import { LocalScheduler } from './local-scheduler.js';
import { randomStream } from './random.js';
import { SimulatedClock } from './simulated-clock.js';
import { SimulatedNetwork, type SimulatedServerOptions } from './simulated-network.js';
import { VirtualScheduler } from './virtual-scheduler.js';

/** When a fault strikes. Seconds of true time. */
export interface FaultTiming {
  readonly at: number;
  /** How long it lasts; undefined: to the end. */
  readonly for?: number | undefined;
  /** Strikes again after this long; undefined: once. */
  readonly every?: number | undefined;
}

/**
 * A world in which the truth is known. Its scheduler counts true time; what pipelines are given (`view`) counts their
 * own machine's.
 */
export class SimulatedWorld {
  readonly truth = new VirtualScheduler();
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  /** The world as pipelines and sources see it. */
  readonly view: World;

  constructor(seed: string, epoch: number, model: ClockModel, servers: readonly SimulatedServerOptions[]) {
    const random = (path: string): RandomStream => randomStream(seed, path);
    this.clock = new SimulatedClock(model, this.truth);
    this.network = new SimulatedNetwork(this.truth, this.clock, random, epoch, servers);
    const { clock, network } = this;
    const scheduler = new LocalScheduler(this.truth, this.clock);
    this.view = Object.freeze({
      kind: 'simulated' as const,
      clock: Object.freeze({ read: () => clock.read() }),
      network: Object.freeze({
        resolve: (host: string, port: number) => network.resolve(host, port),
        open: (path: string) => network.open(path),
      }),
      scheduler,
      // A prefix of its own: nobody may draw from the oscillator's stream, and so learn its noise.
      random: (path: string) => random(`view/${path}`),
      epoch,
    });
  }

  /** Puts a fault on the timeline. `report` is told when it strikes and when it ends. */
  strike(fault: Fault, timing: FaultTiming, name: string, report: (what: string) => void): void {
    const { clock, network } = this;
    const target: FaultTarget = {
      clock: { stepWall: by => clock.stepWall(by), stepFrequency: by => clock.stepFrequency(by) },
      servers: network.names,
      server: (server: string): ServerControls => network.find(server, name),
      disturb: (selector: PathSelector, effect: PathEffect) => network.disturb(selector, effect, name),
    };
    const begin = (at: number): void => {
      this.truth.at(at, () => {
        const end = guarded(name, () => fault.inject(target));
        report('begins');
        if (end !== undefined && timing.for !== undefined) {
          this.truth.at(at + timing.for, () => {
            guarded(name, end);
            report('ends');
          });
        }
        if (timing.every !== undefined) begin(at + timing.every);
      });
    };
    begin(timing.at);
  }
}
