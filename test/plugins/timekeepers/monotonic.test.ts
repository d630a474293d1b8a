import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ClockReading, Estimate, Timekeeper } from '../../../src/core/contracts/index.js';
import { loadAllPlugins } from '../../../src/plugins/index.js';
import { at, believed, make } from '../../support/estimation.js';

await loadAllPlugins();

const SLEW = 500e-6;
const monotonic = (options: object = {}): Timekeeper => make('timekeeper', { use: 'monotonic', ...options }).plugin;

function adopt(timekeeper: Timekeeper, estimate: Estimate, reading: ClockReading): void {
  timekeeper.adopt!(estimate, undefined, reading, 0.95);
}

describe('monotonic', () => {
  it('slews a correction of −10 ms away at 500 ppm: half of it is left after 10 s, nothing after 20 s', () => {
    const timekeeper = monotonic();
    const estimate = believed(100, -10e-3);
    adopt(timekeeper, estimate, at(100));
    const told = [100, 110, 120, 130].map(t => timekeeper.tell(estimate, at(t), 0.95));
    expect(told.map(({ offset }) => offset)).toEqual([0, -5e-3, -10e-3, -10e-3].map(x => expect.closeTo(x, 12)));
    expect(told.map(({ time }) => time)).toEqual([100, 109.995, 119.99, 129.99].map(x => expect.closeTo(x, 9)));
    // The bounds are wider by what is left.
    expect(told[1]!.uncertainty! - told[2]!.uncertainty!).toBeCloseTo(5e-3, 5);
    expect(told[1]!.maxError! - told[2]!.maxError!).toBeCloseTo(5e-3 - 10 * 15e-6, 9);
  });

  it('goes on from what was told, also in the middle of a slew', () => {
    const timekeeper = monotonic();
    const first = believed(0, -10e-3);
    adopt(timekeeper, first, at(0));
    const before = timekeeper.tell(first, at(10), 0.95).time;
    const second = believed(10, 20e-3);
    adopt(timekeeper, second, at(10));
    expect(timekeeper.tell(second, at(10), 0.95).time).toBeCloseTo(before, 12);
    expect(timekeeper.tell(second, at(20), 0.95).time).toBeCloseTo(before + 10 * (1 + SLEW), 9);
  });

  it('may jump ahead where that is wanted, never back', () => {
    const timekeeper = monotonic({ step: '100 ms' });
    const ahead = believed(0, 0.2);
    adopt(timekeeper, ahead, at(0));
    expect(timekeeper.tell(ahead, at(0), 0.95).offset).toBeCloseTo(0.2, 12);
    const back = believed(1, -0.2);
    adopt(timekeeper, back, at(1));
    expect(timekeeper.tell(back, at(1), 0.95).offset).toBeCloseTo(0.2, 12);
  });

  it('does not follow a step of the wall clock that its pipeline estimates', () => {
    const timekeeper = monotonic();
    const estimate: Estimate = { ...believed(0, 0), axis: 'wall' };
    adopt(timekeeper, estimate, at(0));
    const stepped = { counter: 10, wall: 10 - 0.25 };
    const told = timekeeper.tell(estimate, stepped, 0.95);
    expect(told.time).toBeCloseTo(10, 12);
    expect(told.offset).toBeCloseTo(0.25, 12);
  });

  it('goes on, with bounds unknown, when nothing is good enough to tell from', () => {
    const timekeeper = monotonic();
    adopt(timekeeper, believed(0, 0.2), at(0));
    const last = timekeeper.tell(undefined, at(1000), 0.95);
    expect(last.time).toBeCloseTo(1000.2, 9);
    expect(last.uncertainty).toBeUndefined();
    expect(monotonic().tell(undefined, at(5), 0.95)).toMatchObject({ time: 5, by: 'bare-clock' });
  });

  it('does not go back over a restart, in the middle of a slew either', () => {
    const before = monotonic();
    const first = believed(0, -10e-3);
    adopt(before, first, at(0));
    const kept = JSON.parse(JSON.stringify(before.snapshot!()));
    const after = monotonic();
    after.restore!(kept, { continues: true, elapsed: 5 });
    adopt(after, first, at(15));
    for (const t of [15, 18, 30]) expect(after.tell(first, at(t), 0.95)).toEqual(before.tell(first, at(t), 0.95));
    // And so with the next estimate.
    const second = believed(16, -20e-3);
    for (const each of [before, after]) adopt(each, second, at(16));
    expect(after.tell(second, at(17), 0.95)).toEqual(before.tell(second, at(17), 0.95));
  });

  it('begins anew where the counter has', () => {
    const before = monotonic();
    adopt(before, believed(1000, -10e-3), at(1000));
    const after = monotonic();
    after.restore!(before.snapshot!(), { continues: false, elapsed: 5 });
    const estimate = believed(0, 20e-3);
    adopt(after, estimate, at(0));
    expect(after.tell(estimate, at(0), 0.95).time).toBe(0);
    expect(() => monotonic().restore!({ version: 9, state: {} }, { continues: true, elapsed: 0 })).toThrow('version 1');
  });

  it('judges an estimate that is not in force by itself', () => {
    const timekeeper = monotonic();
    adopt(timekeeper, believed(0, -1), at(0));
    expect(timekeeper.tell(believed(0, 7e-3), at(0), 0.95).offset).toBeCloseTo(7e-3, 12);
  });

  it('property: never goes back and never leaves the rate of its estimate by more than the slew, whatever happens', () => {
    const happening = fc.record({
      after: fc.double({ min: 1e-3, max: 100, noNaN: true }),
      offset: fc.double({ min: -2, max: 2, noNaN: true }),
      drift: fc.double({ min: -1e-3, max: 1e-3, noNaN: true }),
      wallStep: fc.double({ min: -5, max: 5, noNaN: true }),
      axis: fc.constantFrom('counter' as const, 'wall' as const),
      what: fc.constantFrom('estimate', 'step', 'look'),
    });
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 40 }), happenings => {
        const timekeeper = monotonic();
        let reading: ClockReading = { wall: 0, counter: 0 };
        let estimate: Estimate = believed(0, 0);
        adopt(timekeeper, estimate, reading);
        let last = timekeeper.tell(estimate, reading, 0.95).time;
        for (const { after, offset, drift, wallStep, axis, what } of happenings) {
          const { drift: rate } = estimate;
          reading = { wall: reading.wall + after, counter: reading.counter + after };
          const told = timekeeper.tell(estimate, reading, 0.95).time;
          expect(told).toBeGreaterThanOrEqual(last);
          expect(Math.abs(told - last - after * (1 + rate))).toBeLessThanOrEqual(after * SLEW + 1e-9);
          if (what === 'step') reading = { ...reading, wall: reading.wall + wallStep };
          if (what === 'estimate') {
            estimate = { ...believed(0, offset, drift), at: reading, axis };
            adopt(timekeeper, estimate, reading);
          }
          last = timekeeper.tell(estimate, reading, 0.95).time;
          expect(last).toBeCloseTo(told, 9);
        }
      }),
    );
  });
});
