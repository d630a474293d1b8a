import { Container } from 'inversify';
import { Subject } from 'rxjs';
import type { Estimate, Exchange, History, Measurement, World } from '../../src/core/contracts/index.js';
import { World as WorldToken } from '../../src/core/contracts/index.js';
import { logOf } from '../../src/core/pipeline/measurement-log.js';
import { makePlugin, type PluginChoice, type PluginKind, type PluginKinds } from '../../src/core/plugin/registry.js';
import { PartName, PluginFactory, Report, Streams } from '../../src/core/plugin/tokens.js';
import { randomStream } from '../../src/core/world/random.js';
import { SimulatedWorld } from '../../src/core/world/simulated-world.js';

/** Both axes at `t` seconds. */
export const at = (t: number): { readonly wall: number; readonly counter: number } => ({ wall: t, counter: t });

/** A measurement at `t` s that arrives at once. */
export function measured(t: number, offset: number, uncertainty = 1e-3, source = 'server'): Measurement {
  const exchange: Exchange = {
    source,
    sent: at(t),
    arrived: at(t),
    receive: t + offset,
    transmit: t + offset,
    leap: 0,
    stratum: 1,
    precision: 1e-6,
    rootDelay: 0,
    rootDispersion: 0,
    referenceId: 0,
  };
  return { source, at: at(t), offset, delay: 0, uncertainty, rootDistance: 0.01, exchange };
}

/** An estimate on the counter with the given state and standard deviations. */
export function believed(
  t: number,
  offset: number,
  drift = 0,
  { offset: sigmaOffset = 1e-3, drift: sigmaDrift = 1e-6, covariance = 0 } = {},
): Estimate {
  return {
    at: at(t),
    axis: 'counter',
    offset,
    drift,
    p00: sigmaOffset ** 2,
    p01: covariance,
    p11: sigmaDrift ** 2,
    whiteFm: 0,
    randomWalkFm: 0,
    maxError: 0.05,
    maxErrorRate: 15e-6,
    by: 'test',
  };
}

/** A history on the counter of just these measurements. */
export function historyOf(measurements: readonly Measurement[], estimate?: Estimate): History {
  return { axis: 'counter', measurements: logOf(measurements), observed: logOf(measurements), estimate };
}

export interface Made<T> {
  readonly plugin: T;
  readonly world: SimulatedWorld;
  /** What the plugin has reported. */
  readonly reports: string[];
}

/** One plugin as a run would make it, in a simulated world with a perfect clock. Its file must have been imported. */
export function make<K extends PluginKind>(kind: K, choice: PluginChoice | string): Made<PluginKinds[K]> {
  const perfect = { world: 'simulated' as const, granularity: 0, phase: () => 0, frequency: () => 0 };
  const world = new SimulatedWorld('1', 0, perfect, []);
  const reports: string[] = [];
  const scope = new Container();
  const view: World = world.view;
  scope.bind(WorldToken).toConstantValue(view);
  scope.bind(PartName).toConstantValue('part');
  scope.bind(Report).toConstantValue((what: string) => reports.push(what));
  scope.bind(Streams).toConstantValue((name: string) => randomStream('1', name));
  const factory: PluginFactory = (inner, chosen) => makePlugin(inner, chosen, 'test', scope);
  scope.bind(PluginFactory).toConstantValue(factory);
  const chosen = typeof choice === 'string' ? { use: choice } : choice;
  return { plugin: makePlugin(kind, chosen, 'test', scope), world, reports };
}

/** A source that hands on what a test gives it. */
export class HandSource {
  readonly events = new Subject<import('../../src/core/contracts/index.js').SourceEvent>();
  readonly servers = ['server'];
  outstanding = 0;
  start(): void {}
  stop(): void {}

  give(measurement: Measurement): void {
    this.events.next({ type: 'exchange', exchange: measurement.exchange });
  }
}
