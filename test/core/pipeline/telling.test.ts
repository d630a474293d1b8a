import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Estimate } from '../../../src/core/contracts/index.js';
import { bareTime, inverseNormal, normalQuantile, timeWith } from '../../../src/core/pipeline/telling.js';
import { anyEstimate, finite } from '../../support/arbitrary.js';
import { at, believed } from '../../support/estimation.js';
import { normalCdf } from '../../support/statistics.js';

describe('quantiles of the normal distribution', () => {
  test.each([
    [0.95, 1.959963984540054],
    [0.6826894921370859, 1],
    [0.9973002039367398, 3],
    [0.5, 0.6744897501960817],
    [0.999999, 4.891638475698996],
  ])('at level %f: %f deviations', (level, quantile) => {
    expect(normalQuantile(level)).toBeCloseTo(quantile, 7);
    // Asked a second time, and after another level.
    normalQuantile(0.9);
    expect(normalQuantile(level)).toBeCloseTo(quantile, 7);
  });

  test('invert the distribution, into both tails', () => {
    fc.assert(
      fc.property(finite(1e-9, 1 - 1e-9), p => {
        expect(Math.abs(normalCdf(inverseNormal(p)) - p)).toBeLessThan(2e-8 * Math.min(p, 1 - p) + 1e-12);
      }),
    );
  });

  test.each([0, 1, -1, 2, Number.NaN])('of a probability of %d there is none', p => {
    expect(() => inverseNormal(p)).toThrow(RangeError);
  });
});

describe('what is told', () => {
  test('without an estimate: the bare wall clock, with bounds that are unknown', () => {
    expect(bareTime({ wall: 12, counter: 11 }, 0.9)).toEqual({
      time: 12,
      offset: 0,
      axis: 'wall',
      uncertainty: undefined,
      level: 0.9,
      maxError: undefined,
      by: 'bare-clock',
    });
  });

  test('with one: its axis and offset, its interval at the level, its maximum error', () => {
    const estimate = { ...believed(100, 0.5, 0, { offset: 3e-3, drift: 4e-5 }), maxError: 0.02, maxErrorRate: 1e-4 };
    const told = timeWith(estimate, { wall: 900, counter: 200 }, 'counter', 0.5, 0.6826894921370859);
    expect(told).toMatchObject({ time: 200.5, offset: 0.5, axis: 'counter', by: 'test' });
    // √(3² + (4e-2 × 100)²) ms = 5 ms
    expect(told.uncertainty).toBeCloseTo(5e-3, 7);
    expect(told.maxError).toBeCloseTo(0.03, 12);
    expect(timeWith(estimate, { wall: 900, counter: 200 }, 'wall', 0.25, 0.95)).toMatchObject({ time: 900.25 });
  });

  test('has intervals as wide as the estimate says at the levels that it knows, and between them what lies between', () => {
    const width = (quantiles: NonNullable<Estimate['quantiles']>, level: number) =>
      timeWith({ ...believed(0, 0), p00: 1, p01: 0, p11: 0, quantiles }, at(0), 'counter', 0, level).uncertainty!;
    const known = { at68: 1.2, at80: 1.4, at95: 3 };
    for (const [level, half] of [
      [0.68, 1.2],
      [0.8, 1.4],
      [0.95, 3],
    ] as const) {
      expect(width(known, level)).toBeCloseTo(half, 6);
    }
    const levels = [0.3, 0.5, 0.68, 0.75, 0.8, 0.9, 0.95, 0.99];
    const halves = levels.map(level => width(known, level));
    expect(halves).toEqual([...halves].sort((a, b) => a - b));
    // Nor does it fall where two sizes are all but one.
    const flat = levels.map(level => width({ at68: 1, at80: 1.28, at95: 1.3 }, level));
    expect(flat).toEqual([...flat].sort((a, b) => a - b));
    // Beyond what is known, as much wider than the normal law as there.
    expect(width(known, 0.5)).toBeCloseTo((1.2 / 0.99446) * 0.67449, 4);
    expect(width(known, 0.99)).toBeCloseTo((3 / 1.95996) * 2.57583, 4);
    // Without a size at 80 %: on the line between the two others.
    expect(width({ at68: 1.2, at95: 3 }, 0.8)).toBeCloseTo(1.28155 * (1.20669 + 0.29735 * (1.53064 - 1.20669)), 4);
  });

  test('has bounds that never shrink as the estimate grows old, whatever its covariance', () => {
    fc.assert(
      fc.property(anyEstimate, fc.array(finite(0, 100_000), { minLength: 2, maxLength: 20 }), (estimate, ages) => {
        let uncertainty = 0;
        let maxError = 0;
        for (const age of [0, ...ages].sort((a, b) => a - b)) {
          const reading = { wall: estimate.at.wall + age, counter: estimate.at.counter + age };
          const told = timeWith(estimate, reading, estimate.axis, 0, 0.95);
          expect(told.uncertainty).toBeGreaterThanOrEqual(uncertainty * (1 - 1e-9));
          expect(told.maxError).toBeGreaterThanOrEqual(maxError);
          uncertainty = told.uncertainty!;
          maxError = told.maxError!;
        }
      }),
      { numRuns: 300 },
    );
  });

  test('is finite even where the covariance has lost its last digits', () => {
    const rounded = { ...believed(0, 0), p00: 1e-6, p01: -1e-9 * (1 + 1e-12), p11: 1e-12 };
    const told = timeWith(rounded, at(1000), 'counter', 0, 0.95);
    expect(told.uncertainty).toBeGreaterThanOrEqual(0);
  });
});
