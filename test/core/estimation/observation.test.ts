import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ClockEstimate, offsetAfter, varianceAfter } from '../../../src/core/estimation/observation.js';

const estimate: ClockEstimate = {
  at: 0,
  offset: 1e-3,
  drift: 5e-6,
  meanDrift: 2e-6,
  relaxation: 1000,
  p00: 1e-8,
  p01: -1e-13,
  p11: 1e-16,
  whiteFm: 1e-18,
  randomWalkFm: 1e-20,
  scale68: 1,
  scale95: 2,
  maxError: 0.01,
  maxErrorRate: 1e-5,
};

describe('an estimate carried ahead', () => {
  it('starts with its drift and ends with the mean drift', () => {
    const slope = (t: number) => (offsetAfter(estimate, t + 0.5) - offsetAfter(estimate, t - 0.5)) / 1;
    expect(offsetAfter(estimate, 0)).toBe(1e-3);
    expect(slope(0)).toBeCloseTo(5e-6, 9);
    expect(slope(1000)).toBeCloseTo(2e-6 + 3e-6 / Math.E, 9);
    expect(slope(20_000)).toBeCloseTo(2e-6, 10);
  });

  it('is the integral of the relaxing drift', () => {
    let sum = 1e-3;
    for (let t = 0.5; t < 2500; t++) sum += 2e-6 + 3e-6 * Math.exp(-t / 1000);
    expect(offsetAfter(estimate, 2500)).toBeCloseTo(sum, 9);
  });

  it('without a time constant is a line', () => {
    expect(offsetAfter({ ...estimate, relaxation: 0 }, 700)).toBeCloseTo(1e-3 + 3.5e-3, 12);
  });

  it('has a variance that never falls below what noise adds', () => {
    expect(varianceAfter(estimate, 0)).toBe(1e-8);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), t => {
        const noise = 1e-18 * t + (1e-20 * t ** 3) / 3;
        expect(varianceAfter(estimate, t)).toBeGreaterThanOrEqual(noise);
      }),
    );
  });
});
