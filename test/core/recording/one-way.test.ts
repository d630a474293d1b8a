import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lineUnder, summariseOneWay } from '../../../src/core/recording/one-way.js';
import { randomStream } from '../../../src/core/world/random.js';

/** Packets over a drifting clock: a shortest delay, an exponential queue, and every tenth packet without one. */
function packets(drift: number, height: number, queue: number, count = 3000, step = 0.6) {
  const random = randomStream('1', 'one-way');
  const t = Float64Array.from({ length: count }, (_, i) => 100 + i * step + 0.1 * random.uniform());
  const latency = t.map((at, i) => height + drift * (at - t[0]!) + (i % 10 === 0 ? 0 : queue * random.exponential()));
  return { t, latency };
}

describe('the line under the packets', () => {
  test('lies under all of them, and no other line that does is nearer', () => {
    const points = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: -50, max: 50 })), {
      minLength: 2,
      maxLength: 25,
    });
    fc.assert(
      fc.property(points, given => {
        const sorted = [...given].sort((a, b) => a[0] - b[0]);
        const t = Float64Array.from(sorted, ([at]) => at);
        const y = Float64Array.from(sorted, ([, low]) => low);
        const line = lineUnder(t, y);
        if (new Set(t).size === 1) {
          expect(line).toBeUndefined();
          return;
        }
        const sumAbove = (drift: number, height: number): number | undefined => {
          const above = y.map((low, i) => low - height - drift * (t[i]! - t[0]!));
          return above.some(distance => distance < -1e-9)
            ? undefined
            : above.reduce((sum, distance) => sum + distance, 0);
        };
        const best = sumAbove(line!.drift, line!.height);
        expect(best).toBeDefined();
        // The best of all lines goes through two of the points.
        for (let a = 0; a < t.length; a++) {
          for (let b = a + 1; b < t.length; b++) {
            if (t[a] === t[b]) continue;
            const drift = (y[b]! - y[a]!) / (t[b]! - t[a]!);
            const other = sumAbove(drift, y[a]! - drift * (t[a]! - t[0]!));
            if (other !== undefined) expect(best!).toBeLessThanOrEqual(other + 1e-9);
          }
        }
      }),
    );
  });
});

test.each([50e-6, -0.2e-6, 0])('the relative drift of %d s/s comes out in spite of the queues', drift => {
  const summary = summariseOneWay(packets(drift, 300e-6, 50e-6))!;
  expect(summary.line.drift).toBeCloseTo(drift, 11);
  expect(summary.line.height).toBeCloseTo(300e-6, 9);
  expect(summary.envelope.drift).toBeCloseTo(drift, 9);
  expect(summary.envelope.jitter).toBeLessThan(1e-6);
  expect(summary.above.p50).toBeGreaterThan(20e-6);
  expect(summary.above.p50).toBeLessThan(40e-6);
  for (const part of summary.parts) expect(part.line.drift).toBeCloseTo(drift, 9);
  expect(summary.parts.map(({ packets: count }) => count)).toEqual([500, 500, 500, 500, 500, 500]);
});

test('a clock whose drift turns round shows it in the parts, and as jitter of the envelope', () => {
  const { t, latency } = packets(0, 300e-6, 50e-6);
  const turning = latency.map((low, i) => low + 1e-6 * Math.abs(t[i]! - 1000));
  const summary = summariseOneWay({ t, latency: turning })!;
  expect(summary.parts[0]!.line.drift).toBeCloseTo(-1e-6, 8);
  expect(summary.parts[5]!.line.drift).toBeCloseTo(1e-6, 8);
  expect(summary.envelope.jitter).toBeGreaterThan(100e-6);
});

test('too few packets, or all at one instant, give no summary', () => {
  expect(summariseOneWay({ t: Float64Array.of(1, 2), latency: Float64Array.of(1, 1) })).toBeUndefined();
  expect(summariseOneWay({ t: Float64Array.of(1, 1, 1), latency: Float64Array.of(1, 2, 3) })).toBeUndefined();
  expect(summariseOneWay({ t: new Float64Array(), latency: new Float64Array() })).toBeUndefined();
});
