import { describe, expect, it } from 'vitest';
import { OffsetScatter } from '../../../src/core/estimation/offset-scatter.js';
import { gaussian } from '../../support/gaussian.js';

describe('the scatter of offsets', () => {
  it('is that of the noise, whatever the drift', () => {
    const draw = gaussian('5');
    const scatter = new OffsetScatter(400);
    for (let i = 0; i < 400; i++) scatter.add(64 * i + (i % 3), 0.4 - 3e-5 * (64 * i + (i % 3)) + 2e-3 * draw());
    expect(scatter.deviation(1)).toBeGreaterThan(1.7e-3);
    expect(scatter.deviation(1)).toBeLessThan(2.3e-3);
  });

  it('is not moved by a few outliers, and is the fallback while there are too few', () => {
    const draw = gaussian('6');
    const scatter = new OffsetScatter();
    expect(scatter.deviation(0.25)).toBe(0.25);
    for (let i = 0; i < 5; i++) scatter.add(i, 0);
    expect(scatter.deviation(0.25)).toBe(0.25);
    for (let i = 5; i < 100; i++) scatter.add(i, 1e-3 * draw() + (i % 17 === 0 ? 5 : 0));
    expect(scatter.deviation(1)).toBeLessThan(2e-3);
  });

  it('keeps no more than its window, and goes on alike from a snapshot', () => {
    const one = new OffsetScatter(8);
    for (let i = 0; i < 50; i++) one.add(i, Math.sin(i));
    expect(one.count).toBe(8);
    const other = new OffsetScatter(8);
    other.restore(JSON.parse(JSON.stringify(one.snapshot())));
    for (let i = 50; i < 60; i++) {
      one.add(i, Math.sin(i));
      other.add(i, Math.sin(i));
    }
    expect(other.snapshot()).toEqual(one.snapshot());
  });
});
