import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { stringify } from 'yaml';
import { parseScenario } from '../../../src/cli/scenario-files.js';
import type { PipelineSummary } from '../../../src/core/contracts/index.js';
import { runScenario } from '../../../src/core/experiment/run.js';

/** As it stands in the design document "NTP Correction v2", comments and all. */
const BLOCK = `
ntp_correction:
  enabled: true
  method: drift_aware  # drift_aware, offset_only, kalman
  
  # Drift correction
  drift_correction_enabled: true
  min_time_for_drift_correction: 60  # seconds
  drift_correction_strength: 0.7  # 0-1, how aggressively to correct drift
  
  # Uncertainty management
  uncertainty_threshold: 1.5  # Only apply if σ_NTP < threshold × σ_ML
  min_confidence_gain: 0.1  # Require at least 10% uncertainty reduction
  
  # Timing
  max_ntp_age_seconds: 180  # Must be < NTP interval
  uncertainty_growth_rate: 0.00001  # 10 μs/s
`;

const scenario = (pipeline: string, interval = '60 s'): string => `
name: pasted
duration: 30 min
world:
  servers: [{ name: a, jitter: { use: exponential, mean: 1 ms } }]
sources:
  ntp: { use: ntp, poller: { use: fixed, interval: ${interval} } }
pipelines:
  - name: subject
    predictor: linear-regression
${pipeline.replaceAll(/^/gm, '    ')}
`;

const load = (pipeline: string, interval?: string) => parseScenario(scenario(pipeline, interval), 'pasted.yaml');

describe('the design document’s ntp_correction block, pasted into a pipeline', () => {
  it('is the corrector drift-aware with the document’s values, and its own defaults are the same', async () => {
    const { scenario: pasted } = await load(BLOCK);
    const { scenario: defaults } = await load('corrector: drift-aware');
    expect(pasted.pipelines[0]!.corrector).toEqual(defaults.pipelines[0]!.corrector);
    expect(pasted.pipelines[0]!.corrector).toMatchObject({
      use: 'drift-aware',
      enabled: true,
      method: 'drift_aware',
      drift_correction_enabled: true,
      min_time_for_drift_correction: 60,
      drift_correction_strength: 0.7,
      uncertainty_threshold: 1.5,
      min_confidence_gain: 0.1,
      max_ntp_age_seconds: 180,
      uncertainty_growth_rate: 1e-5,
    });
  });

  it('runs, and differs from the model alone', async () => {
    const [pasted, model] = await Promise.all(
      [BLOCK, 'corrector: none'].map(async pipeline => {
        const { scenario: read, file } = await load(pipeline);
        return (await runScenario({ scenario: read, file })).pipelines[1]!.error!.mae;
      }),
    );
    expect(pasted).toBeGreaterThan(0);
    expect(pasted).not.toBe(model);
  });

  it('takes the place of a corrector, and says so where there is another', async () => {
    await expect(load(`${BLOCK}\ncorrector: kalman`)).rejects.toThrow(/pipelines\[0\]\.ntp_correction: is a corrector/);
  });

  it('names a misspelt parameter and its place', async () => {
    await expect(load('ntp_correction: { uncertainty_treshold: 1.5 }')).rejects.toThrow(
      /^pasted\.yaml:11 pipelines\[0\]\.ntp_correction.*uncertainty_treshold/,
    );
  });
});

test('docs/methods.md shows the block that is tested here', () => {
  const page = readFileSync(new URL('../../../docs/methods.md', import.meta.url), 'utf8');
  expect(page).toContain(BLOCK.trim().replaceAll(/^ +$/gm, ''));
});

describe('the block at the top of a scenario', () => {
  const top = (pipelines: string): string => `${scenario('').replace(/pipelines:[\s\S]*/, pipelines)}\n${BLOCK}`;

  it('is the corrector of every pipeline that names none', async () => {
    const {
      scenario: read,
      file,
      warnings,
    } = await parseScenario(
      top(
        'pipelines: [{ name: subject }, { name: model, corrector: none }, { name: own, ntp_correction: { enabled: false } }]',
      ),
      'pasted.yaml',
    );
    const [subject, model, own] = read.pipelines.map(({ corrector }) => corrector);
    expect(subject).toMatchObject({ use: 'drift-aware', enabled: true, uncertainty_threshold: 1.5 });
    expect(model).toMatchObject({ use: 'none' });
    expect(own).toMatchObject({ use: 'drift-aware', enabled: false });
    expect(warnings.join('\n')).toMatch(/^pasted\.yaml:\d+ ntp_correction min_confidence_gain: never acts/m);
    // What is kept of a run can be run again.
    expect((await parseScenario(stringify(read), file)).scenario).toEqual(read);
  });

  it('is a pipeline of its own where there is none, and runs', async () => {
    const { scenario: read, file } = await parseScenario(top(''), 'pasted.yaml');
    expect(read.pipelines).toMatchObject([{ name: 'drift-aware', corrector: { use: 'drift-aware' } }]);
    const [, { error }] = (await runScenario({ scenario: read, file })).pipelines as [unknown, PipelineSummary];
    expect(error!.mae).toBeLessThan(5e-3);
  });

  it('says where nobody takes it, and names a misspelt parameter at its own place', async () => {
    await expect(parseScenario(top('pipelines: [{ name: a, corrector: none }]'), 'pasted.yaml')).rejects.toThrow(
      /^pasted\.yaml:\d+ ntp_correction: no pipeline takes it: each names a corrector of its own/,
    );
    const misspelt = top('pipelines: [{ name: a }]').replace('uncertainty_threshold', 'uncertainty_treshold');
    await expect(parseScenario(misspelt, 'pasted.yaml')).rejects.toThrow(/:\d+ ntp_correction.*uncertainty_treshold/);
  });
});

describe('warnings', () => {
  const warningsOf = async (pipeline: string, interval?: string): Promise<string> =>
    (await load(pipeline, interval)).warnings.join('\n');

  it('say what of the document’s own values can never act, and that its rule for the age is broken', async () => {
    const warnings = await warningsOf(BLOCK);
    expect(warnings).toMatch(
      /pipelines\[0\]\.corrector drift_correction_factors: the row of 0\.3 under 60 s never acts/,
    );
    expect(warnings).toMatch(/min_confidence_gain: never acts, uncertainty_threshold 1\.5 already asks for 16\.8 %/);
    expect(warnings).toMatch(/max_ntp_age_seconds: 180 s is not under the polling interval of 60 s/);
    expect(warnings).not.toMatch(/0\.7 under/);
  });

  it('follow the values: nothing to say where everything can act', async () => {
    const sound =
      'corrector: { use: drift-aware, min_time_for_drift_correction: 30, uncertainty_threshold: 3, ' +
      'min_confidence_gain: 0, max_ntp_age_seconds: 50 }';
    expect(await warningsOf(sound)).toBe('');
    expect(await warningsOf(sound, '45 s')).toMatch(
      /max_ntp_age_seconds: 50 s is not under the polling interval of 45 s/,
    );
    const strict = 'corrector: { use: drift-aware, uncertainty_threshold: 3 }';
    // 10 % less uncertainty needs σ_NTP ≤ 0.9/√0.19 σ_model.
    expect(await warningsOf(strict)).toMatch(/uncertainty_threshold: never acts, .* σ_NTP ≤ 2\.06 × σ_model/);
  });

  it('are silent about a correction that is off, and about other correctors', async () => {
    expect(await warningsOf('ntp_correction: { enabled: false }')).toBe('');
    expect(await warningsOf('corrector: kalman')).toBe('');
  });

  it('tell when predictions are too young for the drift ever to be corrected', async () => {
    expect(await warningsOf('predictEvery: 5 s\ncorrector: drift-aware')).toMatch(
      /min_time_for_drift_correction: 60 s/,
    );
    expect(await warningsOf('predictEvery: 5 s\ncorrector: { use: drift-aware, delta_t: since-last-ntp }')).not.toMatch(
      /min_time_for_drift_correction: 60 s, but/,
    );
  });
});

describe('what needs past predictions', () => {
  it.each(['datasetCorrector: linear', 'context: trajectory'])('%s asks for predictEvery', async pipeline => {
    await expect(load(pipeline)).rejects.toThrow(/needs past predictions: add `predictEvery`/);
    await expect(load(`${pipeline}\npredictEvery: 5 s`)).resolves.toBeDefined();
  });
});

describe.skipIf(!hasSeeds())('the document itself, where ../shared has it', () => {
  it('holds just the block that is tested here', () => {
    const values = (text: string): string[] => [...text.matchAll(/^ {2}(\w+: [\w.]+)/gm)].map(match => match[1]!);
    expect(values(seed())).toEqual(values(BLOCK));
  });
});

function seed(): string {
  const text = readFileSync(join('..', 'shared', 'seeds', '003_7a65a41251e0bf73.txt'), 'utf8');
  const from = text.indexOf('ntp_correction:');
  return text.slice(from, text.indexOf('```', from));
}

function hasSeeds(): boolean {
  try {
    return seed() !== '';
  } catch {
    return false;
  }
}
