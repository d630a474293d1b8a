import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalDensity, normalTail, normalTailFrom } from '../../../src/core/estimation/normal.js';

/** Upper tail by Simpson's rule over [x, x + 12]. */
function integrated(x: number): number {
  const n = 20_000;
  const h = 12 / n;
  let sum = 0;
  for (let i = 0; i <= n; i++) sum += (i === 0 || i === n ? 1 : i % 2 === 1 ? 4 : 2) * normalDensity(x + i * h);
  return (sum * h) / 3;
}

describe('the normal law', () => {
  // Abramowitz and Stegun, table 26.1 and 26.2 (−log₁₀ Q).
  it.each([
    [0, 0.5],
    [1, 0.15865525393],
    [1.96, 0.02499789515],
    [3, 1.349898032e-3],
    [5, 2.866515719e-7],
    [10, 7.61985302e-24],
  ])('has above %d the tail of the tables', (x, tail) => {
    expect(normalTail(x) / tail).toBeCloseTo(1, 6);
    expect(normalTail(-x)).toBeCloseTo(1 - tail, 6);
  });

  it('has a tail that is the integral of its density', () => {
    for (const x of [-2, -0.3, 0.1, 0.7, 2.2, 4.4]) expect(normalTail(x) / integrated(x)).toBeCloseTo(1, 6);
  });

  it('falls, stays within 0 and 1, and is the same from a kernel at hand', () => {
    fc.assert(
      fc.property(fc.double({ min: -35, max: 35, noNaN: true }), x => {
        const tail = normalTail(x);
        expect(tail).toBeGreaterThanOrEqual(0);
        expect(tail).toBeLessThanOrEqual(1);
        expect(normalTail(x + 0.1)).toBeLessThanOrEqual(tail);
        expect(normalTailFrom(x, Math.exp(-0.5 * x * x))).toBe(tail);
      }),
    );
  });
});
