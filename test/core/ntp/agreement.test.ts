import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { agreeing } from '../../../src/core/ntp/agreement.js';

const interval = (offset: number, rootDistance: number) => ({ offset, rootDistance });

describe('of a round', () => {
  test.each([
    ['one alone agrees with itself', [interval(5, 0.01)], [true]],
    ['two that overlap agree', [interval(0, 0.01), interval(0.015, 0.01)], [true, true]],
    ['two that do not: nobody knows who is right', [interval(0, 0.01), interval(0.25, 0.01)], [false, false]],
    [
      'the falseticker among four is left out',
      [interval(0.001, 0.01), interval(0.25, 0.005), interval(-0.002, 0.02), interval(0.003, 0.01)],
      [true, false, true, true],
    ],
    [
      'two against two: no majority',
      [interval(0, 0.01), interval(0, 0.01), interval(1, 0.01), interval(1, 0.01)],
      [false, false, false, false],
    ],
    [
      'intervals are closed: touching is agreeing',
      [interval(0, 1), interval(2, 1), interval(9, 1)],
      [true, true, false],
    ],
    ['nothing says nothing', [], []],
  ])('%s', (_name, round, expected) => {
    expect(agreeing(round)).toEqual(expected);
  });

  test('all that hold true time agree where they are a majority and the others lie far from them', () => {
    const honest = fc.record({
      error: fc.double({ min: -1, max: 1, noNaN: true }),
      bound: fc.double({ min: 1, max: 2, noNaN: true }),
    });
    const liars = fc.double({ min: 100, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.array(honest, { minLength: 3, maxLength: 6 }),
        fc.array(liars, { maxLength: 2 }),
        (truth, good, bad) => {
          const round = [
            ...good.map(({ error, bound }) => interval(truth + error, bound + 1e-6)),
            ...bad.map(lie => interval(truth + lie, 1)),
          ];
          expect(agreeing(round)).toEqual([...good.map(() => true), ...bad.map(() => false)]);
        },
      ),
    );
  });

  test('those that agree always are a majority with a common point, whatever the order', () => {
    const any = fc.record({ offset: fc.integer({ min: -9, max: 9 }), rootDistance: fc.integer({ min: 0, max: 5 }) });
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 9 }), round => {
        const agrees = agreeing(round);
        const kept = round.filter((_, index) => agrees[index]);
        if (kept.length === 0) return;
        expect(2 * kept.length).toBeGreaterThan(round.length);
        const low = Math.max(...kept.map(({ offset, rootDistance }) => offset - rootDistance));
        const high = Math.min(...kept.map(({ offset, rootDistance }) => offset + rootDistance));
        expect(low).toBeLessThanOrEqual(high);
        expect(agreeing([...round].reverse()).filter(Boolean)).toHaveLength(kept.length);
      }),
    );
  });
});
