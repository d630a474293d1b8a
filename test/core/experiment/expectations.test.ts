import { describe, expect, test } from 'vitest';
import type { PipelineSummary } from '../../../src/core/contracts/index.js';
import { judge, metricOf, showMetric } from '../../../src/core/experiment/expectations.js';
import { METRICS, type Metric } from '../../../src/core/experiment/scenario.js';

const summary: PipelineSummary = {
  name: 'kalman',
  samples: 100,
  error: { mae: 1e-3, rms: 2e-3, std: 1.5e-3, bias: -4e-4, p50: 8e-4, p95: 3e-3, p99: 4e-3, max: 5e-3 },
  winRate: 0.75,
  bounds: { level: 0.95, coverage: 0.9, meanWidth: 1e-2, maxErrorCoverage: 1, maxErrorMeanWidth: 2e-2 },
  convergence: [{ within: 1e-3, by: 210 }],
  frequency: { rms: 1e-6, max: 4e-6 },
  reference: 'truth',
  behaviour: {
    within: 1e-3,
    worst: { at: 100, error: 1e-3 },
    course: { from: 0, step: 4, largest: [1e-3] },
    convergedBy: 200,
    largestBackwardStep: 1e-3,
    drift: { rms: 1e-8, max: 1e-7 },
    age: { mean: 32, max: 70 },
    byAge: [],
    holdover: { episodes: 1, longest: 3600, growth: 1e-8, max: 1e-3 },
    recovery: { faults: 1, unrecovered: 0, worst: 60, each: [] },
    calibration: { levels: [], pit: [], distance: 0.1 },
  },
};
const unscored: PipelineSummary = { ...summary, name: 'silent', error: null, winRate: null };

const model: PipelineSummary = { ...summary, name: 'model', error: { ...summary.error!, mae: 1.25e-3, bias: -1e-3 } };

const one = (metric: Metric, limits: { atMost?: number; atLeast?: number; of?: string }, pipeline = 'kalman') =>
  judge(
    [{ pipeline, metric, within: undefined, of: limits.of, atMost: limits.atMost, atLeast: limits.atLeast }],
    [summary, unscored, model],
  )[0]!;

describe('expectations', () => {
  test('know every metric', () => {
    for (const metric of Object.keys(METRICS) as Metric[])
      expect(typeof metricOf(summary, metric, 1e-3)).toBe('number');
    expect(metricOf(summary, 'error.p99')).toBe(4e-3);
    expect(metricOf(summary, 'winRate')).toBe(0.75);
    expect(metricOf(summary, 'bounds.maxErrorMeanWidth')).toBe(2e-2);
    expect(metricOf(summary, 'recovery.worst')).toBe(60);
    expect(metricOf(summary, 'drift.max')).toBe(1e-7);
  });

  test('hold at their limit and break beyond it', () => {
    expect(one('error.rms', { atMost: 2e-3 })).toEqual({
      pipeline: 'kalman',
      metric: 'error.rms',
      limit: '≤ 2.00 ms',
      found: 2e-3,
      holds: true,
    });
    expect(one('error.rms', { atMost: 1.9e-3 }).holds).toBe(false);
    expect(one('winRate', { atLeast: 0.75 })).toMatchObject({ limit: '≥ 0.75', holds: true });
    expect(one('winRate', { atLeast: 0.76 }).holds).toBe(false);
    expect(one('bounds.coverage', { atLeast: 0.8, atMost: 0.85 })).toMatchObject({
      limit: '≤ 0.85 and ≥ 0.8',
      holds: false,
    });
  });

  test('may be multiples of what another pipeline has', () => {
    expect(one('error.mae', { atMost: 0.85, of: 'model' })).toMatchObject({
      limit: '≤ 0.85 × model (1.06 ms)',
      found: 1e-3,
      holds: true,
    });
    expect(one('error.mae', { atMost: 0.79, of: 'model' }).holds).toBe(false);
    expect(one('error.mae', { atLeast: 0.81, of: 'model' }).holds).toBe(false);
    expect(one('error.bias', { atMost: 0.41, of: 'model' }).holds).toBe(true);
    expect(one('error.bias', { atMost: 0.39, of: 'model' }).holds).toBe(false);
    // Nothing is a multiple of what could not be measured.
    expect(one('error.mae', { atMost: 1, of: 'silent' })).toMatchObject({ limit: '≤ 1 × silent', holds: false });
  });

  test('judge a bias by its size', () => {
    expect(one('error.bias', { atMost: 5e-4 })).toMatchObject({ found: -4e-4, holds: true });
    expect(one('error.bias', { atMost: 3e-4 }).holds).toBe(false);
  });

  test('are broken by what could not be measured', () => {
    expect(one('error.rms', { atMost: 1 }, 'silent')).toMatchObject({ found: null, holds: false });
    expect(one('winRate', { atLeast: 0 }, 'silent')).toMatchObject({ found: null, holds: false });
    expect(one('error.rms', { atMost: 1 }, 'nobody')).toMatchObject({ found: null, holds: false });
  });
});

test.each([
  ['error.rms', 2.61e-4, '261 µs'],
  ['age.max', 1855.02, '1855 s'],
  ['convergedBy (within 1.00 ms)', 63, '63.0 s'],
  ['drift.rms', 2.6102345e-7, '2.61023e-7'],
  ['holdover.growth', 1.0000000000000001e-7, '1e-7'],
  ['calibration.distance', 0.4932, '0.4932'],
  ['winRate', 1, '1'],
  ['error.rms', null, 'nothing'],
] as const)('%s of %j is shown in its own unit', (metric, value, shown) => {
  expect(showMetric(metric, value)).toBe(shown);
});
