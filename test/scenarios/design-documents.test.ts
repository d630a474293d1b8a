import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { namedPipelines } from '../../src/cli/pipelines.js';
import { openScenario } from '../../src/cli/scenario-files.js';
import type { EventRecord, RunSummary } from '../../src/core/contracts/index.js';
import { runScenario } from '../../src/core/experiment/run.js';
import { loadAllPlugins } from '../../src/plugins/index.js';

const folder = fileURLToPath(new URL('../../scenarios/', import.meta.url));

async function run(name: string, seed?: number): Promise<{ summary: RunSummary; events: readonly EventRecord[] }> {
  const { scenario, file } = await openScenario(`${folder}${name}.yaml`);
  const events: EventRecord[] = [];
  const summary = await runScenario({
    scenario: seed === undefined ? scenario : { ...scenario, seed: String(seed) },
    file,
    sinks: [{ event: event => void events.push(event) }],
  });
  return { summary, events };
}

const broken = ({ expectations }: RunSummary) => expectations.filter(({ holds }) => !holds);

describe('the documents’ success criteria (each scenario’s own seed: shipped.test.ts)', () => {
  test.each([
    ['drift-aware-25min', 2],
    ['drift-aware-25min', 3],
    ['drift-aware-8h', 2],
    ['drift-aware-noisy-ntp', 2],
    ['v2-vs-fix1-vs-fix2', 2],
    ['near-perfect-clock', 2],
    ['already-disciplined-host', 2],
    ['offset-versus-true-time', 2],
  ])('%s holds them on another seed', async (name, seed) => {
    const { summary } = await run(name, seed);
    expect(summary.expectations.length).toBeGreaterThan(0);
    expect(broken(summary)).toEqual([]);
  });

  test('where NTP is too noisy the corrector switches itself off, says so, and stays off', async () => {
    const { events } = await run('drift-aware-noisy-ntp');
    const said = events.filter(({ part }) => part === 'pipelines/drift-aware/corrector');
    expect(said.map(({ what }) => what.split(':')[0])).toEqual(['falls back to the model alone']);
    expect(said[0]!.t).toBeLessThan(3600);
  });

  test('on a host that is disciplined already it is said, and the bare clock is served', async () => {
    const { events } = await run('already-disciplined-host');
    const said = events.filter(({ part }) => part.startsWith('pipelines/guarded/')).map(({ what }) => what);
    expect(said).toContainEqual(expect.stringMatching(/^the wall clock is disciplined by something else: -12\.0 ppm/));
    expect(said).toContainEqual(expect.stringMatching(/^serves bare-clock/));
  });

  test('a last NTP time that stands still breaks the expectation on the age', async () => {
    const { scenario, file } = await openScenario(`${folder}drift-aware-25min.yaml`);
    const { world } = scenario;
    if (world.kind !== 'simulated') throw new Error('is simulated');
    await loadAllPlugins();
    const outage = { at: 600, for: 300, fault: { use: 'outage' } };
    const still = { ...scenario, world: { ...world, faults: [...world.faults, outage] } };
    const summary = await runScenario({ scenario: still, file });
    expect(broken(summary).map(({ metric }) => metric)).toContain('age.max');
  });
});

describe('the feedback canary', () => {
  test('sees every shipped pipeline as it is shipped', async () => {
    const shipped = readdirSync(`${folder}pipelines`)
      .filter(name => name.endsWith('.yaml'))
      .map(name => name.slice(0, -'.yaml'.length));
    const { scenario } = await openScenario(`${folder}feedback-canary.yaml`);
    const inCanary = new Map(scenario.pipelines.map(pipeline => [pipeline.name, pipeline]));
    const expected = (await namedPipelines(shipped)) as { readonly name: string }[];
    for (const pipeline of expected) expect(inCanary.get(pipeline.name)).toEqual(pipeline);
    expect(inCanary.size).toBe(expected.length);
    // Nobody is left without a limit.
    expect(new Set(scenario.expectations.map(({ pipeline }) => pipeline))).toEqual(new Set(inCanary.keys()));
  });
});
