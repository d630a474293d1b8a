import { describe, expect, it } from 'vitest';
import { compareSeries, type ErrorSeries } from '../../../src/core/experiment/comparison.js';

const series = (pipeline: string, error: readonly number[], run = 'run'): ErrorSeries => ({
  pipeline,
  run,
  error,
  bareError: [4, -4, 4, -4],
});

describe('a comparison', () => {
  // |errors| of a: 1, 2, 3, 4; of b: 2, 2, 2, 2.
  const a = series('a', [1, -2, 3, -4]);
  const b = series('b', [2, 2, 2, 2]);

  it('gives the figures worked out by hand', () => {
    const [one] = compareSeries([a, b], 'b', 0.95);
    expect(one).toMatchObject({ name: 'a', samples: 4, mae: 2.5, bias: -0.5, p95: 4, max: 4 });
    expect(one!.rms).toBeCloseTo(Math.sqrt(30 / 4), 12);
    expect(one!.std).toBeCloseTo(Math.sqrt(30 / 4 - 0.25), 12);
  });

  it('counts ties half, against the bare clock and against the baseline', () => {
    const [one] = compareSeries([a, b], 'b', 0.95);
    // 1 < 4, 2 < 4, 3 < 4, 4 = 4.
    expect(one!.bare).toMatchObject({ against: 'bare-clock', winRate: 3.5 / 4, difference: -1.5, improvement: 37.5 });
    // 1 < 2, 2 = 2, 3 > 2, 4 > 2.
    expect(one!.baseline).toMatchObject({ against: 'b', winRate: 1.5 / 4, difference: 0.5, improvement: -25 });
    expect(one!.baseline!.interval).toBeUndefined();
  });

  it('has no baseline for the baseline itself, and no bare clock for the bare clock', () => {
    const compared = compareSeries([a, b, series('bare-clock', [4, -4, 4, -4])], 'b', 0.95);
    expect(compared.find(({ name }) => name === 'b')!.baseline).toBeNull();
    expect(compared.find(({ name }) => name === 'bare-clock')!.bare).toBeNull();
  });

  it('pairs nothing of different runs: a share of nearer samples would mean nothing', () => {
    const [one] = compareSeries([a, series('b', [2, 2, 2, 2], 'other machine')], 'b', 0.95);
    expect(one!.baseline).toMatchObject({ winRate: null, difference: 0.5 });
  });

  it('puts the runs of several seeds together', () => {
    const [one] = compareSeries([a, series('a', [10, 10, 10, 10], 'seed 2')], undefined, 0.95);
    expect(one).toMatchObject({ samples: 8, mae: (10 + 40) / 8, max: 10 });
  });

  it('adds up when corrections helped and hurt, by their means', () => {
    const corrections = { helped: 3, hurt: 1, helpedBy: 2, hurtBy: 5, declined: 1 };
    const [one] = compareSeries(
      [
        { ...a, corrections },
        { ...a, run: 'seed 2', corrections: { ...corrections, helped: 1, helpedBy: 6, hurt: 0, hurtBy: null } },
      ],
      undefined,
      0.95,
    );
    expect(one!.corrections).toEqual({ helped: 4, hurt: 1, helpedBy: 3, hurtBy: 5, declined: 2 });
  });
});
