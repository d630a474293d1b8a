import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Envelope } from '../../../src/core/metrics/envelope.js';
import { sparkline } from '../../../src/core/metrics/sparkline.js';

describe('the course of an error', () => {
  test('is the largest in each length of time, in no more than 64 of them however long the run', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 1, maxLength: 3000 }), sizes => {
        const envelope = new Envelope(10);
        sizes.forEach((size, i) => {
          envelope.add(10 + i, size);
        });
        const { from, step, largest } = envelope.summary;
        expect(from).toBe(10);
        expect(largest.length).toBeLessThanOrEqual(64);
        expect(largest).toEqual(
          Array.from({ length: Math.ceil(sizes.length / step) }, (_, i) =>
            Math.max(...sizes.slice(i * step, (i + 1) * step)),
          ),
        );
      }),
    );
  });

  test('has gaps where nothing was scored', () => {
    const envelope = new Envelope(0);
    envelope.add(0, 1);
    envelope.add(3, 2);
    expect(envelope.summary.largest).toEqual([1, null, null, 2]);
  });
});

describe('a sparkline', () => {
  test('is logarithmic, from the least to the largest', () => {
    expect(sparkline([1e-6, 1e-5, 1e-4, 1e-3], 16)).toBe('▁▃▆█');
    expect(sparkline([1, 1, 1], 16)).toBe('███');
  });

  test('shows the largest of what falls into one character, and where there is nothing', () => {
    expect(sparkline([1e-3, 1, 1, 1e-3, null, null], 3)).toBe('██ ');
    expect(sparkline([], 8)).toBe('');
    expect(sparkline([0, 0], 8)).toBe('▁▁');
  });
});
