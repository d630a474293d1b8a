import fc from 'fast-check';
import { expect, it } from 'vitest';
import { correctness, PHI } from '../../../src/core/estimation/error-bound.js';

const base = { source: 'a', at: 0, stratum: 1, rootDelay: 0, rootDispersion: 0, precision: 1e-7 };

it('is half the round trip to the reference, and its dispersion (RFC 5905, section 11.2.1)', () => {
  const given = { ...base, offset: 0.01, delay: 0.02, rootDelay: 0.004, rootDispersion: 0.001, precision: 0 };
  const { low, high } = correctness(given, 0);
  expect(high - 0.01).toBeCloseTo(0.013, 12);
  expect(0.01 - low).toBeCloseTo(0.013, 12);
  expect(PHI).toBe(15e-6);
});

it('holds the truth whatever part of the delay lies which way', () => {
  const way = fc.double({ min: 0, max: 2, noNaN: true });
  fc.assert(
    fc.property(way, way, fc.double({ min: -5, max: 5, noNaN: true }), (there, back, truth) => {
      // T1 = t − θ, T2 = t + there, T3 = T2, T4 = t + there + back − θ, where θ is what the local clock lacks.
      const offset = truth + (there - back) / 2;
      const { low, high } = correctness({ ...base, offset, delay: there + back }, 0);
      expect(low).toBeLessThanOrEqual(truth);
      expect(high).toBeGreaterThanOrEqual(truth);
    }),
  );
});

it('takes a negative delay, which coarse stamps can show, for none', () => {
  const { low, high } = correctness({ ...base, offset: 0, delay: -1e-3, precision: 1e-3 }, 0);
  expect(low).toBeCloseTo(-2e-3, 12);
  expect(high).toBeCloseTo(2e-3, 12);
});
