import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { escapement, filesIn, scratch, write } from '../../support/escapement.js';
import { outputOf } from '../../support/run-scenario.js';

const folder = scratch();

interface Parts {
  readonly seed?: number | string;
  readonly sources?: Readonly<Record<string, unknown>>;
  readonly pipelines?: readonly unknown[];
  readonly faults?: readonly unknown[];
  readonly servers?: readonly unknown[];
  readonly sampling?: unknown;
}

const near = { name: 'near', delay: '8 ms', jitter: { use: 'exponential', mean: '0.5 ms' }, loss: '3 %' };
const far = { name: 'far', delay: '30 ms', jitter: { use: 'normal', deviation: '2 ms' } };
const first = { use: 'ntp', servers: ['near', 'far'], poller: { use: 'fixed', interval: '16 s' } };
const drift = { name: 'drift', source: 'first', filters: ['delay-excess'], combiner: 'inverse-variance' };

function scenario({ seed = 1, sources, pipelines, faults, servers, sampling }: Parts = {}): string {
  return stringify({
    name: 'reproducible',
    seed,
    duration: '1 h',
    warmup: '5 min',
    world: {
      clock: { use: 'oscillator', timeError: '20 ms', frequencyError: '12 ppm', whiteFm: 1e-9, wander: 1e-8 },
      servers: servers ?? [near, far],
      faults: faults ?? [],
    },
    sources: sources ?? { first },
    pipelines: pipelines ?? [drift],
    ...(sampling !== undefined && { sampling }),
  });
}

const run = (parts: Parts = {}) => outputOf(scenario(parts), folder);

const rowsOf = (file: string | undefined, keep: (row: string) => boolean = () => true): readonly string[] =>
  file!.split('\n').filter(keep);
const ofFirst = (row: string): boolean => row.startsWith('first,');
/** A row but for its `open`, which counts what else is asked. */
const withoutOpen = (row: string): string => row.split(',').toSpliced(4, 1).join(',');
/** True time of a row of measurements.csv. */
const trueTime = (row: string): number => Number(row.split(',').at(-3));

describe('the same scenario and seed', () => {
  test('give byte-identical files through the command, but for the manifest', () => {
    const file = write(folder, 'twice.yaml', scenario());
    const outputs = ['a', 'b'].map(name => {
      const out = join(folder, name);
      const { status, stderr } = escapement(['run', file, '--json', '--out', out]);
      expect(stderr).toBe('');
      expect(status).toBe(0);
      const { 'manifest.json': manifest, ...files } = filesIn(out);
      expect(JSON.parse(manifest!)).toMatchObject({ status: 'finished', seed: '1' });
      return files;
    });
    expect(Object.keys(outputs[0]!)).toEqual([
      'estimates-drift.csv',
      'measurements.csv',
      'samples-bare-clock.csv',
      'samples-drift.csv',
      'scenario.yaml',
      'summary.json',
    ]);
    expect(outputs[1]).toEqual(outputs[0]);
  });

  test('print the same JSON, and another seed prints another', () => {
    const file = write(folder, 'json.yaml', scenario());
    const [one, again, other] = [[], [], ['--seed', '2']].map(
      more => escapement(['run', file, '--json', ...more]).stdout,
    );
    expect(JSON.parse(one!)).toMatchObject({ scenario: 'reproducible', seed: '1', duration: 3600, world: 'simulated' });
    expect(again).toBe(one);
    expect(other).not.toBe(one);
    expect(JSON.parse(other!)).toMatchObject({ seed: '2' });
  });

  test('give the same files whether read from the scenario or from the resolved one beside the output', () => {
    const file = write(
      folder,
      'original.yaml',
      scenario({ faults: [{ use: 'clock-step', at: '20 min', by: '-250 ms' }] }),
    );
    const original = join(folder, 'original');
    const resolved = join(folder, 'resolved');
    expect(escapement(['run', file, '--json', '--out', original]).status).toBe(0);
    const again = escapement(['run', join(original, 'scenario.yaml'), '--json', '--out', resolved]);
    expect(again.stderr).toBe('');
    const { 'manifest.json': _, ...files } = filesIn(resolved);
    const { 'manifest.json': __, ...expected } = filesIn(original);
    expect(files).toEqual(expected);
  });
});

describe('other parts of a run keep their draws', () => {
  test('when the seed changes, everything does', async () => {
    const [one, other] = [await run(), await run({ seed: 2 })];
    expect(rowsOf(other['measurements.csv'])).not.toEqual(rowsOf(one['measurements.csv']));
  });

  test('when a pipeline is added', async () => {
    const before = await run();
    const after = await run({
      pipelines: [
        { name: 'added-before', axis: 'wall', predictor: 'linear-regression', corrector: 'none', filters: ['popcorn'] },
        drift,
        { name: 'added-after', combiner: 'median', timekeeper: 'ntp-anchored' },
      ],
    });
    for (const name of ['measurements.csv', 'samples-drift.csv', 'estimates-drift.csv', 'samples-bare-clock.csv']) {
      expect(after[name], name).toBe(before[name]);
    }
  });

  test.each([
    ['after it', (added: unknown) => ({ first, added })],
    ['before it', (added: unknown) => ({ added, first })],
  ])('when a source is added %s, even one that asks the same servers at other times', async (_, sources) => {
    const before = await run();
    const added = { use: 'ntp', poller: { use: 'fixed', interval: '11 s', burst: 2 } };
    const after = await run({ sources: sources(added) });
    const kept = rowsOf(before['measurements.csv'], ofFirst).map(withoutOpen);
    expect(kept.length).toBeGreaterThan(400);
    expect(rowsOf(after['measurements.csv'], ofFirst).map(withoutOpen)).toEqual(kept);
    expect(rowsOf(after['measurements.csv'], row => row.startsWith('added,')).length).toBeGreaterThan(500);
    expect(after['samples-drift.csv']).toBe(before['samples-drift.csv']);
    expect(after['estimates-drift.csv']).toBe(before['estimates-drift.csv']);
  });

  test('when a server is added that the source does not ask', async () => {
    const before = await run();
    const after = await run({ servers: [{ name: 'new', loss: '50 %' }, near, far] });
    expect(after).toEqual(before);
  });

  const harmless = [
    { use: 'clock-step', at: '5 min', for: '10 min', by: 0 },
    { use: 'frequency-step', at: '7 min', for: '10 min', by: 0 },
    { use: 'packet-loss', at: '9 min', for: '10 min', probability: 0 },
    { use: 'delay-burst', at: '11 min', every: '13 min', for: '5 min', mean: 0, least: 0 },
    { use: 'falseticker', at: '13 min', for: '10 min', servers: ['near'], by: 0 },
  ];
  test.each(harmless.map(fault => [fault.use, fault] as const))('when there is a %s of nothing', async (_, fault) => {
    const { 'summary.json': before, ...files } = await run();
    // That it strikes is told among the events, where there are none without it.
    const { 'summary.json': after, 'events.csv': events, ...same } = await run({ faults: [fault] });
    expect(files).not.toHaveProperty(['events.csv']);
    expect(events).toContain(`,${fault.use},begins`);
    expect(same).toEqual(files);
    expect(after).toBe(before);
  });

  const striking = [
    { use: 'clock-step', by: '-250 ms' },
    { use: 'frequency-step', by: '4 ppm' },
    { use: 'outage', for: '5 min' },
    { use: 'packet-loss', probability: '50 %' },
    { use: 'delay-burst', mean: '5 ms' },
    { use: 'falseticker', servers: ['near'], by: '40 ms' },
  ];
  test.each(striking.map(fault => [fault.use, fault] as const))('before a %s strikes', async (_, fault) => {
    const before = await run();
    const after = await run({ faults: [{ ...fault, at: '30 min' }] });
    // A question under way when it strikes is among those before: what befalls it was drawn when it was asked.
    const early = (row: string): boolean => ofFirst(row) && trueTime(row) < 1800;
    const kept = rowsOf(before['measurements.csv'], early);
    expect(kept.length).toBeGreaterThan(200);
    expect(rowsOf(after['measurements.csv'], early)).toEqual(kept);
    expect(after['measurements.csv']).not.toBe(before['measurements.csv']);
    const sampledEarly = (row: string): boolean => Number(row.split(',')[0]) <= 1800;
    expect(rowsOf(after['samples-drift.csv'], sampledEarly)).toEqual(rowsOf(before['samples-drift.csv'], sampledEarly));
  });

  test('of one fault when another is added before it in the list or in time', async () => {
    const burst = { use: 'delay-burst', at: '30 min', every: '10 min', for: '5 min', mean: '5 ms', servers: ['near'] };
    const other = { use: 'delay-burst', at: '10 min', every: '3 min', for: '2 min', mean: '5 ms', servers: ['far'] };
    const nothing = { use: 'packet-loss', at: '1 min', for: '58 min', probability: 0 };
    const ofNear = (row: string): boolean => row.startsWith('first,near');
    const alone = rowsOf((await run({ faults: [burst] }))['measurements.csv'], ofNear).map(withoutOpen);
    for (const faults of [
      [other, burst],
      [burst, other],
      [nothing, burst],
    ]) {
      const rows = rowsOf((await run({ faults }))['measurements.csv'], ofNear).map(withoutOpen);
      expect(rows).toEqual(alone);
    }
  });
});

describe('scoring does not disturb what it scores', () => {
  test('on a grid of 1 s and on a jittered one of 0.37 s the values at common instants are the same', async () => {
    const plain = await run();
    for (const sampling of [
      { interval: '0.37 s', jitter: '0.1 s' },
      { interval: '0.37 s', jitter: '10 s' },
      { interval: '1 h' },
    ]) {
      const { 'summary.json': _, ...files } = await run({ sampling });
      const { 'summary.json': __, ...expected } = plain;
      expect(files).toEqual(expected);
    }
  });

  test('and the figures agree to what sampling noise allows', async () => {
    const figures = async (sampling: unknown) => JSON.parse((await run({ sampling }))['summary.json']!).pipelines[1];
    const [coarse, fine] = [await figures({ interval: '1 s' }), await figures({ interval: '0.37 s', jitter: '0.1 s' })];
    expect(coarse.samples).toBe(3301);
    expect(fine.samples).toBeGreaterThan(8915);
    expect(fine.samples).toBeLessThan(8922);
    for (const figure of ['mae', 'rms', 'p50', 'p95', 'max']) {
      expect(Math.abs(fine.error[figure] / coarse.error[figure] - 1), figure).toBeLessThan(0.02);
    }
  });
});
