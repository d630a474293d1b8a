import { describe, expect, test } from 'vitest';
import { InputError, nearest, unknownName } from '../../src/core/errors.js';

describe('the nearest known name', () => {
  const known = ['kalman', 'offset-only', 'none', 'drift-aware', 'x'];

  test.each([
    ['kalmann', 'kalman'],
    ['Kalman', 'kalman'],
    ['kalmna', 'kalman'],
    ['offsetonly', 'offset-only'],
    ['drift_aware', 'drift-aware'],
    ['nome', 'none'],
    ['quadratic', undefined],
    ['9', undefined],
  ])('to %j is %j', (name, near) => {
    expect(nearest(name, known)).toBe(near);
  });

  test('an unknown name says it, or what there is', () => {
    expect(unknownName('x.yaml:3 a', 'corrector', 'kalmann', known).message).toBe(
      "x.yaml:3 a: unknown corrector 'kalmann' (did you mean 'kalman'?)",
    );
    expect(unknownName('x', 'corrector', 'quadratic', known).message).toBe(
      "x: unknown corrector 'quadratic' (known: kalman, offset-only, none, drift-aware, x)",
    );
    expect(unknownName('x', 'corrector', 'any', []).message).toBe("x: unknown corrector 'any' (known: none)");
  });
});

test('an input error is one line: its place, its problem, and a hint where there is one', () => {
  expect(new InputError('a.yaml:1 b', 'is wrong').message).toBe('a.yaml:1 b: is wrong');
  expect(new InputError('a.yaml:1 b', 'is wrong', 'try c').message).toBe('a.yaml:1 b: is wrong (try c)');
});
