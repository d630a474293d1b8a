import '../../../src/plugins/timekeepers/drift.js';
import '../../../src/plugins/timekeepers/hold.js';
import '../../../src/plugins/timekeepers/ntp-anchored.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ClockReading, CorrectedTime, Estimate } from '../../../src/core/contracts/index.js';
import { anyEstimate, finite } from '../../support/arbitrary.js';
import { at, believed, make } from '../../support/estimation.js';

const tell = (use: string, estimate: Estimate | undefined, reading: ClockReading): CorrectedTime =>
  make('timekeeper', use).plugin.tell(estimate, reading, 0.95);

const names = ['hold', 'drift', 'ntp-anchored'];

/** At counter 100 s, 0.5 s behind and losing 1e-4; its wall clock is 7 s ahead of its counter. */
const estimate: Estimate = {
  ...believed(100, 0.5, 1e-4, { offset: 1e-3, drift: 1e-6 }),
  at: { counter: 100, wall: 107 },
};
const reading = { counter: 300, wall: 307 };

describe.each(names)('the timekeeper %s', use => {
  test('without an estimate tells the bare wall clock, with unknown bounds', () => {
    expect(tell(use, undefined, { wall: 5, counter: 4 })).toMatchObject({
      time: 5,
      offset: 0,
      axis: 'wall',
      uncertainty: undefined,
      maxError: undefined,
    });
  });

  test('at the estimate’s own reading tells its offset', () => {
    expect(tell(use, estimate, estimate.at).time).toBeCloseTo(100.5, 12);
    expect(tell(use, { ...estimate, axis: 'wall' }, estimate.at).time).toBeCloseTo(107.5, 12);
  });

  test('tells a time that is its axis plus its offset', () => {
    fc.assert(
      fc.property(anyEstimate, finite(0, 10_000), (any, age) => {
        const later = { wall: any.at.wall + age, counter: any.at.counter + age };
        const told = tell(use, any, later);
        const clock = told.axis === 'counter' ? later.counter : later.wall;
        expect(Math.abs(told.time - (clock + told.offset))).toBeLessThan(1e-9);
        expect(told.uncertainty).toBeGreaterThanOrEqual(0);
        expect(told.maxError).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe('what they make of 200 s of drift', () => {
  test('hold: the offset only, with bounds that know what is left out', () => {
    const told = tell('hold', estimate, reading);
    expect(told).toMatchObject({ time: 300.5, axis: 'counter' });
    const left = 200 * 1e-4;
    expect(told.maxError).toBeCloseTo(0.05 + 200 * 15e-6 + left, 12);
    expect(told.uncertainty).toBeCloseTo(1.96 * Math.sqrt(1e-6 + 200 ** 2 * 1e-12) + left, 5);
  });

  test('drift: the offset, and drift times the time since the estimate', () => {
    const told = tell('drift', estimate, reading);
    expect(told.time).toBeCloseTo(300.52, 12);
    expect(told.maxError).toBeCloseTo(0.05 + 200 * 15e-6, 12);
    expect(told.uncertainty).toBeCloseTo(1.96 * Math.sqrt(1e-6 + 200 ** 2 * 1e-12), 5);
  });

  test('drift on the wall axis follows a step of the wall clock, and on the counter does not', () => {
    const stepped = { counter: 300, wall: 1307 };
    expect(tell('drift', estimate, stepped).time).toBeCloseTo(300.52, 12);
    expect(tell('drift', { ...estimate, axis: 'wall' }, stepped).time).toBeCloseTo(1307.5 + 1200 * 1e-4, 12);
  });

  test('ntp-anchored: walks from the last measurement, whose noise it keeps', () => {
    const anchored = { ...estimate, anchor: { at: { counter: 90, wall: 97 }, time: 90.503 } };
    const told = tell('ntp-anchored', anchored, reading);
    // 90.503 s + 210 s × (1 + 1e-4)
    expect(told).toMatchObject({ axis: 'counter' });
    expect(told.time).toBeCloseTo(300.524, 12);
    expect(told.offset).toBeCloseTo(0.524, 12);
    // The estimate believes 300.52 s: the bounds are wider by the 4 ms between them.
    const drifted = tell('drift', estimate, reading);
    expect(told.uncertainty).toBeCloseTo(drifted.uncertainty! + 0.004, 9);
    expect(told.maxError).toBeCloseTo(drifted.maxError! + 0.004, 9);
  });

  test('ntp-anchored does not notice a step of the wall clock, even where the wall clock is estimated', () => {
    const anchored: Estimate = { ...estimate, axis: 'wall', anchor: { at: estimate.at, time: 107.5 } };
    const before = tell('ntp-anchored', anchored, reading);
    const after = tell('ntp-anchored', anchored, { counter: 300, wall: 1307 });
    expect(after.time).toBe(before.time);
    expect(after.maxError).toBeGreaterThan(900);
  });

  test('ntp-anchored without a measurement to walk from equals drift', () => {
    expect(tell('ntp-anchored', estimate, reading)).toEqual(tell('drift', estimate, reading));
  });
});

describe('a perfect estimate', () => {
  test.each(['drift', 'ntp-anchored'])('%s tells true time for ever', use => {
    fc.assert(
      fc.property(finite(-1e-3, 1e-3), finite(-5, 5), finite(0, 100_000), (frequency, phase, t) => {
        const counterAt = (true_: number): number => true_ + phase + frequency * true_;
        const offset = -(phase + frequency * 50);
        const now = at(counterAt(50));
        const perfect: Estimate = {
          ...believed(0, offset, -frequency / (1 + frequency)),
          at: now,
          anchor: { at: now, time: now.counter + offset },
        };
        expect(tell(use, perfect, at(counterAt(t))).time).toBeCloseTo(t, 8);
      }),
    );
  });
});
