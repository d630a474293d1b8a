import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PathStatistics } from '../../../src/core/estimation/path-statistics.js';
import { randomStream } from '../../../src/core/world/random.js';

/** Delays over a base, with an exponential queue of a scale each way. */
function queued(count: number, base: number, scale: number, seed = '1'): number[] {
  const stream = randomStream(seed, 'delays');
  return Array.from({ length: count }, () => base + scale * (stream.exponential() + stream.exponential()));
}

const fed = (delays: readonly number[], size = 512): PathStatistics => {
  const path = new PathStatistics(size);
  for (const delay of delays) path.add(delay);
  return path;
};

describe('what delays say of a path', () => {
  it('the scale is that of the exponential queues, and the base lies below the minimum by the expected shortfall', () => {
    const scales: number[] = [];
    const below: number[] = [];
    const expected: number[] = [];
    for (let seed = 0; seed < 40; seed++) {
      const path = fed(queued(400, 0.02, 1e-3, String(seed)));
      scales.push(path.scale);
      below.push(path.minimum - 0.02);
      expected.push(path.shortfall);
    }
    const mean = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;
    expect(mean(scales)).toBeGreaterThan(0.9e-3);
    expect(mean(scales)).toBeLessThan(1.15e-3);
    // s·√(π/2n) = 62.6 µs
    expect(mean(expected) / 62.6e-6).toBeCloseTo(1, 0);
    expect(mean(below) / mean(expected)).toBeGreaterThan(0.75);
    expect(mean(below) / mean(expected)).toBeLessThan(1.25);
  });

  it('a route that became longer or shorter is noticed, by how much, and a congested one is not', () => {
    const path = fed(queued(60, 0.02, 3e-4));
    const longer = queued(10, 0.025, 3e-4, '2').map(delay => path.add(delay));
    const change = longer.findLast(one => one !== undefined)!;
    expect(change.by).toBeGreaterThan(4e-3);
    expect(change.by).toBeLessThan(6e-3);
    path.keep(change.newest);
    expect(path.minimum).toBeGreaterThan(0.025);
    expect(fed(queued(60, 0.02, 3e-4)).add(0.015)).toEqual({ by: expect.closeTo(-0.005, 3), newest: 1 });
    const congested = fed(queued(60, 0.02, 3e-4));
    for (const delay of queued(30, 0.021, 8e-3, '3')) expect(congested.add(delay)).toBeUndefined();
  });

  it('keeps a window, and a copy from a snapshot goes on alike', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 80 }), delays => {
        const path = fed(delays, 32);
        const kept = delays.slice(-32);
        expect(path.count).toBe(kept.length);
        expect(path.minimum).toBe(Math.min(...kept));
        expect(path.scale).toBeGreaterThan(0);
        expect(path.shortfall).toBeGreaterThan(0);
        const copy = new PathStatistics(32);
        copy.restore(JSON.parse(JSON.stringify(path.snapshot())));
        expect(copy.add(0.5)).toEqual(path.add(0.5));
        expect(copy.scale).toBe(path.scale);
        expect(path.without(1).newest(40)).toEqual(kept.concat(0.5).slice(-32, -1));
      }),
    );
  });
});
