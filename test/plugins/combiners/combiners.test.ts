import '../../../src/plugins/combiners/best.js';
import '../../../src/plugins/combiners/inverse-variance.js';
import '../../../src/plugins/combiners/median.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Measurement } from '../../../src/core/contracts/index.js';
import { finite, size } from '../../support/arbitrary.js';
import { make, measured } from '../../support/estimation.js';

/** A round with these offsets in milliseconds, from servers a, b, c, … */
const round = (offsets: readonly number[], uncertainty = 1e-4): readonly Measurement[] =>
  offsets.map((offset, i) => measured(0, offset / 1000, uncertainty, String.fromCharCode(97 + i)));

const verdicts = (given: readonly { readonly source: string; readonly used: boolean; readonly reason: string }[]) =>
  given.map(({ source, used, reason }) => `${source} ${used ? 'used' : 'not'}: ${reason}`);

describe('the median of a round', () => {
  const median = (options: object = {}) => make('combiner', { use: 'median', ...options }).plugin;

  test('by hand: five servers, one of them false', () => {
    // Median 10.2; deviations 0.2, 0.1, 0, 0.23, 39.8: MAD 0.2; limit 3 × 0.2 = 0.6.
    const { measurements, verdicts: given, mad } = median().combine(round([10, 10.1, 10.2, 10.43, 50]), []);
    expect(mad).toBeCloseTo(0.2e-3, 12);
    expect(measurements.length).toBe(1);
    // Median of 10, 10.1, 10.2, 10.43.
    expect(measurements[0]!.offset).toBeCloseTo(10.15e-3, 12);
    expect(measurements[0]!.source).toBe('a+b+c+d');
    expect(verdicts(given)).toEqual([
      'a used: combined 4/5, MAD=200 µs',
      'b used: combined 4/5, MAD=200 µs',
      'c used: combined 4/5, MAD=200 µs',
      'd used: combined 4/5, MAD=200 µs',
      'e not: 39.8 ms from the median, limit 600 µs',
    ]);
  });

  test('has the variance of a median, (π/2)·σ²/n, or of the spread, (1.4826·MAD)²/n, whichever is larger', () => {
    const [close] = median().combine(round([10, 10, 10, 10], 2e-4), []).measurements;
    expect(close!.uncertainty).toBeCloseTo(Math.sqrt(((Math.PI / 2) * 4e-8) / 4), 12);
    // Median 2.5, deviations 1.5, 0.5, 0.5, 1.5: MAD 1.
    const [wide] = median().combine(round([1, 2, 3, 4], 1e-5), []).measurements;
    expect(wide!.uncertainty).toBeCloseTo(Math.sqrt((1.4826e-3 ** 2 * 1) / 4), 9);
  });

  test('rejects nobody where all agree to better than the floor', () => {
    const { measurements } = median().combine(round([10, 10, 10, 10.25]), []);
    expect(measurements[0]!.source).toBe('a+b+c+d');
    const { verdicts: strict } = median({ floor: '50 us' }).combine(round([10, 10, 10, 10.25]), []);
    expect(strict.map(({ used }) => used)).toEqual([true, true, true, false]);
  });

  test('takes nothing without its quorum, and says so', () => {
    const { measurements, verdicts: given } = median({ quorum: 3 }).combine(round([10, 10.1]), []);
    expect(measurements).toEqual([]);
    expect(verdicts(given)).toEqual(['a not: no quorum: 2/2, expected 3', 'b not: no quorum: 2/2, expected 3']);
    expect(median({ quorum: 2 }).combine(round([10, 10.1]), []).measurements.length).toBe(1);
  });

  test('lets the latest of other servers vote, but never hands them on', () => {
    const [liar, ...others] = round([60, 10, 10.1, 10.2]);
    const { measurements, verdicts: given } = median().combine([liar!], others);
    expect(measurements).toEqual([]);
    expect(given.map(({ source, used }) => [source, used])).toEqual([['a', false]]);
    const [honest] = round([10]);
    expect(median().combine([honest!], others).measurements).toEqual([honest]);
  });

  test('a round of one is taken as it is', () => {
    const [only] = round([7]);
    expect(median().combine([only!], []).measurements).toEqual([only]);
  });

  test('does not follow fewer than half of the servers, wherever they lie', () => {
    fc.assert(
      fc.property(finite(-1e6, 1e6), fc.array(finite(-0.1, 0.1), { minLength: 3, maxLength: 9 }), (lie, honest) => {
        const liars = Math.floor((honest.length - 1) / 2);
        const offsets = [...honest, ...new Array<number>(liars).fill(lie)];
        const { measurements } = median().combine(round(offsets), []);
        const told = measurements[0]!.offset * 1000;
        if (Math.abs(lie) > 10) expect(Math.abs(told)).toBeLessThanOrEqual(0.1);
      }),
    );
  });
});

describe('the mean by inverse variance', () => {
  const mean = make('combiner', 'inverse-variance').plugin;

  test('by hand: two servers, one twice as good', () => {
    const [good, bad] = [measured(0, 1e-3, 1e-3, 'good'), measured(0, 6e-3, 2e-3, 'bad')];
    const { measurements, verdicts: given } = mean.combine([good, bad], []);
    // Weights 4 : 1.
    expect(measurements[0]!.offset).toBeCloseTo((4 * 1e-3 + 6e-3) / 5, 12);
    expect(measurements[0]!.uncertainty).toBeCloseTo(1 / Math.sqrt(1e6 + 0.25e6), 12);
    expect(verdicts(given)).toEqual(['good used: weight 80 %', 'bad used: weight 20 %']);
  });

  test('is never less certain than the best of a round, lies among its offsets, and does not depend on its order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(finite(-1, 1), size(1e-9, 1)), { minLength: 1, maxLength: 8 }), parts => {
        const measurements = parts.map(([offset, uncertainty]) => measured(0, offset, uncertainty));
        const [one] = mean.combine(measurements, []).measurements;
        const [other] = mean.combine([...measurements].reverse(), []).measurements;
        const offsets = parts.map(([offset]) => offset);
        expect(one!.uncertainty).toBeLessThanOrEqual(Math.min(...parts.map(part => part[1])) * (1 + 1e-12));
        expect(one!.offset).toBeGreaterThanOrEqual(Math.min(...offsets) - 1e-12);
        expect(one!.offset).toBeLessThanOrEqual(Math.max(...offsets) + 1e-12);
        expect(other!.offset).toBeCloseTo(one!.offset, 9);
      }),
    );
  });

  test('a round of one is taken as it is', () => {
    const [only] = round([7]);
    expect(mean.combine([only!], []).measurements).toEqual([only]);
  });
});

describe('the best of a round', () => {
  test('is the one with the least root distance, and the others hear why not', () => {
    const parts = [0.03, 0.01, 0.02].map((rootDistance, i) => ({ ...round([i, i, i])[i]!, rootDistance }));
    const { measurements, verdicts: given } = make('combiner', 'best').plugin.combine(parts, []);
    expect(measurements).toEqual([parts[1]]);
    expect(verdicts(given)).toEqual([
      'a not: root distance 30.0 ms is not the least',
      'b used: least root distance, 10.0 ms',
      'c not: root distance 20.0 ms is not the least',
    ]);
  });

  test('is the first of several that are equally good', () => {
    const parts = round([1, 2]);
    expect(make('combiner', 'best').plugin.combine(parts, []).measurements).toEqual([parts[0]]);
  });
});
