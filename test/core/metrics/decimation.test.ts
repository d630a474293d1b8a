import fc from 'fast-check';
import { expect, test } from 'vitest';
import { extremes, firstFrom } from '../../../src/core/metrics/decimation.js';

const series = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: -1000, max: 1000 }), fc.option(fc.nat(1000))), {
    minLength: 1,
    maxLength: 2000,
  })
  .map(rows => {
    let now = 0;
    const t = Float64Array.from(rows, ([gap]) => (now += gap));
    return {
      t,
      error: Float64Array.from(rows, ([, error]) => error),
      bound: Float64Array.from(rows, ([, , bound]) => bound ?? Number.NaN),
    };
  });

test('what is kept has the lowest and highest of every series in each length of time, first, last and edges', () => {
  fc.assert(
    fc.property(
      series,
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.nat(6000), { maxLength: 5 }),
      (all, buckets, edges) => {
        const { t, error, bound } = all;
        const kept = [...extremes(t, [error, bound], buckets, edges)];
        expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
        expect(kept.length).toBeLessThanOrEqual(Math.max(4 * buckets, 4 * (buckets + 1) + 2 * edges.length + 2));
        expect([kept[0], kept.at(-1)]).toEqual([0, t.length - 1]);
        for (const edge of edges) {
          const after = firstFrom(t, edge);
          if (after < t.length) expect(kept).toContain(after);
          if (after > 0) expect(kept).toContain(after - 1);
        }
        const width = (t.at(-1)! - t[0]!) / buckets;
        for (const values of [error, bound]) {
          for (let bucket = 0; bucket < buckets; bucket++) {
            const inside = (i: number): boolean =>
              Math.floor((t[i]! - t[0]!) / width) === bucket && !Number.isNaN(values[i]!);
            const seen = [...t.keys()].filter(inside).map(i => values[i]!);
            const drawn = kept.filter(inside).map(i => values[i]!);
            if (seen.length === 0) continue;
            expect([Math.min(...drawn), Math.max(...drawn)]).toEqual([Math.min(...seen), Math.max(...seen)]);
          }
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('a part of a series is decimated by itself', () => {
  const t = Float64Array.from({ length: 1000 }, (_, i) => i);
  const kept = [...extremes(t, [t.map(at => Math.sin(at))], 10, [], 200, 400)];
  expect(kept[0]).toBe(200);
  expect(kept.at(-1)).toBe(399);
  expect(kept.length).toBeLessThanOrEqual(24);
  expect([...extremes(t, [t], 10, [], 5, 5)]).toEqual([]);
});
