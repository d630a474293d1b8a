import '../../../src/plugins/predictors/kalman.js';
import '../../../src/plugins/predictors/last-value.js';
import '../../../src/plugins/predictors/linear-regression.js';
import '../../../src/plugins/predictors/running-median.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Estimate, History, Measurement } from '../../../src/core/contracts/index.js';
import { logOf } from '../../../src/core/pipeline/measurement-log.js';
import { finite } from '../../support/arbitrary.js';
import { at, believed, make, measured } from '../../support/estimation.js';

const historyOf = (measurements: readonly Measurement[], estimate?: Estimate): History => ({
  axis: 'counter',
  measurements: logOf(measurements),
  observed: logOf(measurements),
  estimate,
});

const predict = (use: string, history: History, t: number, options: object = {}): Estimate | undefined => {
  const answer = make('predictor', { use, ...options }).plugin.predict(history, at(t));
  if (answer !== undefined && 'then' in answer) throw new Error('answers at once');
  return answer;
};

describe.each(['last-value', 'linear-regression', 'kalman', 'running-median'])('the predictor %s', use => {
  test('says nothing while it knows nothing', () => {
    expect(predict(use, historyOf([]), 10)).toBeUndefined();
  });
});

describe('the last value', () => {
  test('is held, less and less surely', () => {
    const history = historyOf([measured(0, 5, 1e-3), measured(100, 0.25, 2e-3)]);
    const estimate = predict('last-value', history, 1100, { drift: '2 ppm' })!;
    expect(estimate).toMatchObject({ offset: 0.25, drift: 0, by: 'last-value', at: at(1100) });
    // (2 ms)² + (2e-6 × 1000 s)²
    expect(estimate.p00).toBeCloseTo(8e-6, 15);
    expect(estimate.maxError).toBeCloseTo(0.01 + 1000 * (15e-6 + 5 * 2e-6), 12);
  });
});

describe('the running median', () => {
  test('by hand: of five offsets the middle one, with what MAD says of it', () => {
    const points = [1, 2, 900, 4, 7].map((ms, i) => measured(100 * i, ms / 1000, 0.1e-3));
    const estimate = predict('running-median', historyOf(points), 500, { drift: '2 ppm' })!;
    expect(estimate).toMatchObject({ offset: 4e-3, drift: 0, by: 'running-median', at: at(500) });
    // Distances 3, 2, 896, 0, 3 ms: MAD 3 ms; (π/2)·(1.4826·3 ms)²/5, and 2 ppm over the 100 s since the last.
    expect(estimate.p00).toBeCloseTo(6.214989e-6 + (2e-6 * 100) ** 2, 12);
  });

  test('looks back on no more than it was told to, and is no surer than a measurement claims', () => {
    const points = [9, 9, 9, 1, 1, 1].map((ms, i) => measured(i, ms / 1000, 2e-3));
    const estimate = predict('running-median', historyOf(points), 5, { measurements: 3 })!;
    expect(estimate.offset).toBe(1e-3);
    expect(estimate.p00).toBeCloseTo(((Math.PI / 2) * 4e-6) / 3, 15);
  });
});

describe('the linear regression', () => {
  test('by hand: least squares through four irregular points', () => {
    // t = 0, 1, 3, 4 s, θ = 1, 3, 2, 5 s: t̄ = 2, θ̄ = 2.75, Sxx = 10, Sxy = 7, so d = 0.7 and θ(2) = 2.75.
    const points = [
      [0, 1],
      [1, 3],
      [3, 2],
      [4, 5],
    ] as const;
    const history = historyOf(points.map(([t, offset]) => measured(t, offset)));
    const estimate = predict('linear-regression', history, 6)!;
    expect(estimate.drift).toBeCloseTo(0.7, 12);
    expect(estimate.offset).toBeCloseTo(2.75 + 0.7 * 4, 12);
    // Residuals −0.35, 0.95, −1.45, 0.85: Σr² = 3.85, s² = 1.925 with two degrees of freedom.
    expect(estimate.p11).toBeCloseTo(1.925 / 10, 12);
    expect(estimate.p00).toBeCloseTo(1.925 * (1 / 4 + 16 / 10), 12);
    expect(estimate.p01).toBeCloseTo((1.925 * 4) / 10, 12);
  });

  test('goes by the times of the measurements, not by their place in the list', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 1000 }), { minLength: 2, maxLength: 10 }),
        finite(-1, 1),
        finite(-1e-4, 1e-4),
        (times, offset, drift) => {
          const points = [...times].sort((a, b) => a - b).map(t => measured(t, offset + drift * t));
          const estimate = predict('linear-regression', historyOf(points), 2000)!;
          expect(estimate.drift).toBeCloseTo(drift, 9);
          expect(estimate.offset).toBeCloseTo(offset + drift * 2000, 6);
        },
      ),
    );
  });

  test('takes the last ten unless told otherwise', () => {
    // A clock that ran at 1e-4 and then, for the last ten measurements, at 2e-4.
    const points = Array.from({ length: 30 }, (_, i) => measured(i * 10, i < 20 ? i * 1e-3 : i * 2e-3));
    expect(predict('linear-regression', historyOf(points), 300)!.drift).toBeCloseTo(2e-4, 12);
    expect(predict('linear-regression', historyOf(points), 300, { measurements: 20 })!.drift).toBeGreaterThan(2.5e-4);
  });

  test('with one measurement tells its offset, with two the line between them, with claimed uncertainty', () => {
    const [first, second] = [measured(0, 1, 1e-3), measured(10, 2, 1e-3)];
    expect(predict('linear-regression', historyOf([first]), 20)).toMatchObject({ offset: 1, drift: 0 });
    const estimate = predict('linear-regression', historyOf([first, second]), 20)!;
    expect(estimate.offset).toBeCloseTo(3, 12);
    expect(estimate.p11).toBeCloseTo((2 * 1e-6) / 100, 15);
  });

  test('with all its measurements at one instant tells the last', () => {
    const points = [measured(5, 1), measured(5, 2), measured(5, 3)];
    expect(predict('linear-regression', historyOf(points), 10)).toMatchObject({ offset: 3, drift: 0 });
  });
});

describe('the Kalman prediction', () => {
  test('is the posterior, propagated with the oscillator’s noise of its options', () => {
    const posterior = believed(100, 0.5, 1e-5, { offset: 1e-3, drift: 1e-6, covariance: 1e-10 });
    const history = historyOf([measured(0, 9)], posterior);
    const estimate = predict('kalman', history, 300, { whiteFm: 1e-8, wander: 1e-9 })!;
    expect(estimate.offset).toBeCloseTo(0.5 + 2e-3, 12);
    const q = { white: 1e-16, walk: 1e-18 };
    const tau = 200;
    expect(estimate.p00).toBeCloseTo(
      1e-6 + 2 * tau * 1e-10 + tau ** 2 * 1e-12 + q.white * tau + (q.walk * tau ** 3) / 3,
      18,
    );
    expect(estimate.p01).toBeCloseTo(1e-10 + tau * 1e-12 + (q.walk * tau ** 2) / 2, 18);
    expect(estimate.p11).toBeCloseTo(1e-12 + q.walk * tau, 20);
    expect(estimate.whiteFm).toBeCloseTo(1e-16, 25);
    expect(estimate.randomWalkFm).toBeCloseTo(1e-18, 27);
    expect(estimate).toMatchObject({ by: 'kalman', at: at(300) });
  });
});
