import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  duration,
  formatDuration,
  formatTime,
  parseQuantity,
  probability,
  ratio,
  time,
} from '../../src/core/quantity.js';
import { finite } from '../support/arbitrary.js';

describe('quantities with units', () => {
  test.each([
    ['64 s', 64],
    ['200 ms', 0.2],
    ['200ms', 0.2],
    ['3 h', 10_800],
    ['1.5 h', 5400],
    ['90 min', 5400],
    ['2 d', 172_800],
    ['1 day', 86_400],
    ['20 us', 20e-6],
    ['20 µs', 20e-6],
    ['20 μs', 20e-6],
    ['-250 ms', -0.25],
    ['+7 ns', 7e-9],
    ['1e3 ms', 1],
    ['.5 s', 0.5],
    ['5. s', 5],
    ['12', 12],
    [' 8 s ', 8],
    [0, 0],
    [-3.25, -3.25],
  ])('the time %j', (text, seconds) => {
    expect(parseQuantity(text, 'time')).toBe(seconds);
  });

  test.each([
    ['12 ppm', 12e-6],
    ['1 ppb', 1e-9],
    ['5 %', 0.05],
    ['5%', 0.05],
    ['1e-9', 1e-9],
    ['30 us/s', 30e-6],
    ['-4 ppm', -4e-6],
    [1e-9, 1e-9],
  ])('the ratio %j', (text, value) => {
    expect(parseQuantity(text, 'ratio')).toBe(value);
  });

  const expected = 'expected a time such as 64 s, 200 ms or 3 h';
  test.each([
    ['fast', `${expected}, found 'fast'`],
    ['', `${expected}, found ''`],
    ['s', `${expected}, found 's'`],
    ['1 2 s', `${expected}, found '1 2 s'`],
    ['1,5 s', `${expected}, found '1,5 s'`],
    ['64 S', `${expected}, found unit 'S' (known: s, ms, us, µs, μs, ns, ps, min, h, d, day, days)`],
    ['12 ppm', `${expected}, found unit 'ppm' (known: s, ms, us, µs, μs, ns, ps, min, h, d, day, days)`],
    ['1e999 s', `${expected}, found '1e999 s'`],
    [Number.NaN, `${expected}, found NaN`],
    [Number.POSITIVE_INFINITY, `${expected}, found Infinity`],
    [null, `${expected}, found null`],
    [true, `${expected}, found true`],
    [{ s: 1 }, `${expected}, found {"s":1}`],
  ])('%j is no time', (value, problem) => {
    expect(parseQuantity(value, 'time')).toBe(problem);
  });

  test('a ratio with a unit of time is none', () => {
    expect(parseQuantity('64 s', 'ratio')).toBe(
      "expected a ratio such as 12 ppm, 1e-9 or 5 %, found unit 's' (known: %, ppm, ppb, ppt, us/s, µs/s, ms/s, ns/s, s/s)",
    );
  });

  test('any plain number is itself, and any number of seconds, too', () => {
    fc.assert(
      fc.property(finite(-1e12, 1e12), value => {
        expect(parseQuantity(value, 'time')).toBe(value);
        expect(parseQuantity(`${value} s`, 'time')).toEqual(value === 0 ? 0 : value);
        const milliseconds = parseQuantity(`${value} ms`, 'time');
        expect(milliseconds).toBeCloseTo(value / 1000, 9);
      }),
    );
  });
});

describe('limits of a quantity', () => {
  const problem = (schema: ReturnType<typeof time>, value: string | number): string | undefined =>
    schema.safeParse(value).error?.issues[0]?.message;

  test.each([
    ['a duration', duration('d'), '0 s', 'expected more than 0, found 0'],
    ['a duration', duration('d'), '-5 s', 'expected more than 0, found -5'],
    ['a duration', duration('d'), '1 ns', undefined],
    ['a probability', probability('p'), '101 %', 'expected at most 1, found 1.01'],
    ['a probability', probability('p'), -0.5, 'expected at least 0, found -0.5'],
    ['a probability', probability('p'), '100 %', undefined],
    ['a time from 0', time('t', { min: 0 }), '-1 ms', 'expected at least 0, found -0.001'],
    ['a ratio up to 1e-3', ratio('r', { max: 1e-3 }), '0.2 %', 'expected at most 0.001, found 0.002'],
  ])('%s: %s %j', (_, schema, value, message) => {
    expect(problem(schema, value)).toBe(message);
  });
});

describe('times for people', () => {
  test.each([
    [0, '0 s'],
    [1, '1.00 s'],
    [0.000123456, '123 µs'],
    [0.0123456, '12.3 ms'],
    [-0.0123456, '-12.3 ms'],
    [1.5e-9, '1.50 ns'],
    [2.5e-13, '0.250 ps'],
    [0.9999, '1.00 s'],
    [0.00099999, '1.00 ms'],
    [1234.5, '1235 s'],
    [null, '–'],
    [undefined, '–'],
    [Number.NaN, '–'],
    [Number.POSITIVE_INFINITY, '–'],
  ])('%d', (seconds, text) => {
    expect(formatTime(seconds)).toBe(text);
  });

  test('with a sign where one is wanted', () => {
    expect(formatTime(0.002, true)).toBe('+2.00 ms');
    expect(formatTime(-0.002, true)).toBe('-2.00 ms');
  });

  test('are read again within their three digits', () => {
    fc.assert(
      fc.property(finite(-300, 300), exponent => {
        const value = 10 ** (exponent / 30);
        if (value < 1e-12 || value > 1e9) return;
        const back = parseQuantity(formatTime(value), 'time') as number;
        expect(Math.abs(back / value - 1)).toBeLessThanOrEqual(0.0051);
      }),
    );
  });
});

describe('durations for people', () => {
  test.each([
    [0, '0 s'],
    [64, '64 s'],
    [119.5, '119.5 s'],
    [120, '2 min'],
    [5400, '1 h 30 min'],
    [86_400, '1 d'],
    [90_061, '1 d 1 h'],
    [Number.NaN, '–'],
  ])('%d s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});
