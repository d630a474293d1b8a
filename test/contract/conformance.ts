import 'reflect-metadata';
import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Container } from 'inversify';
import { expect } from 'vitest';
import {
  type Clock,
  type ClockReading,
  type Estimate,
  type History,
  type Measurement,
  type MeasurementLog,
  measure,
  World,
} from '../../src/core/contracts/index.js';
import { MeasurementRing } from '../../src/core/pipeline/measurement-log.js';
import {
  makePlugin,
  type PluginDescriptor,
  type PluginKind,
  type PluginKinds,
} from '../../src/core/plugin/registry.js';
import {
  InputFolder,
  OutputFolder,
  PartName,
  Playback,
  PluginFactory,
  Report,
  ServerNames,
  Streams,
} from '../../src/core/plugin/tokens.js';
import { randomStream } from '../../src/core/world/random.js';
import { SimulatedWorld } from '../../src/core/world/simulated-world.js';

/**
 * What the conformance rules are made with. A plugin's author uses them on a plugin that was registered by importing its
 * file: `conform('corrector', descriptor)` from `rules.ts`; nothing else is needed.
 */

const scratch = mkdtempSync(join(tmpdir(), 'escapement-contract-'));
writeFileSync(join(scratch, 'delays.csv'), Array.from({ length: 200 }, (_, i) => `${(i * 7919) % 200}e-5`).join('\n'));
// A model beside its card, as the example of what runs one has it.
const models = fileURLToPath(new URL('../fixtures/models/', import.meta.url));
copyFileSync(join(models, 'irregular.json'), join(scratch, 'model.json'));
copyFileSync(join(models, 'irregular.onnx'), join(scratch, 'irregular.onnx'));

/** Makes a fresh instance with its defaults (or its example's options), inside a quiet simulated world. */
export function make<K extends PluginKind>(descriptor: PluginDescriptor<K>): PluginKinds[K] {
  const world = new SimulatedWorld('1', 1_767_225_600, QUIET, []);
  const root = new Container();
  // Called replayed, so that a source does not look its servers up in a world that has none.
  root.bind(World).toConstantValue({ ...world.view, kind: 'replayed' });
  root.bind(ServerNames).toConstantValue(['a', 'b']);
  root.bind(OutputFolder).toConstantValue(scratch);
  root.bind(InputFolder).toConstantValue(scratch);
  root.bind(Playback).toConstantValue({ servers: ['a'], listen: () => {}, outstanding: () => 0 });
  const within = (kind: PluginKind, choice: { use: string }, part: string): unknown => {
    const scope = new Container({ parent: root });
    scope.bind(PartName).toConstantValue(part);
    scope.bind(Report).toConstantValue(() => {});
    scope.bind(Streams).toConstantValue((name: string) => randomStream('1', `${part}/${name}`));
    const factory: PluginFactory = (inner, innerChoice, name) =>
      within(inner, innerChoice, `${part}/${name ?? inner}`) as never;
    scope.bind(PluginFactory).toConstantValue(factory);
    return makePlugin(kind, choice, 'conformance', scope);
  };
  const choice = { use: descriptor.name, ...descriptor.example };
  return within(descriptor.kind, choice, 'part') as PluginKinds[K];
}

const QUIET = { world: 'simulated', granularity: 0, phase: () => 0, frequency: () => 0 } as const;

/** Freezes a value and all that it holds, so that a plugin that changes its input throws. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) frozen(inner);
  return value;
}

/** One measurement: an exchange of `delay` seconds that arrives at `at` on a clock that is `offset` behind. */
export function measurementAt(at: number, offset: number, delay = 0.02, source = 'a'): Measurement {
  const sent: ClockReading = { wall: at - delay, counter: at - delay };
  const middle = at - delay / 2 + offset;
  return frozen(
    measure(
      {
        source,
        sent,
        arrived: { wall: at, counter: at },
        receive: middle,
        transmit: middle,
        leap: 0,
        stratum: 1,
        precision: 2 ** -20,
        rootDelay: 0.001,
        rootDispersion: 0.001,
        referenceId: 1,
      },
      'counter',
    ),
  );
}

/** What happens to a clock in practice: a burst, steady polls, duplicates, a jump, a silence, a crawling round trip. */
export function life(): readonly Measurement[] {
  const random = randomStream('1', 'conformance');
  const out: Measurement[] = [];
  let t = 10;
  const poll = (wait: number, jump = 0, slow = 0): void => {
    t += wait;
    const delay = 0.02 + 0.001 * random.exponential() + slow;
    out.push(measurementAt(t, -12e-6 * t + jump + 1e-4 * random.normal(), delay));
  };
  for (let i = 0; i < 4; i++) poll(2);
  for (let i = 0; i < 40; i++) poll(64);
  for (let i = 0; i < 5; i++) out.push(out.at(-1)!);
  for (let i = 0; i < 20; i++) poll(64, 0.5);
  poll(6 * 3600, 0.5);
  for (let i = 0; i < 5; i++) poll(64, 0.5, 3);
  for (let i = 0; i < 20; i++) poll(64, 0.5);
  return out;
}

export class TestHistory implements History {
  readonly axis = 'counter';
  readonly measurements: MeasurementLog & { add(measurement: Measurement): void } = new MeasurementRing(64);
  readonly observed: MeasurementLog & { add(measurement: Measurement): void } = new MeasurementRing(64);
  estimate: Estimate | undefined;

  add(measurement: Measurement): void {
    this.measurements.add(measurement);
    this.observed.add(measurement);
  }
}

/** Finite numbers, and a covariance that is positive semi-definite up to rounding. */
export function expectSound(estimate: Estimate): void {
  const { offset, drift, p00, p01, p11, whiteFm, randomWalkFm, maxError, maxErrorRate } = estimate;
  for (const value of [offset, drift, p00, p01, p11, whiteFm, randomWalkFm, maxError, maxErrorRate]) {
    expect(Number.isFinite(value), `${estimate.by}: ${JSON.stringify(estimate)}`).toBe(true);
  }
  for (const value of [p00, p11, whiteFm, randomWalkFm, maxError, maxErrorRate])
    expect(value).toBeGreaterThanOrEqual(0);
  expect(p01 ** 2, 'p01² ≤ p00·p11').toBeLessThanOrEqual(p00 * p11 * (1 + 1e-6) + 1e-30);
}

export function isClock(value: unknown): value is Clock {
  return typeof value === 'object' && value !== null && 'read' in value;
}
