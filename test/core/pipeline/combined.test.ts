import { expect, test } from 'vitest';
import { combined } from '../../../src/core/pipeline/combined.js';
import { measured } from '../../support/estimation.js';

test('several measurements as one: at the instant of the last, with a root distance that holds for any of them', () => {
  const parts = [
    { ...measured(10, 0.1, 1e-3, 'a'), delay: 0.02, rootDistance: 0.03 },
    { ...measured(12, 0.2, 1e-3, 'b'), delay: 0.04, rootDistance: 0.01 },
    { ...measured(11, 0.15, 1e-3, 'c'), delay: 0.06, rootDistance: 0.02 },
  ];
  const one = combined(parts, 0.16, 5e-4);
  expect(one).toMatchObject({ source: 'a+b+c', at: parts[1]!.at, offset: 0.16, uncertainty: 5e-4 });
  expect(one.delay).toBeCloseTo(0.04, 12);
  // a: 0.03 + |0.1 − 0.16|, the largest of the three.
  expect(one.rootDistance).toBeCloseTo(0.09, 12);
  expect(one.exchange).toBe(parts[1]!.exchange);
});
