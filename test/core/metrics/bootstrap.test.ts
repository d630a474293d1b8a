import { describe, expect, it } from 'vitest';
import {
  autocorrelation,
  blockLength,
  independentBootstrap,
  pairedBootstrap,
} from '../../../src/core/metrics/bootstrap.js';
import { randomStream } from '../../../src/core/world/random.js';
import { gaussian } from '../../support/gaussian.js';

/** x ← ρ·x + √(1 − ρ²)·N: mean 0, variance 1, autocorrelation ρᵏ. */
function autoregressive(rho: number, n: number, seed: string): number[] {
  const normal = gaussian(seed);
  let x = normal();
  return Array.from({ length: n }, () => (x = rho * x + Math.sqrt(1 - rho ** 2) * normal()));
}

describe('autocorrelation', () => {
  it('is what its definition says, worked out by hand', () => {
    // 1, 2, 4, 1 about 2: −1, 0, 2, −1; squares 6; lag 1: 0 + 0 − 2 = −2; lag 2: −2 + 0; lag 3: 1.
    expect([...autocorrelation([1, 2, 4, 1])]).toEqual([1, -2 / 6, -2 / 6, 1 / 6].map(x => expect.closeTo(x, 12)));
  });

  it('of a series that does not vary is nothing but ρ(0)', () => {
    expect([...autocorrelation([3, 3, 3])]).toEqual([1, 0, 0]);
  });
});

describe('block length', () => {
  it.each([0.5, 0.8])('of an AR(1) process with ρ = %d is near Politis and White’s (2ρ/(1 − ρ²))^⅔·n^⅓', rho => {
    const n = 8192;
    const expected = ((2 * rho) / (1 - rho ** 2)) ** (2 / 3) * n ** (1 / 3);
    const found = Array.from({ length: 8 }, (_, i) => blockLength(autoregressive(rho, n, `block ${rho} ${i}`)));
    const mean = found.reduce((a, b) => a + b) / found.length;
    expect(mean / expected).toBeGreaterThan(0.6);
    expect(mean / expected).toBeLessThan(1.6);
  });

  it('of white noise is a few samples at most, and of a regular swing too', () => {
    expect(blockLength(autoregressive(0, 8192, 'white'))).toBeLessThan(8);
    expect(blockLength(Array.from({ length: 2851 }, (_, i) => (10 * i) % 64))).toBeLessThan(12);
  });

  it('of a trend is so long that no blocks are left', () => {
    expect(blockLength(Array.from({ length: 3000 }, (_, i) => i))).toBeGreaterThan(300);
  });
});

describe('the paired stationary block bootstrap', () => {
  it('covers the true difference of two correlated series, ρ = 0.9, about as often as it says', () => {
    let covered = 0;
    let naive = 0;
    const runs = 200;
    for (let run = 0; run < runs; run++) {
      const common = autoregressive(0.97, 2000, `common ${run}`);
      const own = autoregressive(0.9, 2000, `own ${run}`);
      const a = common.map((x, i) => 10 + 5 * x + own[i]!);
      const b = common.map(x => 12 + 5 * x);
      const { difference, block } = pairedBootstrap([{ a, b }], 0.95, randomStream('1', `run ${run}`))!;
      if (difference.low <= -2 && -2 <= difference.high) covered += 1;
      const spread = 1.96 / Math.sqrt(2000);
      if (Math.abs(own.reduce((x, y) => x + y) / 2000) <= spread) naive += 1;
      expect(block).toBeGreaterThan(5);
    }
    expect(covered / runs).toBeGreaterThan(0.88);
    // Treating the samples as independent would not have.
    expect(naive / runs).toBeLessThan(0.6);
  });

  it('gives the improvement in per cent beside the difference', () => {
    const a = autoregressive(0, 500, 'a').map(x => 3 + 0.01 * x);
    const b = autoregressive(0, 500, 'b').map(x => 4 + 0.01 * x);
    const { difference, improvement } = pairedBootstrap([{ a, b }], 0.95, randomStream('1', 'improvement'))!;
    expect(difference.low).toBeGreaterThan(-1.01);
    expect(difference.high).toBeLessThan(-0.99);
    expect(improvement.low).toBeGreaterThan(24.5);
    expect(improvement.high).toBeLessThan(25.5);
  });

  it('gives no interval for fewer than 10 blocks', () => {
    const slow = autoregressive(0.999, 400, 'slow');
    const zero = slow.map(() => 0);
    expect(pairedBootstrap([{ a: slow, b: zero }], 0.95, randomStream('1', 'slow'))).toBeUndefined();
    expect(pairedBootstrap([{ a: [1, 2, 3], b: [2, 3, 4] }], 0.95, randomStream('1', 'few'))).toBeUndefined();
    expect(pairedBootstrap([], 0.95, randomStream('1', 'none'))).toBeUndefined();
  });

  it('draws whole seeds where there are 10: what differs from seed to seed counts', () => {
    // Within a seed nothing varies; between seeds the difference is −1 or +1.
    const pairs = Array.from({ length: 20 }, (_, k) => ({
      a: new Array<number>(50).fill(k % 2 === 0 ? 1 : 3),
      b: new Array<number>(50).fill(2),
    }));
    const { difference } = pairedBootstrap(pairs, 0.95, randomStream('1', 'seeds'))!;
    // The mean of 20 values ±1: ± 1.96/√20.
    expect(difference.high - difference.low).toBeGreaterThan(0.6);
    expect(difference.high - difference.low).toBeLessThan(1.1);
  });

  it('is wider where the series share nothing that could be paired', () => {
    const common = autoregressive(0.5, 4000, 'shared');
    const a = common.map(x => 10 + x);
    const noise = autoregressive(0, 4000, 'apart');
    const b = common.map((x, i) => 11 + x + 0.01 * noise[i]!);
    const random = randomStream('1', 'unpaired');
    const paired = pairedBootstrap([{ a, b }], 0.95, random)!.difference;
    const apart = independentBootstrap([a], [b], 0.95, random)!.difference;
    expect(apart.high - apart.low).toBeGreaterThan(10 * (paired.high - paired.low));
    expect(apart.low).toBeLessThan(-1);
    expect(apart.high).toBeGreaterThan(-1);
  });

  it('gives the same interval for the same data', () => {
    const a = autoregressive(0.5, 500, 'same');
    const once = (): unknown => pairedBootstrap([{ a, b: a.map(x => x + 1) }], 0.95, randomStream('1', 'same'));
    expect(once()).toEqual(once());
  });
});
