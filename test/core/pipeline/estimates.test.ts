import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Estimate, timeOn, varianceAfter } from '../../../src/core/contracts/index.js';
import { anchorAt, carry, firstEstimate, maxErrorRate, propagate } from '../../../src/core/pipeline/estimates.js';
import { anyEstimate, finite } from '../../support/arbitrary.js';
import { at, believed, measured } from '../../support/estimation.js';
import { definiteness, type Matrix, product, sum, transposed } from '../../support/matrix.js';

const later = (estimate: Estimate, tau: number) => ({
  wall: estimate.at.wall + tau,
  counter: estimate.at.counter + tau,
});

const near = (found: number, expected: number, scale = Math.abs(expected)): void =>
  expect(Math.abs(found - expected)).toBeLessThanOrEqual(1e-9 * scale + Number.MIN_VALUE);

describe('propagation', () => {
  test('is F·x and F·P·Fᵀ + Q of a clock with white and random-walk FM', () => {
    fc.assert(
      fc.property(anyEstimate, finite(0, 10_000), (estimate, wanted) => {
        const reading = later(estimate, wanted);
        const tau = timeOn(estimate.axis, reading) - timeOn(estimate.axis, estimate.at);
        const { offset, drift, p00, p01, p11, whiteFm: q1, randomWalkFm: q2 } = estimate;
        const f: Matrix = [
          [1, tau],
          [0, 1],
        ];
        const p: Matrix = [
          [p00, p01],
          [p01, p11],
        ];
        const q: Matrix = [
          [q1 * tau + (q2 * tau ** 3) / 3, (q2 * tau ** 2) / 2],
          [(q2 * tau ** 2) / 2, q2 * tau],
        ];
        const expected = sum(product(product(f, p), transposed(f)), q);
        const found = propagate(estimate, reading, 'later');
        near(found.offset, offset + drift * tau, Math.abs(offset) + Math.abs(drift * tau));
        expect(found.drift).toBe(drift);
        const scale = p00 + tau ** 2 * p11 + q[0]![0]!;
        near(found.p00, expected[0]![0]!, scale);
        near(found.p01, expected[0]![1]!, Math.sqrt(scale * (p11 + q2 * tau)));
        near(found.p11, expected[1]![1]!);
        near(found.maxError, estimate.maxError + estimate.maxErrorRate * tau, 1);
        expect(found.at).toBe(reading);
        expect(found.by).toBe('later');
      }),
    );
  });

  test('in two steps is the same as in one', () => {
    fc.assert(
      fc.property(anyEstimate, finite(0, 1000), finite(0, 1000), (estimate, first, second) => {
        const once = propagate(estimate, later(estimate, first + second), 'x');
        const twice = propagate(propagate(estimate, later(estimate, first), 'x'), later(estimate, first + second), 'x');
        const deviation = Math.sqrt(estimate.p00) + 2000 * Math.sqrt(estimate.p11 + 2000 * estimate.randomWalkFm);
        const variance = deviation ** 2 + estimate.whiteFm * 2000;
        near(twice.offset, once.offset, 12);
        near(twice.p00, once.p00, 100 * variance);
        near(twice.p01, once.p01, 100 * Math.sqrt(variance * once.p11));
        near(twice.p11, once.p11, 100 * once.p11);
        near(twice.maxError, once.maxError, 10);
      }),
    );
  });

  test('keeps the covariance positive semi-definite, forwards and backwards', () => {
    fc.assert(
      fc.property(anyEstimate, finite(-10_000, 10_000), (estimate, tau) => {
        const { p00, p01, p11 } = propagate(estimate, later(estimate, tau), 'x');
        expect(definiteness(p00, p01, p11)).toBeGreaterThan(-1e-9);
      }),
    );
  });

  test('agrees with the variance that timekeepers use', () => {
    fc.assert(
      fc.property(anyEstimate, finite(0, 5000), (estimate, wanted) => {
        const reading = later(estimate, wanted);
        const tau = timeOn(estimate.axis, reading) - timeOn(estimate.axis, estimate.at);
        const { p00 } = propagate(estimate, reading, 'x');
        near(p00, varianceAfter(estimate, tau), estimate.p00 + tau ** 2 * estimate.p11 + p00);
      }),
    );
  });

  test('counts time on the axis of the estimate: a step of the wall clock is no age on the counter', () => {
    const estimate = { ...believed(100, 0.5, 1e-5), maxErrorRate: 1e-3 };
    const stepped = { counter: 110, wall: 3710 };
    expect(propagate(estimate, stepped, 'x').offset).toBeCloseTo(0.5 + 1e-4, 12);
    expect(propagate(estimate, stepped, 'x').maxError).toBeCloseTo(0.05 + 0.01, 12);
    expect(propagate({ ...estimate, axis: 'wall' }, stepped, 'x').offset).toBeCloseTo(0.5 + 3610e-5, 12);
  });

  test('leaves what it was given as it was', () => {
    const estimate = Object.freeze(believed(0, 1, 1e-6));
    propagate(estimate, at(10), 'x');
    carry(estimate, at(10));
    anchorAt(estimate, { at: at(0), time: 1 });
    expect(estimate).toEqual(believed(0, 1, 1e-6));
  });
});

describe('carrying forward', () => {
  test('keeps the names, and uses up what it is good for', () => {
    const estimate: Estimate = { ...believed(0, 1, 1e-6), driftBy: 'regression', goodFor: 100 };
    expect(carry(estimate, at(30))).toMatchObject({ by: 'test', driftBy: 'regression', goodFor: 70 });
    expect(carry(estimate, estimate.at)).toBe(estimate);
  });
});

describe('a first estimate', () => {
  test('is the measurement, with a drift of nothing that is not known', () => {
    const first = firstEstimate(measured(7, 0.25, 2e-3), 'wall', 1e-4, { whiteFm: 1, randomWalkFm: 2 }, 'me');
    expect(first).toMatchObject({ at: at(7), axis: 'wall', offset: 0.25, drift: 0, p01: 0, whiteFm: 1, by: 'me' });
    expect(first.p00).toBeCloseTo(4e-6, 15);
    expect(first.p11).toBeCloseTo(1e-8, 15);
    expect(first.maxError).toBe(0.01);
    // 15 ppm, and five deviations of the drift.
    expect(first.maxErrorRate).toBeCloseTo(15e-6 + 5e-4, 12);
    expect(maxErrorRate(0)).toBe(15e-6);
  });
});
