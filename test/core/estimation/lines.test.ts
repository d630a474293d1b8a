import { describe, expect, it } from 'vitest';
import { estimateOfLine, leastSquares, median, theilSen } from '../../../src/core/estimation/lines.js';
import { measured } from '../../support/estimation.js';
import { gaussian } from '../../support/gaussian.js';

describe('least squares', () => {
  // t = 0, 1, 2, 4; θ = 1, 2, 2, 6: t̄ = 1.75, θ̄ = 2.75, Σ(t − t̄)² = 8.75, Σ(t − t̄)(θ − θ̄) = 10.75.
  const points = [
    { t: 0, offset: 1 },
    { t: 1, offset: 2 },
    { t: 2, offset: 2 },
    { t: 4, offset: 6 },
  ];

  it('gives the line and its covariance as worked out by hand', () => {
    const line = leastSquares(points, 0)!;
    const drift = 10.75 / 8.75;
    const offset = 2.75 - 1.75 * drift;
    expect(line.drift).toBeCloseTo(drift, 12);
    expect(line.offset).toBeCloseTo(offset, 12);
    const squares = points.reduce((sum, p) => sum + (p.offset - offset - drift * p.t) ** 2, 0);
    // The normal equations: (AᵀA)⁻¹ = [Σt², −Σt; −Σt, n]/(nΣt² − (Σt)²), times s² = squares/2.
    const det = 4 * 21 - 49;
    expect(line.p00).toBeCloseTo((squares / 2) * (21 / det), 12);
    expect(line.p01).toBeCloseTo((squares / 2) * (-7 / det), 12);
    expect(line.p11).toBeCloseTo((squares / 2) * (4 / det), 12);
  });

  it('takes two points by their own word, and no line from points at one instant', () => {
    const line = leastSquares([points[0]!, points[2]!], 0.5)!;
    expect(line).toMatchObject({ drift: 0.5, offset: 1 });
    expect(line.p11).toBeCloseTo(0.5 / 2, 12);
    expect(leastSquares([points[0]!, { t: 0, offset: 3 }], 1)).toBeUndefined();
    expect(leastSquares([points[0]!], 1)).toBeUndefined();
  });
});

describe('Theil and Sen', () => {
  it('takes the median slope: one wild point of five changes nothing', () => {
    // Slopes of the pairs without the wild point are all 2.
    const points = [0, 1, 2, 3, 4].map(t => ({ t, offset: t === 3 ? 1000 : 1 + 2 * t }));
    const line = theilSen(points, 0)!;
    expect(line.drift).toBeCloseTo(2, 12);
    expect(line.offset).toBeCloseTo(1, 12);
    expect(leastSquares(points, 0)!.drift).toBeGreaterThan(50);
  });

  it('is the median of these six slopes: 1, 1/2, 5/4, 0, 4/3, 2', () => {
    const points = [
      { t: 0, offset: 1 },
      { t: 1, offset: 2 },
      { t: 2, offset: 2 },
      { t: 4, offset: 6 },
    ];
    expect(theilSen(points, 0)!.drift).toBeCloseTo((1 + 5 / 4) / 2, 12);
  });

  it('claims the scatter that it has on normal noise, for the slope and the offset', () => {
    const normal = gaussian('theil-sen');
    const runs = 2000;
    const found = { drift: 0, offset: 0, p11: 0, p00: 0 };
    for (let run = 0; run < runs; run++) {
      const line = theilSen(
        Array.from({ length: 20 }, (_, t) => ({ t: t - 19, offset: normal() })),
        0,
      )!;
      found.drift += line.drift ** 2 / runs;
      found.offset += line.offset ** 2 / runs;
      found.p11 += line.p11 / runs;
      found.p00 += line.p00 / runs;
    }
    expect(found.p11 / found.drift).toBeGreaterThan(0.8);
    expect(found.p11 / found.drift).toBeLessThan(1.25);
    expect(found.p00 / found.offset).toBeGreaterThan(0.8);
    expect(found.p00 / found.offset).toBeLessThan(1.4);
  });
});

it('a median of four is the mean of the two in the middle', () => {
  expect(median([9, 1, 3, 5])).toBe(4);
  expect(median([9, 1, 3])).toBe(3);
});

it('an estimate of a line holds at the last measurement, by the measurements’ own times', () => {
  const measurements = [measured(100, 1e-3), measured(110, 2e-3), measured(150, 6e-3)];
  const estimate = estimateOfLine(measurements, 'counter', 'least-squares', 'line')!;
  expect(estimate.drift).toBeCloseTo(1e-4, 12);
  expect(estimate.offset).toBeCloseTo(6e-3, 12);
  expect(estimate.at.counter).toBe(150);
});
