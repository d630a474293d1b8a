import { describe, expect, it } from 'vitest';
import { chiSquaredQuantile } from '../../../src/core/metrics/chi-squared.js';

describe('chiSquaredQuantile', () => {
  // From scipy.stats.chi2.ppf, scipy 1.17.1.
  it.each([
    [1e-6, 0.5, 1.3499395786223394e-24],
    [0.158655, 0.7, 0.007495860556295326],
    [0.841345, 1, 1.9869991364434345],
    [0.025, 3.3, 0.28675968143695185],
    [0.158655, 12.8, 7.874945597714995],
    [0.975, 12.8, 24.457124885526188],
    [0.158655, 146.07, 129.01710151185446],
    [0.841345, 146.07, 163.1233081299502],
    [0.999999, 1000, 1227.152421187278],
    [0.158655, 1e6, 998585.785426341],
  ])('P = %f, %f degrees: %f', (probability, degrees, value) => {
    expect(Math.abs(chiSquaredQuantile(probability, degrees) / value - 1)).toBeLessThan(1e-9);
  });

  it('is −2 ln(1 − P) for two degrees', () => {
    for (let p = 0.001; p < 1; p += 0.0371) {
      expect(chiSquaredQuantile(p, 2)).toBeCloseTo(-2 * Math.log(1 - p), 9);
    }
  });

  it('says what it cannot take', () => {
    expect(() => chiSquaredQuantile(0, 3)).toThrow('chiSquaredQuantile.probability: expected a number within (0, 1)');
    expect(() => chiSquaredQuantile(0.5, Number.NaN)).toThrow('chiSquaredQuantile.degrees: expected a positive finite');
  });
});
