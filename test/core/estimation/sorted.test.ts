import fc from 'fast-check';
import { expect, it } from 'vitest';
import { insert, lowerBound, remove } from '../../../src/core/estimation/sorted.js';

it('stays sorted, and holds what was put in and not taken out', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -20, max: 20 }), { maxLength: 60 }), fc.nat(), (values, cut) => {
      const sorted: number[] = [];
      for (const value of values) insert(sorted, value);
      expect(sorted).toEqual([...values].sort((a, b) => a - b));
      const gone = values.slice(0, cut % (values.length + 1));
      for (const value of gone) remove(sorted, value);
      expect(sorted).toEqual(values.slice(gone.length).sort((a, b) => a - b));
    }),
  );
});

it('finds the first that is not below', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -9, max: 9 })), fc.integer({ min: -10, max: 10 }), (values, value) => {
      const sorted = [...values].sort((a, b) => a - b);
      expect(lowerBound(sorted, value)).toBe(sorted.filter(one => one < value).length);
    }),
  );
});
