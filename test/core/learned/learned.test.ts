import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Estimate, Measurement } from '../../../src/core/contracts/index.js';
import { ConformalFactor } from '../../../src/core/learned/conformal.js';
import { corrected, hedged, LEVELS, problemWith, ROWS, widened } from '../../../src/core/learned/correction.js';
import { ExpectedGain } from '../../../src/core/learned/expected-gain.js';
import { Gate, pinball } from '../../../src/core/learned/gate.js';
import { LearnedEstimator } from '../../../src/core/learned/learned-estimator.js';
import { leastSquares } from '../../../src/core/learned/line-fits.js';
import { FEATURES, LEAST, ResidualWindow, scalesOf, WINDOW } from '../../../src/core/learned/residual-window.js';
import { Trust } from '../../../src/core/learned/trust.js';
import { inverseNormal, timeWith } from '../../../src/core/pipeline/telling.js';
import { randomStream } from '../../../src/core/world/random.js';
import { expectSound, measurementAt } from '../../contract/conformance.js';
import { anyEstimate, finite, size } from '../../support/arbitrary.js';
import { at } from '../../support/estimation.js';

interface Row {
  readonly gap: number;
  readonly offset: number;
  readonly delay: number;
  readonly posterior: number;
  readonly source: string;
}

const row: fc.Arbitrary<Row> = fc.record({
  gap: finite(16, 300),
  offset: finite(-1e-3, 1e-3),
  delay: finite(0.02, 0.05),
  posterior: finite(-1e-4, 1e-4),
  source: fc.constantFrom('a', 'b'),
});
const rows = fc.array(row, { minLength: LEAST, maxLength: 80 });

/** The window after rows whose offsets, delays and deviations are `scale` times as large, on a line a + b·t. */
function windowOf(list: readonly Row[], { scale = 1, a = 0, b = 0 } = {}) {
  const window = new ResidualWindow('counter');
  let t = 0;
  for (const { gap, offset, delay, posterior, source } of list) {
    t += gap;
    const line = a + b * t;
    const measurement: Measurement = {
      ...measurementAt(t, 0, 0, source),
      at: at(t),
      offset: scale * offset + line,
      delay: scale * delay,
    };
    const estimate: Estimate = {
      at: at(t),
      axis: 'counter',
      offset: scale * posterior + line,
      drift: b,
      p00: (scale * 1e-4) ** 2,
      p01: 0,
      p11: (scale * 1e-8) ** 2,
      whiteFm: scale ** 2 * 1e-14,
      randomWalkFm: scale ** 2 * 1e-20,
      maxError: scale * 0.01,
      maxErrorRate: 15e-6,
      by: 'test',
    };
    window.add(measurement, estimate);
  }
  return window.features();
}

const close = (found: ArrayLike<number>, expected: ArrayLike<number>, digits: number): void => {
  for (let i = 0; i < expected.length; i++) expect(found[i], `number ${i}`).toBeCloseTo(expected[i]!, digits);
};

describe('the window of residuals', () => {
  test('has no unit: a link a thousand times as slow looks the same', () => {
    fc.assert(
      fc.property(rows, size(1e-3, 1e3), (list, scale) => {
        const plain = windowOf(list)!;
        const scaled = windowOf(list, { scale })!;
        close(scaled.samples, plain.samples, 4);
        close(scaled.globals, plain.globals, 4);
      }),
      { numRuns: 50 },
    );
  });

  test('sees neither the offset nor the drift of the clock, only what is left of them', () => {
    fc.assert(
      fc.property(rows, finite(-10, 10), finite(-5e-5, 5e-5), (list, a, b) => {
        const plain = windowOf(list)!;
        close(windowOf(list, { a, b })!.samples, plain.samples, 3);
      }),
      { numRuns: 50 },
    );
  });

  test('of the mirrored clock is the mirrored window', () => {
    const odd = new Set([9, ...[0, 1, 2, 3, 4, 5].flatMap(fit => [17 + 3 * fit, 18 + 3 * fit]), 35, 36, 37, 38]);
    fc.assert(
      fc.property(rows, list => {
        const { samples, globals } = windowOf(list)!;
        const other = windowOf(list.map(one => ({ ...one, offset: -one.offset, posterior: -one.posterior })))!;
        close(
          other.globals,
          [...globals].map((value, i) => (odd.has(i) ? -value : value)),
          4,
        );
        for (let i = 0; i < samples.length; i += FEATURES) {
          const [r, e, , , , , low, high] = samples.subarray(i, i + FEATURES);
          close(other.samples.subarray(i, i + 2), [-r!, e!], 4);
          close(other.samples.subarray(i + 6, i + 8), [-high!, -low!], 4);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('is padded on the left, and holds the last measurements only', () => {
    fc.assert(
      fc.property(rows, list => {
        const { samples } = windowOf(list)!;
        const empty = Math.max(0, WINDOW - list.length);
        expect(samples.subarray(0, empty * FEATURES).every(value => value === 0)).toBe(true);
        for (let i = empty; i < WINDOW; i++) expect(samples[i * FEATURES + 5]).toBe(1);
        const shown = windowOf(list.slice(-WINDOW))!;
        // What the first of them surprised the estimator by is known only to who has seen the one before it.
        close(samples.subarray((empty + 1) * FEATURES), shown.samples.subarray((empty + 1) * FEATURES), 4);
      }),
      { numRuns: 30 },
    );
  });

  test('says nothing of fewer than four measurements, nor of measurements at one instant', () => {
    const one: Row = { gap: 64, offset: 0, delay: 0.02, posterior: 0, source: 'a' };
    expect(windowOf([one, one, one])).toBeUndefined();
    expect(windowOf([one, one, one, one])).toBeDefined();
    expect(windowOf([one, { ...one, gap: 0 }, { ...one, gap: 0 }, { ...one, gap: 0 }])).toBeUndefined();
  });
});

/** What an estimator that is right about itself would hear. */
const NORMAL = Array.from({ length: ROWS }, () => LEVELS.map(inverseNormal)).flat();

describe('the other opinions', () => {
  test('find the line that measurements lie on, and how well they do', () => {
    const line = fc.tuple(finite(-100, 100), finite(-100, 100), fc.integer({ min: 3, max: 64 }));
    fc.assert(
      fc.property(line, ([a, b, n]) => {
        const x = Array.from({ length: n }, (_, i) => i / n);
        const one = x.map(() => 1);
        const { coefficients, chi } = leastSquares(
          [one, x],
          x.map(u => a + b * u),
          one,
        );
        // The pull to zero is a thousandth of the weight.
        const size = 0.05 * (Math.abs(a) + Math.abs(b)) + 1e-9;
        expect(Math.abs(coefficients[0]! - a)).toBeLessThan(size);
        expect(Math.abs(coefficients[1]! - b)).toBeLessThan(size);
        expect(chi).toBeLessThan(size);
      }),
    );
  });

  test('stay finite where all measurements are of one instant', () => {
    const { coefficients } = leastSquares(
      [
        [1, 1, 1],
        [0, 0, 0],
      ],
      [3, 4, 5],
      [1, 1, 1],
    );
    expect(coefficients[0]).toBeCloseTo(4, 1);
    expect(coefficients[1]).toBeCloseTo(0, 9);
  });
});

describe('a correction', () => {
  test('of nothing leaves the estimate as it is', () => {
    fc.assert(
      fc.property(anyEstimate, size(1, 4096), (estimate, spacing) => {
        const left = corrected(estimate, NORMAL, spacing, 'x');
        expect(left.offset).toBeCloseTo(estimate.offset, 12);
        expect(left.drift).toBeCloseTo(estimate.drift, 15);
        expect(left.quantiles!.at95 * Math.sqrt(left.p00)).toBeCloseTo(1.96 * Math.sqrt(estimate.p00), 4);
      }),
    );
  });

  test('moves the offset by its median, and leaves a covariance behind it whatever it says', () => {
    const answer = fc.array(finite(-11, 11), { minLength: NORMAL.length, maxLength: NORMAL.length }).map(values => {
      const sorted: number[] = [];
      for (let r = 0; r < ROWS; r++) {
        sorted.push(...values.slice(r * LEVELS.length, (r + 1) * LEVELS.length).sort((x, y) => x - y));
      }
      return sorted;
    });
    fc.assert(
      fc.property(anyEstimate, size(1, 4096), answer, (estimate, spacing, values) => {
        expect(problemWith(values)).toBeUndefined();
        const moved = corrected(estimate, values, spacing, 'x');
        expectSound(moved);
        const by = values[LEVELS.indexOf(0.5)]! * scalesOf(estimate, spacing)[0]!;
        expect(moved.offset).toBeCloseTo(estimate.offset + by, 9);
        // Whatever the model says, the bounds that hold for any asymmetry still hold what they held.
        expect(moved.maxError).toBeGreaterThanOrEqual(estimate.maxError + Math.abs(by) - 1e-12);
        const wide = widened(moved, 2, 0.5).quantiles!;
        expect(wide.at80).toBeGreaterThanOrEqual(wide.at68);
        expect(wide.at95).toBeGreaterThanOrEqual(wide.at80!);
      }),
    );
  });

  test('holds its shares about the median of a law that leans to one side', () => {
    fc.assert(
      fc.property(anyEstimate, finite(0.2, 5), (estimate, lean) => {
        // Normal below the median and `lean` times as wide above.
        const answer = NORMAL.map(z => (z > 0 ? lean * z : z));
        const told = corrected(estimate, answer, 64, 'x');
        const random = randomStream('1', 'lean');
        const errors = Array.from({ length: 4000 }, () => {
          const z = random.normal();
          return (z > 0 ? lean * z : z) * scalesOf(estimate, 64)[0]!;
        });
        for (const level of [0.68, 0.8, 0.95]) {
          const half = timeWith(told, told.at, told.axis, 0, level).uncertainty!;
          const held = errors.filter(error => Math.abs(error) <= half).length / errors.length;
          expect(Math.abs(held - level)).toBeLessThan(0.025);
        }
      }),
      { numRuns: 20 },
    );
  });

  test('has intervals of its own only as far as it is believed, and the classical ones for the rest', () => {
    const halfOf = (estimate: Estimate, age: number, level: number): number =>
      timeWith(estimate, at(estimate.at.counter + age), estimate.axis, 0, level).uncertainty!;
    fc.assert(
      fc.property(anyEstimate, finite(0.3, 3), finite(0, 1), finite(0, 5000), (estimate, wide, share, age) => {
        const classical = { ...estimate, axis: 'counter' as const, quantiles: { at68: 0.9, at95: 1.7 } };
        const answer = NORMAL.map(z => wide * z);
        const own = widened(corrected(classical, answer, 64, 'x'), 1.1, 1.2);
        const told = hedged(own, classical, share);
        expectSound(told);
        expect([told.offset, told.drift, told.maxError]).toEqual([own.offset, own.drift, own.maxError]);
        expect(hedged(own, classical, 1)).toEqual(own);
        for (const level of [0.68, 0.8, 0.95]) {
          const [mine, theirs] = [halfOf(own, age, level), halfOf(classical, age, level)];
          const half = halfOf(told, age, level);
          expect(half).toBeGreaterThanOrEqual(0.97 * Math.min(mine, theirs));
          expect(half).toBeLessThanOrEqual(1.03 * Math.max(mine, theirs));
          expect(halfOf(hedged(own, classical, 0), age, level) / theirs).toBeCloseTo(1, 6);
        }
      }),
    );
  });

  test('that is no answer is known as such', () => {
    expect(problemWith(NORMAL)).toBeUndefined();
    expect(problemWith(NORMAL.slice(1))).toMatch('53 numbers instead of 54');
    expect(problemWith(NORMAL.map((value, i) => (i === 20 ? Number.NaN : value)))).toBe('not finite');
    expect(problemWith([...NORMAL].reverse())).toBe('quantiles that cross');
    expect(problemWith(NORMAL.map(value => value + 13))).toMatch('a correction of 13 deviations');
  });
});

describe('conformal calibration', () => {
  test('finds the factor that intervals lack, and leaves right ones alone', () => {
    const random = randomStream('1', 'conformal');
    for (const truth of [0.7, 1, 1.6]) {
      const factor = new ConformalFactor(0.95);
      expect(factor.factor).toBe(1);
      for (let i = 0; i < 200; i++) factor.add((truth * Math.abs(random.normal())) / 1.96);
      expect(factor.factor).toBeGreaterThan(truth * 0.85);
      expect(factor.factor).toBeLessThan(truth * 1.2);
    }
  });

  test('does not believe a handful of scores', () => {
    const factor = new ConformalFactor(0.95);
    for (let i = 0; i < 10; i++) factor.add(50);
    expect(factor.factor).toBe(1);
    for (let i = 0; i < 10; i++) factor.add(50);
    expect(factor.factor).toBeLessThanOrEqual(2.5);
  });
});

describe('the gate', () => {
  test('shuts on a worse score and opens again on a better one', () => {
    const gate = new Gate();
    expect(gate.open).toBe(true);
    for (let i = 0; i < 20; i++) gate.score(1.2, 1, 1);
    expect(gate.open).toBe(false);
    for (let i = 0; i < 200; i++) gate.score(0.8, 1, 1);
    expect(gate.open).toBe(true);
  });

  test('scores as the pinball loss does: an error costs, and so does a width that was not needed', () => {
    expect(pinball(0, 1)).toBeLessThan(pinball(0, 2));
    expect(pinball(3, 1)).toBeGreaterThan(pinball(3, 2));
    expect(pinball(-3, 1)).toBe(pinball(3, 1));
  });
});

describe('what a model expects of its corrections', () => {
  const normal = [-1.96, -1.2816, -0.9945, -0.6745, 0, 0.6745, 0.9945, 1.2816, 1.96];

  test('is nothing where its median is the classical line, and much where its law is far from that', () => {
    const gainAt = (middle: number): number => {
      const expected = new ExpectedGain();
      expected.add(normal.map(z => middle + z));
      return expected.share;
    };
    expect(gainAt(0)).toBe(0);
    // E|z| = 0.798 and E|z + 1| = 1.167 for a normal law, whose tails end at the outermost levels here.
    expect(gainAt(1)).toBeCloseTo(1 - 0.798 / 1.167, 1);
    expect(gainAt(-1)).toBeCloseTo(gainAt(1), 12);
    expect(gainAt(100)).toBeGreaterThan(0.98);
  });

  test('is nothing before the first answer, and forgets slowly', () => {
    const expected = new ExpectedGain();
    expect(expected.share).toBe(0);
    for (let i = 0; i < 200; i++) expected.add(normal);
    for (let i = 0; i < 20; i++) expected.add(normal.map(z => 1 + z));
    expect(expected.share).toBeGreaterThan(0.1);
    expect(expected.share).toBeLessThan(0.25);
  });
});

describe('the share that is believed of corrections', () => {
  /** After `n` measurements that showed `truth` times what had been said, with noise of one deviation. */
  const shareAfter = (n: number, truth: number, said: number, expected = 0.21): number => {
    const random = randomStream('1', 'trust');
    const trust = new Trust();
    for (let i = 0; i < n; i++) {
      const one = said * random.normal();
      trust.score(truth * one + random.normal(), one, 1);
    }
    return trust.share(expected, 64);
  };

  test('is what the model expects of them, to the third power, before anything is known and where measurements cannot tell', () => {
    expect(new Trust().share(0.21, 64)).toBe(1);
    expect(new Trust().share(0.5, 1000)).toBe(1);
    expect(new Trust().share(0.105, 64)).toBeCloseTo(0.125, 12);
    expect(new Trust().share(0, 64)).toBe(0);
    expect(shareAfter(300, 0, 1e-3, 0.105)).toBeCloseTo(0.125, 2);
  });

  test('grows from nothing over the first 64 answers', () => {
    expect(new Trust().share(0.5, 1)).toBeCloseTo(1 / 64, 12);
    expect(new Trust().share(0.5, 32)).toBeCloseTo(0.5, 12);
    expect(new Trust().share(0.105, 32)).toBeCloseTo(0.0625, 12);
  });

  test('follows what measurements show', () => {
    expect(shareAfter(300, 1, 0.5)).toBeGreaterThan(0.8);
    expect(shareAfter(300, 0, 0.5)).toBeLessThan(0.55);
    expect(shareAfter(300, -1, 0.5)).toBeLessThan(0.1);
    expect(shareAfter(300, 1, 0.5, 0.08)).toBeGreaterThan(shareAfter(300, 0, 0.5, 0.08) + 0.3);
  });

  test('is not moved far by one wild measurement, nor at all by one that is not a number', () => {
    const trust = new Trust();
    trust.score(-1000, 1, 1);
    expect(trust.share(0.21, 64)).toBeGreaterThan(0.9);
    const before = trust.share(0.21, 64);
    trust.score(Number.NaN, 1, 1);
    trust.score(1, 1, 0);
    expect(trust.share(0.21, 64)).toBe(before);
  });
});

describe('the learned estimator', () => {
  /** 90 polls of a quiet clock; at 50 it is stepped. */
  const life = (): readonly Measurement[] => {
    const random = randomStream('1', 'learned');
    return Array.from({ length: 90 }, (_, i) => {
      const t = 64 * i + 10;
      const queue = 1e-3 * random.exponential();
      return measurementAt(t, 1e-5 * t + (i >= 50 ? 0.3 : 0) + 0.4 * queue, 0.02 + queue);
    });
  };
  const biased = NORMAL.map(value => value + 2);

  test('is shown the same whatever it has answered', () => {
    const quiet = new LearnedEstimator('counter');
    const loud = new LearnedEstimator('counter');
    for (const measurement of life()) {
      const one = quiet.take(measurement)!;
      const other = loud.take(measurement)!;
      expect(other).toEqual(one);
      quiet.answer(one, undefined);
      loud.answer(other, biased);
    }
    expect(loud.counts.learned + loud.counts.gate).toBeGreaterThan(80);
  });

  test('tells the classical intervals for as long as it believes nothing of what the model says', () => {
    const [hedging, believing] = [true, false].map(gated => new LearnedEstimator('counter', undefined, gated));
    // Three times as wide, and no correction in it: nothing is expected of that.
    const wide = NORMAL.map(value => 3 * value);
    const half = (estimate: Estimate): number =>
      timeWith(estimate, at(estimate.at.counter + 32), 'counter', 0, 0.95).uncertainty!;
    let learned = 0;
    for (const measurement of life().slice(0, 40)) {
      const question = hedging!.take(measurement)!;
      believing!.take(measurement);
      const [hedged, own] = [hedging!.answer(question, wide), believing!.answer(question, wide)];
      if (hedged.by !== 'learned' || own.by !== 'learned') continue;
      learned += 1;
      expect(half(hedged.estimate) / half(question.classical)).toBeCloseTo(1, 6);
      expect(half(own.estimate) / half(question.classical)).toBeGreaterThan(1.2);
    }
    expect(learned).toBeGreaterThan(20);
  });

  test('leaves several sources to the classical estimator', () => {
    const estimator = new LearnedEstimator('counter');
    for (const measurement of life().slice(0, 45)) {
      for (const source of ['a', 'b']) {
        const question = estimator.take({ ...measurement, source });
        // Two that disagree have no majority.
        if (question === undefined) continue;
        const answer = estimator.answer(question, biased);
        expect(answer.estimate).toBe(question.classical);
      }
    }
    expect(estimator.counts.learned).toBe(0);
    expect(estimator.counts['several-sources']).toBeGreaterThan(40);
  });

  test('tells the classical estimate before four measurements, and for an answer that is none', () => {
    const estimator = new LearnedEstimator('counter');
    const by: string[] = [];
    for (const [i, measurement] of life().entries()) {
      const question = estimator.take(measurement)!;
      const answer = estimator.answer(
        question,
        i === 70 ? undefined : i === 71 ? biased.map(() => Number.NaN) : NORMAL,
      );
      if (answer.by !== 'learned') expect(answer.estimate).toBe(question.classical);
      by.push(answer.by);
    }
    expect(by.slice(0, 3)).toEqual(Array(3).fill('few-measurements'));
    expect(by.slice(55, 70)).toEqual(Array(15).fill('learned'));
    expect(by.slice(70, 72)).toEqual(['no-answer', 'absurd-answer']);
  });
});
