import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { PipelineSummary, RunSummary } from '../../src/core/contracts/index.js';
import { replayed, replayPrinting } from '../support/replay.js';

/** Recordings that lie beside the repository where there are any; a user's clone has none. */
const shared = fileURLToPath(new URL('../../../shared', import.meta.url));
const foldersIn = (path: string): readonly string[] => (existsSync(path) ? readdirSync(path).sort() : []);

const named = ({ pipelines }: RunSummary, name: string): PipelineSummary =>
  pipelines.find(pipeline => pipeline.name === name)!;

describe.skipIf(!existsSync(join(shared, 'peer')))('recordings in ../shared/peer (skipped without them)', () => {
  test.each(foldersIn(join(shared, 'peer')))('%s is scored on the grid that chronyd was scored on', async name => {
    const folder = join(shared, 'peer', name);
    const summary = await replayed(folder, { pipeline: ['kalman-drift'] });
    const { metrics_after_warmup: figures } = JSON.parse(readFileSync(join(folder, 'scenario.json'), 'utf8'));
    const chronyd = figures.chrony_disciplined_alt_warmup ?? figures.chrony_disciplined;
    for (const { reference, samples } of summary.pipelines) expect([reference, samples]).toEqual(['truth', chronyd.n]);
    expect(named(summary, 'kalman-drift').winRate).toBeGreaterThan(0.85);
    // A falseticker among servers that are asked one by one is never seen in a round.
    if (!name.startsWith('falseticker')) {
      expect(named(summary, 'kalman-drift').error!.rms).toBeLessThan(3 * chronyd.rms);
    }
  });
});

describe.skipIf(!existsSync(join(shared, 'traces')))('recordings in ../shared/traces (skipped without them)', () => {
  // Mean absolute errors in milliseconds from the eleventh NTP point on, as ChronoTick's recordings were judged before.
  test.each([
    ['v1_homelab_20251022', '1150 s', { chronotick: 1.82, 'bare-clock': 2.77, 'offset-only': 1.95 }],
    ['v1_ares11_20251022', '1150 s', { chronotick: 2.07, 'bare-clock': 2.64, 'offset-only': 3.04 }],
    ['stab_homelab_driftaware_20251015', '950 s', { chronotick: 6.67, 'bare-clock': 2.7, 'offset-only': 3.01 }],
    ['stab_homelab_mismatch_20251016', '950 s', { chronotick: 455, 'bare-clock': 2.39, 'offset-only': 2.93 }],
  ])('%s: ChronoTick, the bare clock and the held value score as they did before', async (name, warmup, expected) => {
    const summary = await replayed(join(shared, 'traces', `${name}.csv`), { warmup, pipeline: ['offset-only'] });
    for (const [pipeline, milliseconds] of Object.entries(expected)) {
      const { error, reference } = named(summary, pipeline);
      expect(reference).toBe('ntp');
      expect(error!.mae * 1000).toBeCloseTo(milliseconds, milliseconds > 100 ? 0 : 1.7);
    }
  });

  test('a clock that nobody disciplines is followed to 2 ms, where the bare clock is 74 ms behind', async () => {
    const summary = await replayed(join(shared, 'traces', 'v1_wsl2_timesfm_20251010.csv'));
    expect(named(summary, 'bare-clock').error!.mae).toBeGreaterThan(0.07);
    expect(named(summary, 'kalman-drift').error!.mae).toBeLessThan(0.0035);
  });

  test('single queries to several servers are rounds', async () => {
    const trace = join(shared, 'traces', 'raw_wsl2_perserver_20251011.csv');
    const summary = await replayed(trace, { pipeline: ['kalman-median', 'offset-only'] });
    expect(summary.exchanges.answered).toBe(164);
    expect(named(summary, 'kalman-median').error!.rms).toBeLessThan(named(summary, 'offset-only').error!.rms);
  });

  test('one-way packets give a relative drift of less than 0.1 ppm that turns round half way', async () => {
    const trace = join(shared, 'traces', 'internode_sys_comp11_minus_comp18.csv');
    const { oneWay } = JSON.parse(await replayPrinting(trace, { json: true }));
    expect(oneWay.packets).toBe(3000);
    expect(Math.abs(oneWay.line.drift)).toBeLessThan(0.1e-6);
    expect(oneWay.parts[0].line.drift).toBeLessThan(0);
    expect(oneWay.parts[5].line.drift).toBeGreaterThan(0);
  });
});
