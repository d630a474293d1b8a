import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intersect } from '../../../src/core/estimation/selection.js';

const interval = fc
  .tuple(fc.integer({ min: -20, max: 20 }), fc.integer({ min: 1, max: 12 }))
  .map(([low, width]) => ({ low, high: low + width }));

describe('the intersection of a majority', () => {
  it('leaves out the falseticker of three', () => {
    const given = [
      { low: 8, high: 12 },
      { low: 11, high: 13 },
      { low: 20, high: 22 },
    ];
    // Marzullo's own example with 14–15 moved away: [11, 12] is in two of three.
    expect(intersect(given)).toEqual({
      truechimers: [true, true, false],
      low: 11,
      high: 12,
      majority: true,
      agreeing: 2,
    });
  });

  it('keeps both of two that disagree, and the hull of them', () => {
    const given = [
      { low: 0, high: 1 },
      { low: 5, high: 6 },
    ];
    expect(intersect(given)).toEqual({ truechimers: [true, true], low: 0, high: 6, majority: false, agreeing: 1 });
  });

  it('keeps two liars of five out', () => {
    const honest = [0, 0.1, -0.1].map(offset => ({ low: offset - 0.3, high: offset + 0.3 }));
    const liars = [5, 5].map(offset => ({ low: offset - 0.3, high: offset + 0.3 }));
    expect(intersect([...honest, ...liars]).truechimers).toEqual([true, true, true, false, false]);
  });

  it('agrees with counting at every half step', () => {
    fc.assert(
      fc.property(fc.array(interval, { minLength: 2, maxLength: 7 }), given => {
        const depthAt = (t: number) => given.filter(({ low, high }) => low <= t && t <= high).length;
        const points = Array.from({ length: 160 }, (_, i) => -30 + i / 2);
        const most = Math.max(...points.map(depthAt));
        const { majority, low, high, truechimers } = intersect(given);
        expect(majority).toBe(2 * most > given.length);
        const best = points.filter(t => depthAt(t) === most);
        if (majority) {
          expect(low).toBe(Math.min(...best));
          expect(high).toBe(Math.max(...best));
          expect(truechimers.filter(Boolean).length).toBeGreaterThanOrEqual(most);
        } else expect(truechimers).toEqual(given.map(() => true));
      }),
    );
  });
});
