import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CorrectedTime } from '../../../src/core/contracts/index.js';
import { ErrorAccumulator, LogHistogram } from '../../../src/core/metrics/error-statistics.js';
import { bareTime } from '../../../src/core/pipeline/telling.js';
import { finite, size } from '../../support/arbitrary.js';

const SHARES = [0.01, 0.25, 0.5, 0.95, 0.99, 1];

/** The value of which a share `p` is not exceeded: nearest rank. */
const nearestRank = (values: readonly number[], p: number): number =>
  [...values].sort((a, b) => a - b)[Math.max(1, Math.ceil(p * values.length)) - 1]!;

const told = (uncertainty: number | undefined, maxError: number | undefined): CorrectedTime => ({
  ...bareTime({ wall: 0, counter: 0 }, 0.95),
  uncertainty,
  maxError,
});

const known = told(1, 1);

describe('the histogram of sizes', () => {
  test('gives every percentile within half a per cent of the sorted values', () => {
    fc.assert(
      fc.property(fc.array(size(1e-20, 1e11), { minLength: 1, maxLength: 300 }), values => {
        const histogram = new LogHistogram();
        for (const value of values) histogram.add(value);
        for (const p of SHARES) {
          const exact = nearestRank(values, p);
          expect(Math.abs(histogram.percentile(p) / exact - 1)).toBeLessThanOrEqual(0.005);
        }
      }),
    );
  });

  test('at the edges of its bins, too', () => {
    for (let octave = -60; octave <= 30; octave++) {
      for (const value of [2 ** octave, 2 ** octave * (1 + 1 / 128), 2 ** octave * (2 - 2 ** -52)]) {
        const histogram = new LogHistogram();
        histogram.add(value);
        expect(Math.abs(histogram.percentile(0.5) / value - 1)).toBeLessThanOrEqual(0.005);
      }
    }
  });

  test('counts what is smaller than all its bins as nothing, and what is larger as its largest', () => {
    const histogram = new LogHistogram();
    histogram.add(0);
    histogram.add(1e-30);
    expect(histogram.percentile(1)).toBe(0);
    histogram.add(1e300);
    expect(histogram.percentile(1)).toBeGreaterThan(1e12);
  });

  test('of nothing has no percentile but 0', () => {
    expect(new LogHistogram().percentile(0.5)).toBe(0);
  });
});

describe('error statistics', () => {
  test('by hand', () => {
    const accumulator = new ErrorAccumulator();
    // Errors in ms: 1, −2, 3, −4; of the bare clock: 2, 2, 3, 3. Two known intervals, one of which holds.
    const rows: readonly (readonly [number, number, CorrectedTime])[] = [
      [1e-3, 2e-3, told(2e-3, 5e-3)],
      [-2e-3, 2e-3, told(1e-3, 3e-3)],
      [3e-3, 3e-3, told(undefined, 2e-3)],
      [-4e-3, 3e-3, told(undefined, undefined)],
    ];
    for (const row of rows) accumulator.add(...row);
    const { error, winRate, bounds, samples, reference } = accumulator.summary('me', 0.9, 'truth');
    expect(samples).toBe(4);
    expect(reference).toBe('truth');
    expect(error!.mae).toBeCloseTo(2.5e-3, 12);
    expect(error!.rms).toBeCloseTo(Math.sqrt(30 / 4) * 1e-3, 12);
    expect(error!.bias).toBeCloseTo(-0.5e-3, 12);
    // About the mean: √(30/4 − 0.25)
    expect(error!.std).toBeCloseTo(Math.sqrt(7.25) * 1e-3, 12);
    expect(error!.max).toBeCloseTo(4e-3, 12);
    expect(Math.abs(error!.p50 / 2e-3 - 1)).toBeLessThan(0.005);
    // One win, two ties that count half each.
    expect(winRate).toBe((1 + 0.5 + 0.5) / 4);
    expect(bounds.level).toBe(0.9);
    expect(bounds.coverage).toBe(0.5);
    expect(bounds.meanWidth).toBeCloseTo(3e-3, 12);
    expect(bounds.maxErrorCoverage).toBeCloseTo(2 / 3, 12);
    expect(bounds.maxErrorMeanWidth).toBeCloseTo((2 * 10e-3) / 3, 12);
  });

  test('equal a direct computation, for any errors', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(finite(-1, 1), finite(-1, 1)), { minLength: 1, maxLength: 200 }), rows => {
        const accumulator = new ErrorAccumulator();
        for (const [error, bare] of rows) accumulator.add(error, bare, known);
        const { error, winRate } = accumulator.summary('me', 0.95, 'ntp');
        const errors = rows.map(([value]) => value);
        const average = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
        const bias = average(errors);
        expect(error!.mae).toBeCloseTo(average(errors.map(Math.abs)), 10);
        expect(error!.rms).toBeCloseTo(Math.sqrt(average(errors.map(value => value ** 2))), 10);
        expect(error!.bias).toBeCloseTo(bias, 10);
        expect(error!.std).toBeCloseTo(Math.sqrt(average(errors.map(value => (value - bias) ** 2))), 8);
        const sizes = errors.map(Math.abs);
        expect(error!.max).toBe(Math.max(...sizes));
        for (const [name, p] of [
          ['p50', 0.5],
          ['p95', 0.95],
          ['p99', 0.99],
        ] as const) {
          const exact = nearestRank(sizes, p);
          expect(Math.abs(error![name] - exact)).toBeLessThanOrEqual(0.005 * exact + 1e-20);
          expect(error![name]).toBeLessThanOrEqual(error!.max);
        }
        const wins = rows.map(([mine, bare]) =>
          Math.abs(mine) < Math.abs(bare) ? 1 : Math.abs(mine) === Math.abs(bare) ? 0.5 : 0,
        );
        expect(winRate).toBeCloseTo(average(wins), 12);
      }),
    );
  });

  test('of an error of −0 is nothing', () => {
    const accumulator = new ErrorAccumulator();
    for (const error of [-0, -0, 1]) accumulator.add(error, 0, known);
    expect(accumulator.summary('me', 0.95, 'truth').error).toMatchObject({ p50: 0, max: 1 });
  });

  test('keep a small spread about a large bias', () => {
    const accumulator = new ErrorAccumulator();
    for (let i = 0; i < 100_000; i++) accumulator.add(1000 + (i % 2 === 0 ? 1e-6 : -1e-6), 0, known);
    const { error } = accumulator.summary('me', 0.95, 'truth');
    expect(error!.bias).toBeCloseTo(1000, 9);
    expect(Math.abs(error!.std / 1e-6 - 1)).toBeLessThan(1e-3);
  });

  test('of nothing are null, never NaN', () => {
    const summary = new ErrorAccumulator().summary('me', 0.95, 'truth');
    expect(summary).toEqual({
      name: 'me',
      samples: 0,
      error: null,
      winRate: null,
      bounds: { level: 0.95, coverage: null, meanWidth: null, maxErrorCoverage: null, maxErrorMeanWidth: null },
      reference: 'truth',
    });
    expect(JSON.stringify(summary)).not.toMatch(/NaN|Infinity/);
  });

  test('of a clock whose bounds are never known have no coverage', () => {
    const accumulator = new ErrorAccumulator();
    accumulator.add(1, 1, told(undefined, undefined));
    const { bounds, winRate } = accumulator.summary('bare-clock', 0.95, 'truth');
    expect(bounds).toMatchObject({ coverage: null, meanWidth: null, maxErrorCoverage: null, maxErrorMeanWidth: null });
    expect(winRate).toBe(0.5);
  });
});
