import '../../../src/plugins/correctors/kalman.js';
import '../../../src/plugins/correctors/none.js';
import '../../../src/plugins/correctors/offset-only.js';
import '../../../src/plugins/predictors/kalman.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type {
  Corrector,
  Declined,
  Estimate,
  History,
  Measurement,
  Predictor,
} from '../../../src/core/contracts/index.js';
import { isDeclined } from '../../../src/core/contracts/index.js';
import { logOf } from '../../../src/core/pipeline/measurement-log.js';
import { anyEstimate, finite, size } from '../../support/arbitrary.js';
import { at, believed, make, measured } from '../../support/estimation.js';
import { definiteness, inverse, type Matrix, product, scaled, sum, transposed } from '../../support/matrix.js';

const CONTINUES = { continues: true, elapsed: 0 };

const nothing: History = { axis: 'counter', measurements: logOf([]), observed: logOf([]), estimate: undefined };

const corrector = (use: string, options: object = {}): Corrector => make('corrector', { use, ...options }).plugin;

const correct = (
  plugin: Corrector,
  prior: Estimate | undefined,
  measurement: Measurement,
): Estimate | Declined | undefined => plugin.correct(prior, measurement, nothing, prior);

function corrected(plugin: Corrector, prior: Estimate | undefined, measurement: Measurement): Estimate {
  const answer = correct(plugin, prior, measurement);
  if (answer === undefined || isDeclined(answer)) throw new Error('expected an estimate');
  return answer;
}

/** The posteriors of the Kalman predictor and corrector over measurements, as a pipeline would ask them. */
function filterAll(measurements: readonly Measurement[], drift: number, noise: object): readonly Estimate[] {
  const predictor: Predictor = make('predictor', { use: 'kalman', ...noise }).plugin;
  const plugin = corrector('kalman', { drift, gate: 1e12, adapt: false });
  let estimate: Estimate | undefined;
  return measurements.map(measurement => {
    const prior = predictor.predict({ ...nothing, estimate }, measurement.at) as Estimate | undefined;
    estimate = corrected(plugin, prior, measurement);
    return estimate;
  });
}

const series = fc
  .array(fc.record({ gap: finite(0.5, 200), offset: finite(-1, 1), uncertainty: size(1e-6, 1e-1) }), {
    minLength: 2,
    maxLength: 15,
  })
  .map(entries => {
    let t = 0;
    return entries.map(({ gap, offset, uncertainty }) => {
      t += gap;
      return measured(t, offset, uncertainty);
    });
  });

const relative = (found: number, expected: number, scale: number): void =>
  expect(Math.abs(found - expected)).toBeLessThanOrEqual(1e-6 * scale);

describe('the Kalman corrector', () => {
  test('by hand: one scalar update', () => {
    const prior = believed(10, 0.1, 1e-5, { offset: 3e-3, drift: 1e-4, covariance: 9e-8 });
    const posterior = corrected(corrector('kalman'), prior, measured(10, 0.105, 4e-3));
    // S = 9 + 16 = 25 (1e-6 s²), K = [9e-6, 9e-8]/25e-6 = [0.36, 3.6e-3], innovation 5 ms.
    expect(posterior.offset).toBeCloseTo(0.1 + 0.36 * 5e-3, 12);
    expect(posterior.drift).toBeCloseTo(1e-5 + 3.6e-3 * 5e-3, 12);
    expect(posterior.p00).toBeCloseTo(0.64 * 9e-6, 15);
    expect(posterior.p01).toBeCloseTo(0.64 * 9e-8, 15);
    expect(posterior.p11).toBeCloseTo(1e-8 - 3.6e-3 * 9e-8, 15);
    expect(posterior).toMatchObject({ at: at(10), axis: 'counter', by: 'kalman' });
  });

  test('with what it predicts from equals an independent filter on full matrices', () => {
    fc.assert(
      fc.property(
        series,
        size(1e-6, 1e-3),
        size(1e-10, 1e-7),
        size(1e-11, 1e-8),
        (measurements, drift, white, walk) => {
          const found = filterAll(measurements, drift, { whiteFm: white, wander: walk });
          let x: Matrix = [[measurements[0]!.offset], [0]];
          let p: Matrix = [
            [measurements[0]!.uncertainty ** 2, 0],
            [0, drift ** 2],
          ];
          const h: Matrix = [[1, 0]];
          measurements.forEach((measurement, i) => {
            if (i > 0) {
              const tau = measurement.at.counter - measurements[i - 1]!.at.counter;
              const f: Matrix = [
                [1, tau],
                [0, 1],
              ];
              const q: Matrix = [
                [white ** 2 * tau + (walk ** 2 * tau ** 3) / 3, (walk ** 2 * tau ** 2) / 2],
                [(walk ** 2 * tau ** 2) / 2, walk ** 2 * tau],
              ];
              x = product(f, x);
              p = sum(product(product(f, p), transposed(f)), q);
              const r = measurement.uncertainty ** 2;
              const s = product(product(h, p), transposed(h))[0]![0]! + r;
              const gain = scaled(product(p, transposed(h)), 1 / s);
              x = sum(x, scaled(gain, measurement.offset - x[0]![0]!));
              // Joseph's form, which cannot lose its symmetry.
              const rest = sum(
                [
                  [1, 0],
                  [0, 1],
                ],
                scaled(product(gain, h), -1),
              );
              p = sum(product(product(rest, p), transposed(rest)), scaled(product(gain, transposed(gain)), r));
            }
            const estimate = found[i]!;
            relative(estimate.offset, x[0]![0]!, 10 + Math.abs(x[0]![0]!));
            relative(estimate.drift, x[1]![0]!, 10 * drift + Math.abs(x[1]![0]!));
            relative(estimate.p00, p[0]![0]!, 10 * p[0]![0]!);
            relative(estimate.p01, p[0]![1]!, 10 * Math.sqrt(p[0]![0]! * p[1]![1]!));
            relative(estimate.p11, p[1]![1]!, 10 * drift ** 2);
          });
        },
      ),
    );
  });

  test('without process noise equals weighted least squares over all measurements, covariance included', () => {
    fc.assert(
      fc.property(series, size(1e-6, 1e-3), (measurements, drift) => {
        const last = filterAll(measurements, drift, { whiteFm: 0, wander: 0 }).at(-1)!;
        // θ(t) = a + d·(t − t_last), and the one thing known beforehand: d = 0 ± drift.
        const origin = measurements.at(-1)!.at.counter;
        let [n00, n01, n11, b0, b1] = [0, 0, drift ** -2, 0, 0];
        for (const { at: reading, offset, uncertainty } of measurements) {
          const t = reading.counter - origin;
          const weight = uncertainty ** -2;
          n00 += weight;
          n01 += weight * t;
          n11 += weight * t * t;
          b0 += weight * offset;
          b1 += weight * t * offset;
        }
        const covariance = inverse([
          [n00, n01],
          [n01, n11],
        ]);
        const [[offset], [slope]] = product(covariance, [[b0], [b1]]) as readonly [
          readonly [number],
          readonly [number],
        ];
        relative(last.offset, offset, 100);
        relative(last.drift, slope, 100 * drift + 10 * Math.abs(slope));
        relative(last.p00, covariance[0]![0]!, 100 * covariance[0]![0]!);
        relative(last.p01, covariance[0]![1]!, 100 * Math.sqrt(covariance[0]![0]! * covariance[1]![1]!));
        relative(last.p11, covariance[1]![1]!, 1000 * covariance[1]![1]!);
      }),
    );
  });

  test('keeps the covariance positive semi-definite, and never grows it', () => {
    fc.assert(
      fc.property(anyEstimate, finite(-1, 1), size(1e-9, 1), (prior, deviations, uncertainty) => {
        const offset = prior.offset + deviations * Math.sqrt(prior.p00 + uncertainty ** 2);
        const posterior = corrected(corrector('kalman'), prior, { ...measured(0, offset, uncertainty), at: prior.at });
        expect(definiteness(posterior.p00, posterior.p01, posterior.p11)).toBeGreaterThan(-1e-6);
        expect(posterior.p00).toBeLessThanOrEqual(prior.p00 * (1 + 1e-12));
        expect(posterior.p00).toBeLessThanOrEqual(uncertainty ** 2 * (1 + 1e-12));
        expect(posterior.p11).toBeLessThanOrEqual(prior.p11 * (1 + 1e-12));
      }),
      { numRuns: 500 },
    );
  });

  test('does not believe a lone outlier, believes the second to the same side, and starts afresh there', () => {
    const plugin = corrector('kalman', { leap: false, adapt: false });
    const prior = believed(0, 0, 1e-6, { offset: 1e-3, drift: 1e-6 });
    expect(correct(plugin, prior, measured(10, 0.25, 1e-3))).toEqual({
      declined: 'innovation +250 ms is 176.8 deviations',
    });
    const after = corrected(plugin, prior, measured(20, 0.251, 1e-3));
    // From the first of them, 10 s earlier, with a drift of ±200 ppm: P = [5e-6, 4e-7; 4e-7, 4e-8], S = 6e-6.
    expect(after.offset).toBeCloseTo(0.25001 + (5 / 6) * 0.00099, 12);
    expect(after.drift).toBeCloseTo(1e-6 + 0.00099 / 15, 12);
    expect(after.p00).toBeCloseTo((5 / 6) * 1e-6, 15);
    expect(after.p01).toBeCloseTo(4e-7 / 6, 15);
    expect(after.p11).toBeCloseTo(4e-8 - 4e-7 / 15, 15);
    expect(after.maxError).toBeCloseTo(0.01 + Math.abs(after.offset - 0.251), 12);
  });

  /** A measurement of a millisecond's deviation with a round trip of two. */
  const asked = (t: number, offset: number) => ({ ...measured(t, offset, 1e-3), delay: 2e-3 });

  test.each([true, false])(
    'two outliers that no step explains are a frequency, which they alone then tell (leap: %s)',
    leap => {
      const options = { leap };
      const plugin = corrector('kalman', options);
      const prior = believed(0, 0, 1e-6, { offset: 0, drift: 0 });
      expect(isDeclined(correct(plugin, prior, asked(64, 3.2))!)).toBe(!leap);
      const after = corrected(plugin, prior, asked(128, 6.4));
      expect(after.offset).toBe(6.4);
      expect(after.drift).toBeCloseTo(0.05, 12);
      expect(after.p11).toBeCloseTo((2 * 1e-6) / 64 ** 2, 15);
      expect(after.p01).toBeCloseTo(1e-6 / 64, 15);
    },
  );

  test('two outliers to different sides, or with a good one between them, are no step', () => {
    const prior = believed(0, 0, 0, { offset: 1e-3, drift: 1e-6 });
    const sides = corrector('kalman', { leap: false });
    expect(isDeclined(correct(sides, prior, measured(1, 1))!)).toBe(true);
    expect(isDeclined(correct(sides, prior, measured(2, -1))!)).toBe(true);
    const between = corrector('kalman', { leap: false });
    expect(isDeclined(correct(between, prior, measured(1, 1))!)).toBe(true);
    corrected(between, prior, measured(2, 0));
    expect(isDeclined(correct(between, prior, measured(3, 1))!)).toBe(true);
  });

  test('takes the state of another one, and refuses what is not such a state', () => {
    const prior = believed(0, 0, 0, { offset: 1e-3, drift: 1e-6 });
    const first = corrector('kalman', { leap: false });
    correct(first, prior, measured(1, 1));
    const second = corrector('kalman', { leap: false });
    second.restore!(JSON.parse(JSON.stringify(first.snapshot!())), CONTINUES);
    expect(corrected(second, prior, measured(2, 1)).offset).toBe(1);
    expect(() => second.restore!({ version: 99, state: {} }, CONTINUES)).toThrow(
      'expected a snapshot of version 3, found 99',
    );
    expect(() => second.restore!({ version: 3, state: { outliers: 'many' } }, CONTINUES)).toThrow();
  });

  test('a step that half the round trip cannot explain is believed at once, and the drift stays', () => {
    const prior = believed(0, 0, 1e-6, { offset: 1e-3, drift: 1e-6 });
    const after = corrected(corrector('kalman'), prior, asked(10, 0.25));
    expect(after.offset).toBeCloseTo(0.25, 4);
    expect(after.drift).toBeCloseTo(1e-6, 12);
    // Without a round trip nothing says that it was no queue.
    expect(isDeclined(correct(corrector('kalman'), prior, measured(10, 0.25, 1e-3))!)).toBe(true);
  });

  test('has a maximum error that covers what either side admits', () => {
    const prior = { ...believed(0, 0, 0, { offset: 1e-2, drift: 1e-6 }), maxError: 0.02 };
    const posterior = corrected(corrector('kalman'), prior, { ...measured(0, 0.01, 1e-2), rootDistance: 0.5 });
    // Moved by 5 ms from where ±20 ms held.
    expect(posterior.maxError).toBeCloseTo(0.025, 12);
    const better = corrected(corrector('kalman'), prior, { ...measured(0, 0.01, 1e-2), rootDistance: 0.004 });
    expect(better.maxError).toBeCloseTo(0.009, 12);
  });
});

describe('the offset-only corrector', () => {
  test('moves all the way to a measurement, or the share of it that it is told', () => {
    const prior = believed(0, 0.1, 3e-6, { offset: 3e-3, drift: 1e-6 });
    expect(corrected(corrector('offset-only'), prior, measured(0, 0.2, 1e-3))).toMatchObject({
      offset: 0.2,
      drift: 3e-6,
      by: 'offset-only',
    });
    const part = corrected(corrector('offset-only', { strength: 0.25 }), prior, measured(0, 0.2, 4e-3));
    expect(part.offset).toBeCloseTo(0.125, 12);
    expect(part.p00).toBeCloseTo(0.75 ** 2 * 9e-6 + 0.25 ** 2 * 16e-6, 15);
    expect(part.maxError).toBeCloseTo(0.01 + 0.075, 12);
  });

  test('keeps the covariance positive semi-definite', () => {
    fc.assert(
      fc.property(
        anyEstimate,
        size(1e-9, 1),
        finite(0.01, 1),
        size(1e-9, 1e-3),
        (prior, uncertainty, strength, drift) => {
          const plugin = corrector('offset-only', { strength, drift });
          const posterior = corrected(plugin, prior, { ...measured(0, 0, uncertainty), at: prior.at });
          expect(definiteness(posterior.p00, posterior.p01, posterior.p11)).toBeGreaterThan(-1e-6);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('no correction', () => {
  test('leaves the word to the predictor', () => {
    expect(correct(corrector('none'), believed(0, 1), measured(0, 2))).toBeUndefined();
  });
});
