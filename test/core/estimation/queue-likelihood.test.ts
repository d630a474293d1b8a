import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalTail } from '../../../src/core/estimation/normal.js';
import { QUEUE_SCALES, QueueLaw, QueueLikelihood } from '../../../src/core/estimation/queue-likelihood.js';
import { randomStream } from '../../../src/core/world/random.js';

const OUTLIER = 0.003;

/** Moments of prior × likelihood on a fine grid; `density(r)` is the likelihood of r = measured − true, |r| ≤ half. */
function integrated(
  mean: number,
  variance: number,
  offset: number,
  half: number,
  noise: number,
  density: (r: number) => number,
): { mean: number; variance: number; logEvidence: number } {
  const cells = 400;
  const width = (2 * half) / cells;
  const middles = Array.from({ length: cells }, (_, i) => -half + (i + 0.5) * width);
  const heights = middles.map(density);
  const area = heights.reduce((a, b) => a + b, 0) * width;
  const normal = (x: number, v: number) => Math.exp((-0.5 * x * x) / v) / Math.sqrt(2 * Math.PI * v);
  const between = (a: number, b: number) => (a >= 0 ? normalTail(a) - normalTail(b) : normalTail(-b) - normalTail(-a));
  const wide = (2 * half + 2 * noise) ** 2 + noise ** 2;
  const sd = Math.sqrt(variance);
  const n = 1200;
  const step = (16 * sd) / n;
  let z = 0;
  let first = 0;
  let second = 0;
  for (let i = 0; i < n; i++) {
    const x = mean - 8 * sd + (i + 0.5) * step;
    let likelihood = 0;
    for (let j = 0; j < cells; j++) {
      const from = (offset - middles[j]! - width / 2 - x) / noise;
      likelihood += (heights[j]! / area) * between(from, from + width / noise);
    }
    const p = normal(x - mean, variance) * ((1 - OUTLIER) * likelihood + OUTLIER * normal(offset - x, wide)) * step;
    z += p;
    first += p * x;
    second += p * x * x;
  }
  return { mean: first / z, variance: second / z - (first / z) ** 2, logEvidence: Math.log(z) };
}

describe('the likelihood of an offset', () => {
  const cases = [
    // prior mean, deviation, offset, excess, noise (ms)
    [0, 1, 0.3, 2, 0.02],
    [0, 0.05, 0.8, 2, 0.02],
    [0, 0.05, 1.3, 2, 0.02],
    [0.2, 0.2, -0.1, 0.02, 0.1],
    [0, 3, -2, 0.5, 0.05],
  ] as const;

  it.each(cases)('flat between its bounds: prior %d ± %d ms, offset %d, excess %d, noise %d', (m, s, o, e, noise) => {
    const ms = 1e-3;
    const likelihood = new QueueLikelihood();
    likelihood.prepare(o * ms, e * ms, ms, QueueLaw.quiet(), noise * ms, OUTLIER);
    const { mean, variance, logEvidence } = likelihood.update(m * ms, (s * ms) ** 2, 1);
    const truth = integrated(m * ms, (s * ms) ** 2, o * ms, (e * ms) / 2, noise * ms, () => 1);
    const sd = Math.sqrt(truth.variance);
    expect(Math.abs(mean - truth.mean) / sd).toBeLessThan(0.03);
    expect(Math.abs(Math.sqrt(variance) / sd - 1)).toBeLessThan(0.03);
    expect(Math.abs(logEvidence - truth.logEvidence)).toBeLessThan(0.02);
  });

  it('has its weight at the ends where one queue alone was long', () => {
    const ms = 1e-3;
    const law = new QueueLaw();
    const density = (r: number) => law.density(5 * ms + r, 5 * ms - r, 0.5 * ms);
    expect(density(4.9 * ms)).toBeGreaterThan(5 * density(0));
    const likelihood = new QueueLikelihood();
    likelihood.prepare(0, 10 * ms, 0.5 * ms, law, 0.02 * ms, OUTLIER);
    const near = { ...likelihood.update(4.5 * ms, (0.5 * ms) ** 2, 1) };
    const truth = integrated(4.5 * ms, (0.5 * ms) ** 2, 0, 5 * ms, 0.02 * ms, density);
    // Eight pieces stand for the smooth density: close, not equal.
    expect(Math.abs(near.mean - truth.mean) / Math.sqrt(truth.variance)).toBeLessThan(0.3);
    expect(Math.sqrt(near.variance / truth.variance)).toBeGreaterThan(0.75);
    expect(Math.sqrt(near.variance / truth.variance)).toBeLessThan(1.35);
  });

  it('is finite, never widens a posterior to more than prior and exchange together, and ignores what is impossible', () => {
    const size = fc.double({ min: -9, max: 0, noNaN: true }).map(x => 10 ** x);
    fc.assert(
      fc.property(
        size,
        size,
        size,
        size,
        fc.double({ min: -1, max: 1, noNaN: true }),
        (sd, e, scale, noise, offset) => {
          const likelihood = new QueueLikelihood();
          likelihood.prepare(offset, e, scale, new QueueLaw(), noise, OUTLIER);
          const { mean, variance, logEvidence } = likelihood.update(0, sd * sd, 1);
          for (const value of [mean, variance, logEvidence]) expect(Number.isFinite(value)).toBe(true);
          expect(variance).toBeGreaterThan(0);
          expect(variance).toBeLessThanOrEqual(Math.max(sd, Math.abs(offset) + e + noise) ** 2 * 2);
          // The posterior lies between what was believed and what was measured.
          const reach = e / 2 + 6 * noise + 6 * sd;
          expect(mean).toBeGreaterThanOrEqual(Math.min(0, offset) - reach);
          expect(mean).toBeLessThanOrEqual(Math.max(0, offset) + reach);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('without delays is the normal law’s update', () => {
    const likelihood = new QueueLikelihood();
    likelihood.prepare(2e-3, 1e-3, 1e-3, QueueLaw.quiet(), 1e-6, 1e-12);
    const { mean, variance } = likelihood.updateNormal(0, 1e-6, 1e-3, true);
    expect(mean).toBeCloseTo(1e-3, 9);
    expect(variance).toBeCloseTo(0.5e-6, 12);
  });
});

describe('the law of the queues', () => {
  const total = (law: QueueLaw, scale: number): number => {
    // ∫∫ f over a logarithmic grid, u and d from 1e-4 to 400 scales.
    const n = 240;
    const edge = (i: number) => (i === 0 ? 0 : scale * 1e-4 * 4e6 ** (i / n));
    let sum = 0;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const [a, b, c, d] = [edge(i), edge(i + 1), edge(j), edge(j + 1)];
        sum += law.density((a + b) / 2, (c + d) / 2, scale) * (b - a) * (d - c);
      }
    }
    return sum;
  };

  it('is a density', () => {
    expect(total(new QueueLaw(), 1e-3)).toBeCloseTo(1, 2);
    expect(total(QueueLaw.quiet(), 1e-3)).toBeCloseTo(1, 2);
  });

  it('learns that congestion comes one way, from offsets that were known', () => {
    const stream = randomStream('1', 'congestion');
    const law = new QueueLaw();
    const likelihood = new QueueLikelihood();
    const scale = 1e-3;
    expect(law.density(20 * scale, scale, scale) / law.density(scale, 20 * scale, scale)).toBeCloseTo(1, 9);
    for (let i = 0; i < 200; i++) {
      const there = scale * (stream.exponential() + QUEUE_SCALES[2] * stream.exponential());
      const back = scale * stream.exponential();
      likelihood.prepare((there - back) / 2, there + back, scale, law, 1e-5, OUTLIER);
      likelihood.update(0, 1e-10, 1);
      likelihood.teach(law, scale);
    }
    expect(law.density(20 * scale, scale, scale) / law.density(scale, 20 * scale, scale)).toBeGreaterThan(30);
    expect(law.quiet).toBeLessThan(0.3);
    expect(total(law, scale)).toBeCloseTo(1, 1);
    const copy = new QueueLaw();
    copy.restore(JSON.parse(JSON.stringify(law.snapshot())));
    expect(copy.density(3e-3, 1e-3, scale)).toBe(law.density(3e-3, 1e-3, scale));
  });
});
