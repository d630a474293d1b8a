import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mixtureQuantile } from '../../../src/core/estimation/mixture-quantile.js';
import { normalTail } from '../../../src/core/estimation/normal.js';

interface Part {
  readonly weight: number;
  readonly mean: number;
  readonly variance: number;
}

function within(parts: readonly Part[], centre: number, half: number): number {
  const total = parts.reduce((sum, part) => sum + part.weight, 0);
  return parts.reduce((sum, { weight, mean, variance }) => {
    const sd = Math.sqrt(variance);
    const outside = normalTail((half - mean + centre) / sd) + normalTail((half + mean - centre) / sd);
    return sum + (weight / total) * (1 - outside);
  }, 0);
}

describe('the half-width of a mixture', () => {
  it('is that of the normal law where there is one', () => {
    const one = [{ weight: 3, mean: 0.02, variance: 4e-6 }];
    expect(mixtureQuantile(one, 0.02, 2e-3, 0.95, 1.9)).toBeCloseTo(1.95996, 3);
    expect(mixtureQuantile(one, 0.02, 2e-3, 0.68, 1)).toBeCloseTo(0.99446, 3);
  });

  it('is well inside one deviation at 68 % where most is narrow and a little wide', () => {
    const parts = [
      { weight: 0.9, mean: 0, variance: 1 },
      { weight: 0.1, mean: 0, variance: 100 },
    ];
    const deviation = Math.sqrt(0.9 + 10);
    const k = mixtureQuantile(parts, 0, deviation, 0.68, 0.994);
    expect(k).toBeLessThan(0.5);
    expect(within(parts, 0, k * deviation)).toBeCloseTo(0.68, 2);
  });

  it('holds the probability that it should, for any mixture about its mean', () => {
    const part = fc.record({
      weight: fc.double({ min: 0.05, max: 1, noNaN: true }),
      mean: fc.double({ min: -1, max: 1, noNaN: true }),
      variance: fc.double({ min: 0.1, max: 4, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 8 }), fc.constantFrom(0.68, 0.95), (parts, level) => {
        const total = parts.reduce((sum, p) => sum + p.weight, 0);
        const centre = parts.reduce((sum, p) => sum + (p.weight / total) * p.mean, 0);
        const variance = parts.reduce((sum, p) => sum + (p.weight / total) * (p.variance + (p.mean - centre) ** 2), 0);
        const deviation = Math.sqrt(variance);
        const k = mixtureQuantile(parts, centre, deviation, level, level === 0.95 ? 1.96 : 0.994);
        expect(Math.abs(within(parts, centre, k * deviation) - level)).toBeLessThan(0.01);
      }),
    );
  });

  it('is finite and bounded whatever it is given', () => {
    const odd = [{ weight: 1, mean: 1e9, variance: 0 }];
    const k = mixtureQuantile(odd, 0, 1e-9, 0.95, 1.96);
    expect(k).toBeGreaterThan(0);
    expect(k).toBeLessThanOrEqual(2.3 * 1.96);
  });
});
