import fc from 'fast-check';
import type { Estimate } from '../../src/core/contracts/index.js';
import { at } from './estimation.js';

export const finite = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true });

/** Any size from `least` to `most`, all orders of magnitude alike. */
export const size = (least: number, most: number): fc.Arbitrary<number> =>
  finite(Math.log10(least), Math.log10(most)).map(exponent => 10 ** exponent);

/** Any belief with a covariance that is positive semi-definite, at any reading up to a day. */
export const anyEstimate: fc.Arbitrary<Estimate> = fc
  .record({
    at: finite(0, 86_400),
    step: finite(-1, 1),
    axis: fc.constantFrom('counter' as const, 'wall' as const),
    offset: finite(-10, 10),
    drift: finite(-1e-3, 1e-3),
    deviation: size(1e-9, 1),
    driftDeviation: size(1e-12, 1e-3),
    correlation: finite(-1, 1),
    whiteFm: fc.oneof(fc.constant(0), size(1e-24, 1e-12)),
    randomWalkFm: fc.oneof(fc.constant(0), size(1e-28, 1e-14)),
    maxError: finite(0, 1),
    maxErrorRate: finite(0, 1e-3),
  })
  .map(({ at: counter, step, deviation, driftDeviation, correlation, ...rest }) => ({
    ...rest,
    at: { ...at(counter), wall: counter + step },
    p00: deviation ** 2,
    p01: correlation * deviation * driftDeviation,
    p11: driftDeviation ** 2,
    by: 'any',
  }));
