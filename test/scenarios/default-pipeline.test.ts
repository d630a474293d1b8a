import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { namedPipelines } from '../../src/cli/pipelines.js';
import { runText } from '../support/run-scenario.js';

const folder = fileURLToPath(new URL('../../scenarios', import.meta.url));
const scenarios = readdirSync(folder).filter(
  file => file.endsWith('.yaml') && /^world:/m.test(readFileSync(join(folder, file), 'utf8')),
);
const KALMAN = ['kalman-drift', 'kalman-median'];

describe('the default pipeline', () => {
  test.each(scenarios)('on %s is at most 2 %% worse than either Kalman pipeline', async file => {
    const { expectations: _, ...scenario } = parse(readFileSync(join(folder, file), 'utf8'));
    if (scenario.world.kind !== undefined && scenario.world.kind !== 'simulated') return;
    const pipelines = await namedPipelines(['default', ...KALMAN]);
    const summary = await runText(stringify({ ...scenario, pipelines }));
    const rms = (name: string) => summary.pipelines.find(one => one.name === name)!.error!.rms;
    for (const other of KALMAN) expect(rms('default')).toBeLessThan(1.02 * rms(other));
  });
});
