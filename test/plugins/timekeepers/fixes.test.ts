import { describe, expect, it } from 'vitest';
import type { Axis, Estimate, Timekeeper } from '../../../src/core/contracts/index.js';
import { loadAllPlugins } from '../../../src/plugins/index.js';
import { believed, make } from '../../support/estimation.js';

await loadAllPlugins();

const timekeeper = (use: string, options: object = {}): Timekeeper => make('timekeeper', { use, ...options }).plugin;

/**
 * Made at 100 s: 5 ms behind, drifting by 20 ppm. The last measurement, at 90 s, found true time 4 ms further than the
 * clocks. Told at 150 s, after the wall clock was set back by 1 s at 120 s.
 */
const estimateOn = (axis: Axis): Estimate => ({
  ...believed(100, 5e-3, 20e-6),
  axis,
  anchor: { at: { wall: 90, counter: 90 }, time: 90.004 },
});
const reading = { counter: 150, wall: 149 };

describe('the three ways of telling the time, on either axis', () => {
  it.each([
    // V2: s + o
    ['hold', {}, 'counter', 150.005],
    ['hold', {}, 'wall', 149.005],
    // Fix 1: s + o + drift·(s − tp)
    ['drift', {}, 'counter', 150.005 + 50 * 20e-6],
    ['drift', {}, 'wall', 149.005 + 49 * 20e-6],
    // Fix 2: a + e·(1 + drift), e counted by the counter whatever the pipeline estimates
    ['ntp-anchored', {}, 'counter', 90.004 + 60 * (1 + 20e-6)],
    ['ntp-anchored', {}, 'wall', 90.004 + 60 * (1 + 20e-6)],
    // ... or by the wall clock, as the original's script counted it
    ['ntp-anchored', { elapsed: 'wall' }, 'counter', 90.004 + 59 * (1 + 20e-6)],
  ] as const)('%s %j on the %s axis', (use, options, axis, time) => {
    const told = timekeeper(use, options).tell(estimateOn(axis), reading, 0.95);
    expect(told.time).toBeCloseTo(time, 9);
    expect(reading[told.axis] + told.offset).toBeCloseTo(told.time, 9);
  });

  it('before there is an anchor Fix 2 equals Fix 1', () => {
    const { anchor: _, ...estimate } = estimateOn('counter');
    const fix1 = timekeeper('drift').tell(estimate, reading, 0.95);
    expect(timekeeper('ntp-anchored').tell(estimate, reading, 0.95)).toEqual(fix1);
  });
});
