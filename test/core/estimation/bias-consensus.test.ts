import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consensus } from '../../../src/core/estimation/bias-consensus.js';

const diagonal = (variances: readonly number[]) => (i: number, j: number) => (i === j ? variances[i]! : 0);
const all = (n: number, value: number): number[] => new Array<number>(n).fill(value);

describe('several sources with biases of their own', () => {
  it('are weighed by inverse variance where none can be biased', () => {
    const phases = [1e-3, 2e-3, 4e-3];
    const variances = [1e-8, 4e-8, 16e-8];
    const result = consensus(phases, diagonal(variances), all(3, 0), all(3, 1), all(3, 0));
    const information = variances.reduce((sum, v) => sum + 1 / v, 0);
    const mean = phases.reduce((sum, x, i) => sum + x / variances[i]!, 0) / information;
    expect(result.offset).toBeCloseTo(mean, 12);
    expect(result.variance / (1 / information)).toBeCloseTo(1, 9);
    expect(result.weights[0]).toBeCloseTo(1 / variances[0]! / information, 9);
    expect(result.biased).toEqual([0, 0, 0]);
  });

  it('follow generalised least squares where their errors are common', () => {
    // V = [2 1; 1 3]: V⁻¹1 ∝ (2, 1), so weights 2/3 and 1/3 and variance 5/3.
    const v = [
      [2, 1],
      [1, 3],
    ];
    const result = consensus([0, 3], (i, j) => v[i]![j]!, [0, 0], [1, 1], [0, 0]);
    expect(result.weights[0]).toBeCloseTo(2 / 3, 12);
    expect(result.offset).toBeCloseTo(1, 12);
    expect(result.variance).toBeCloseTo(5 / 3, 12);
  });

  it('leave out the one that stands apart from three that agree, and say so', () => {
    const phases = [0, 10e-6, -10e-6, 1e-3];
    const result = consensus(phases, diagonal(all(4, 1e-10)), all(4, 1e-6), all(4, 1e-3), all(4, 0.2));
    expect(result.biased[3]).toBeGreaterThan(0.99);
    expect(result.weights[3]).toBeLessThan(0.01);
    expect(Math.abs(result.offset)).toBeLessThan(5e-6);
  });

  it('say that they do not know where two disagree: the variance spans both', () => {
    const result = consensus([0, 1e-3], diagonal([1e-10, 1e-10]), all(2, 1e-6), all(2, 1e-3), all(2, 0.2));
    expect(result.offset).toBeCloseTo(0.5e-3, 6);
    expect(Math.sqrt(result.variance)).toBeGreaterThan(0.4e-3);
    expect(result.biased[0]).toBeCloseTo(result.biased[1]!, 6);
  });

  it('averages by evidence as enumerating all sets with dense algebra does', () => {
    const phases = [1e-4, 2.5e-4];
    const p = [4e-9, 9e-9];
    const [narrow, wide, share] = [1e-6, 2e-4, 0.3];
    // With two sources the sets are {}, {0} and {1}; offsets are 1-d normal problems that can be written out.
    let total = 0;
    let offset = 0;
    for (const set of [0, 1, 2]) {
      const v = p.map((variance, i) => variance + ((set >> i) & 1 ? wide : narrow) ** 2);
      const prior = [0, 1].reduce((product, i) => product * ((set >> i) & 1 ? share : 1 - share), 1);
      const information = 1 / v[0]! + 1 / v[1]!;
      const mean = (phases[0]! / v[0]! + phases[1]! / v[1]!) / information;
      const apart = v[0]! + v[1]!;
      const evidence = Math.exp((-0.5 * (phases[1]! - phases[0]!) ** 2) / apart) / Math.sqrt(apart);
      total += prior * evidence;
      offset += prior * evidence * mean;
    }
    const result = consensus(phases, diagonal(p), all(2, narrow), all(2, wide), all(2, share));
    expect(result.offset).toBeCloseTo(offset / total, 12);
  });

  it('move with the phases, do not care for the order, and have weights that sum to one', () => {
    const phase = fc.double({ min: -1e-2, max: 1e-2, noNaN: true });
    fc.assert(
      fc.property(fc.array(phase, { minLength: 1, maxLength: 6 }), phase, (phases, by) => {
        const n = phases.length;
        const variances = phases.map((_, i) => 1e-9 * (i + 1));
        const of = (order: readonly number[], shift: number) =>
          consensus(
            order.map(i => phases[i]! + shift),
            diagonal(order.map(i => variances[i]!)),
            all(n, 1e-6),
            all(n, 1e-3),
            all(n, 0.2),
          );
        const order = phases.map((_, i) => i);
        const result = of(order, 0);
        expect(result.weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
        expect(result.variance).toBeGreaterThan(0);
        expect(result.offset).toBeGreaterThanOrEqual(Math.min(...phases) - 1e-9);
        expect(result.offset).toBeLessThanOrEqual(Math.max(...phases) + 1e-9);
        expect(of(order, by).offset).toBeCloseTo(result.offset + by, 9);
        expect(of([...order].reverse(), 0).offset).toBeCloseTo(result.offset, 9);
      }),
    );
  });
});
