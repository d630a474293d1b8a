import '../../../src/plugins/filters/delay-excess.js';
import '../../../src/plugins/filters/delay-gate.js';
import '../../../src/plugins/filters/popcorn.js';
import '../../../src/plugins/filters/warm-up.js';
import { describe, expect, test } from 'vitest';
import type { Filter, History, Measurement } from '../../../src/core/contracts/index.js';
import { isRejection } from '../../../src/core/contracts/index.js';
import { logOf } from '../../../src/core/pipeline/measurement-log.js';
import { make, measured } from '../../support/estimation.js';

const history: History = { axis: 'counter', measurements: logOf([]), observed: logOf([]), estimate: undefined };

/** What the filter says to measurements with these delays in milliseconds: the deviation in ms, or its reason. */
const through = (filter: Filter, measurements: readonly Measurement[]): readonly (string | number)[] =>
  measurements.map(measurement => {
    const answer = filter.filter(measurement, history);
    return isRejection(answer) ? answer.rejected : answer.uncertainty * 1000;
  });

const delayed = (...milliseconds: readonly number[]): readonly Measurement[] =>
  milliseconds.map((delay, i) => ({ ...measured(i, 0, 1e-3), delay: delay / 1000 }));

const offset = (...milliseconds: readonly number[]): readonly Measurement[] =>
  milliseconds.map((value, i) => measured(i, value / 1000, 1e-3));

const filter = (use: string, options: object = {}): Filter => make('filter', { use, ...options }).plugin;

describe('the delay gate', () => {
  test('rejects what takes longer than three times the shortest, and more than a millisecond longer', () => {
    expect(through(filter('delay-gate'), delayed(10, 29, 31, 10))).toEqual([1, 1, 'delay 31.0 ms, limit 30.0 ms', 1]);
    expect(through(filter('delay-gate'), delayed(0.1, 1, 1.2))).toEqual([1, 1, 'delay 1.20 ms, limit 1.10 ms']);
  });

  test('gets used to a longer route once its window has forgotten the shorter one', () => {
    const answers = through(filter('delay-gate', { window: 4 }), delayed(10, 100, 100, 100, 100, 100));
    expect(answers.map(answer => typeof answer)).toEqual(['number', 'string', 'string', 'string', 'number', 'number']);
  });

  test('is not confused by a round trip that a step of the clock made negative', () => {
    expect(through(filter('delay-gate'), delayed(-500, 10, 0.5))).toEqual([1, 'delay 10.0 ms, limit 1.00 ms', 1]);
  });
});

describe('popcorn', () => {
  test('rejects a lone spike, and lets what follows pass', () => {
    expect(through(filter('popcorn'), offset(0, 0.1, 50, 0.1, 0))).toEqual([
      1,
      1,
      'spike of 49.9 ms, limit 300 µs',
      1,
      1,
    ]);
  });

  test('lets a step pass: a second one in a row is no spike', () => {
    const answers = through(filter('popcorn'), offset(0, 0, 50, 50, 50));
    expect(answers.map(answer => typeof answer)).toEqual(['number', 'number', 'string', 'number', 'number']);
  });

  test('learns how much jitter there is: RMS of neighbours’ differences, the newest with a quarter of the weight', () => {
    // Differences of 0.2 ms: mean square 0.04/4 = 0.01 ms² after the first, so the limit is 3 × 0.1 ms.
    const [, , spike] = through(filter('popcorn', { floor: 0, gate: 3 }), offset(0, 0, 1));
    expect(spike).toBe('spike of 1.00 ms, limit 0 s');
    const answers = through(filter('popcorn', { floor: '1 ms' }), offset(0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 6, 0));
    expect(answers.slice(0, 10).every(answer => answer === 1)).toBe(true);
    expect(answers[10]).toBe(1);
  });
});

describe('the warm-up', () => {
  test('drops the first three, and says which', () => {
    expect(through(filter('warm-up'), offset(1, 2, 3, 4, 5))).toEqual([
      'warm-up, 1 of 3',
      'warm-up, 2 of 3',
      'warm-up, 3 of 3',
      1,
      1,
    ]);
    expect(through(filter('warm-up', { measurements: 1 }), offset(1, 2))).toEqual(['warm-up, 1 of 1', 1]);
  });
});

describe('the delay excess', () => {
  test('is a quarter of the round trip while there is only one', () => {
    expect(through(filter('delay-excess'), delayed(20))[0]).toBeCloseTo(5, 9);
  });

  test('by hand: e/√12 over the shortest, and the mean excess over √n for the shortest itself', () => {
    // Delays 10, 10, 13, 11: shortest 10, mean excess 1, so σ₀ = 1/√4 = 0.5; the last exceeds by 1.
    const answers = through(filter('delay-excess'), delayed(10, 10, 13, 11));
    expect(answers[3]).toBeCloseTo(Math.sqrt(1 / 12 + 0.25), 9);
    // The third, when it was the last: mean excess 1, σ₀ = 1/√3, excess 3.
    expect(answers[2]).toBeCloseTo(Math.sqrt(9 / 12 + 1 / 3), 9);
  });

  test('is never less than its floor or the server’s precision', () => {
    expect(through(filter('delay-excess', { floor: '0.2 ms' }), delayed(10, 10))[1]).toBeCloseTo(0.2, 12);
    const precise = delayed(10, 10).map(measurement => ({
      ...measurement,
      exchange: { ...measurement.exchange, precision: 1e-3 },
    }));
    expect(through(filter('delay-excess'), precise)[1]).toBeCloseTo(1, 12);
  });

  test('forgets what has left its window', () => {
    const answers = through(filter('delay-excess', { window: 2, floor: 0 }), delayed(10, 20, 20, 20));
    expect(answers[1]).toBeGreaterThan(4);
    expect(answers[3]).toBeLessThan(0.002);
  });
});
