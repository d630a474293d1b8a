import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MeasurementLog } from '../../../src/core/contracts/index.js';
import { logOf, MeasurementRing } from '../../../src/core/pipeline/measurement-log.js';
import { measured } from '../../support/estimation.js';

describe('the log of measurements', () => {
  test('remembers the last ones, in order, as a list would', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(40), (capacity, count) => {
        const ring = new MeasurementRing(capacity);
        const all = Array.from({ length: count }, (_, i) => measured(i, i));
        for (const measurement of all) ring.add(measurement);
        const kept = all.slice(-capacity);
        for (const log of [ring, logOf(kept)] as readonly MeasurementLog[]) {
          expect(log.length).toBe(kept.length);
          for (let i = -capacity - 2; i <= capacity + 1; i++) expect(log.at(i)).toBe(kept.at(i));
          for (let n = 0; n <= capacity + 2; n++) expect(log.last(n)).toEqual(n === 0 ? [] : kept.slice(-n));
        }
      }),
    );
  });
});
