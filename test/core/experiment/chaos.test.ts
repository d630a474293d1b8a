import { beforeAll, expect, test } from 'vitest';
import { parseScenario } from '../../../src/cli/scenario-files.js';
import {
  chaosSeeds,
  drawTimeline,
  shrinkTimeline,
  timelineEntries,
  withTimeline,
} from '../../../src/core/experiment/chaos.js';
import { runScenario } from '../../../src/core/experiment/run.js';
import type { FaultChoice, Scenario } from '../../../src/core/experiment/scenario.js';
import { pluginsOf } from '../../../src/core/plugin/registry.js';
import { loadAllPlugins } from '../../../src/plugins/index.js';

const base = {
  name: 'base',
  duration: '2 h',
  warmup: '10 min',
  world: { servers: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] },
  pipelines: [{ name: 'p', filters: ['delay-excess'], combiner: 'median' }],
  expectations: [{ pipeline: 'p', metric: 'error.max', atMost: '20 ms' }],
};
let scenario: Scenario;

beforeAll(async () => {
  await loadAllPlugins();
  ({ scenario } = await parseScenario(JSON.stringify(base), 'base.yaml'));
});

test('a seed draws one timeline, another seed another; every kind of fault comes up', () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 400; seed++) {
    const timeline = drawTimeline(scenario, String(seed));
    expect(drawTimeline(scenario, String(seed))).toEqual(timeline);
    expect(timeline.length).toBeGreaterThan(0);
    for (const { at, for: lasting, fault } of timeline) {
      seen.add(fault.use);
      expect(at).toBeGreaterThan(scenario.warmup);
      expect(at + lasting!).toBeLessThan(2 * 3600 + 1440);
    }
  }
  expect([...seen].sort()).toEqual(pluginsOf('fault').map(({ name }) => name));
});

test('a timeline that is printed is a scenario’s faults: it reads back to the same', async () => {
  for (let seed = 0; seed < 40; seed++) {
    const timeline = drawTimeline(scenario, String(seed));
    const world = { ...base.world, faults: timelineEntries(timeline) };
    const again = await parseScenario(JSON.stringify({ ...base, world }), 'again.yaml');
    expect(again.scenario.world).toMatchObject({ faults: timeline });
  }
});

test('any chaotic run ends with finite figures, or with one message that names what ended it', async () => {
  for (const seed of chaosSeeds('1', 15)) {
    const chaotic = withTimeline(scenario, seed, drawTimeline(scenario, seed));
    const outcome = await runScenario({ scenario: chaotic, file: 'chaos.yaml' }).catch((error: Error) => error);
    if (outcome instanceof Error) expect(outcome.message).toMatch(/^pipeline 'p'/);
    else expect(Number.isFinite(outcome.pipelines[1]!.error!.rms)).toBe(true);
  }
});

test('shrinking finds the few faults that break it, and how long they have to last', async () => {
  const fault = (use: string, at: number, lasting: number): FaultChoice => ({ at, for: lasting, fault: { use } });
  const timeline = [1, 2, 3, 4, 5, 6].map(i => fault(`f${i}`, i * 100, 1000));
  let runs = 0;
  const breaks = async (faults: readonly FaultChoice[]): Promise<boolean> => {
    runs += 1;
    const lasting = (use: string) => faults.find(one => one.fault.use === use)?.for ?? 0;
    return lasting('f2') >= 100 && lasting('f5') > 0;
  };
  expect(await shrinkTimeline(timeline, breaks)).toEqual([fault('f2', 200, 125), fault('f5', 500, 1)]);
  expect(runs).toBeLessThan(60);
});

test('what breaks without any fault shrinks to none', async () => {
  const timeline = drawTimeline(scenario, '3');
  expect(await shrinkTimeline(timeline, async () => true)).toEqual([]);
});
