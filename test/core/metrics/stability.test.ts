import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  confidenceInterval,
  ESTIMATORS,
  type Estimator,
  equivalentDegreesOfFreedom,
  identifyNoise,
  phaseFromFrequency,
  stability,
  stabilityAt,
  theoreticalDeviation,
  type VarianceEstimator,
} from '../../../src/core/metrics/stability/index.js';
import { POWER_LAWS, powerLawPhase } from '../../../src/core/world/power-law.js';
import { gaussian } from '../../support/gaussian.js';

/** The 1,000 pseudo-random frequencies of the test suite in NIST SP 1065. */
function portableSet(): Float64Array {
  let n = 1234567890;
  return Float64Array.from({ length: 1000 }, () => {
    const value = n / 2147483647;
    n = (16807 * n) % 2147483647;
    return value;
  });
}

/** The nine frequencies of NBS Monograph 140, as in NIST SP 1065's test suite. */
const NBS_SET = Float64Array.of(892, 809, 823, 798, 671, 644, 883, 903, 677);

describe('stability of published data sets', () => {
  const portable = phaseFromFrequency(portableSet(), 1);
  it.each<[Estimator, number, number, number]>([
    ['adev', 2.922319e-1, 9.965736e-2, 3.897804e-2],
    ['oadev', 2.922319e-1, 9.159953e-2, 3.241343e-2],
    ['mdev', 2.922319e-1, 6.172376e-2, 2.170921e-2],
    ['tdev', 1.687202e-1, 3.563623e-1, 1.253382],
    ['hdev', 2.943883e-1, 1.052754e-1, 3.910861e-2],
    ['ohdev', 2.943883e-1, 9.581083e-2, 3.237638e-2],
    ['totdev', 2.922319e-1, 9.134743e-2, 3.40653e-2],
    ['mtie', 0.995745, 7.59656, 55.381773],
  ])('%s of the 1,000 portable frequencies', (estimator, ...values) => {
    const rows = stability(portable, 1, { estimators: [estimator], factors: [1, 10, 100] });
    expect(rows.map(row => row.tau)).toEqual([1, 10, 100]);
    for (const [i, row] of rows.entries()) {
      expect(Math.abs(row.deviation / values[i]! - 1), `m = ${row.m}`).toBeLessThan(5e-7);
    }
  });

  const nbs = phaseFromFrequency(NBS_SET, 1);
  it.each<[Estimator, number, number]>([
    ['adev', 91.22945, 115.8082],
    ['oadev', 91.22945, 85.95287],
    ['mdev', 91.22945, 74.78849],
    ['tdev', 52.67135, 86.35831],
    ['hdev', 70.80607, 116.798],
    ['ohdev', 70.80607, 85.61487],
    ['totdev', 91.22945, 93.90379],
    ['mtie', 903, 1786],
  ])('%s of the nine frequencies', (estimator, ...values) => {
    const rows = stability(nbs, 1, { estimators: [estimator], factors: [1, 2] });
    for (const [i, row] of rows.entries()) {
      expect(Math.abs(row.deviation / values[i]! - 1), `m = ${row.m}`).toBeLessThan(5e-7);
    }
  });

  it('counts the terms and names the noise', () => {
    const rows = stability(portable, 1, { factors: [10] });
    expect(Object.fromEntries(rows.map(row => [row.estimator, row.n]))).toEqual({
      adev: 99,
      oadev: 981,
      mdev: 972,
      tdev: 972,
      hdev: 98,
      ohdev: 971,
      totdev: 999,
      tie: 991,
      mtie: 991,
    });
    expect(rows.map(row => row.alpha)).toEqual([0, 0, 0, 0, 0, 0, 0, undefined, undefined]);
    const oadev = rows.find(row => row.estimator === 'oadev')!;
    // ((3(N − 1)/2m − 2(N − 2)/N)·4m²/(4m² + 5) = 146.177: NIST SP 1065, section 5.4.1, white FM.
    expect(Math.abs(oadev.edf! / 146.177 - 1)).toBeLessThan(0.01);
  });
});

const series = fc
  .array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 8, maxLength: 80 })
  .map(values => Float64Array.from(values));

describe('estimators', () => {
  it('agree with their definitions, term by term', () => {
    fc.assert(
      fc.property(series, fc.integer({ min: 1, max: 26 }), (x, m) => {
        for (const estimator of ['mdev', 'totdev', 'tie', 'mtie'] as const) {
          const expected = byDefinition(estimator, x, m);
          if (expected === undefined) continue;
          expect(stabilityAt(estimator, x, 1, m).deviation).toBeCloseTo(expected, 9);
        }
      }),
    );
  });

  it('MTIE of many factors at once is that of each', () => {
    const x = powerLawPhase(-1, 200, 1, 1, gaussian('mtie'));
    for (const row of stability(x, 1, { estimators: ['mtie'], factors: 'all' })) {
      expect(row.deviation).toBe(byDefinition('mtie', x, row.m));
    }
  });

  it('are blind to what each is meant to be blind to', () => {
    const x = powerLawPhase(0, 600, 1, 1, gaussian('blind'));
    const offset = x.map((v, i) => v + 1e6 + 40 * i);
    const drift = x.map((v, i) => v + 1e6 + 40 * i + 0.5 * i * i);
    for (const estimator of ['adev', 'oadev', 'mdev', 'tdev', 'totdev', 'hdev', 'ohdev'] as const) {
      for (const m of [1, 7, 64]) {
        const plain = stabilityAt(estimator, x, 1, m).deviation;
        expect(stabilityAt(estimator, offset, 1, m).deviation / plain).toBeCloseTo(1, 8);
        const blind = estimator === 'hdev' || estimator === 'ohdev';
        const drifting = stabilityAt(estimator, drift, 1, m).deviation / plain;
        if (blind) expect(drifting).toBeCloseTo(1, 7);
        else if (m === 64) expect(drifting).toBeGreaterThan(10);
      }
    }
    const ramp = Float64Array.from({ length: 100 }, (_, i) => 3e-6 * i);
    expect(stabilityAt('mtie', ramp, 2, 10).deviation).toBeCloseTo(3e-5, 15);
    expect(stabilityAt('tie', ramp, 2, 10).deviation).toBeCloseTo(3e-5, 15);
  });

  it('keep their digits under a large frequency offset', () => {
    const x = powerLawPhase(2, 2 ** 16, 1, 1, gaussian('digits'));
    const scaled = x.map(v => v * 1e-9);
    // 50 ppm for 18 h is 3 s, whose last digit is 4e-16 s.
    const offset = scaled.map((v, i) => v + 5e-5 * i);
    const clean = stability(scaled, 1, { estimators: ['mdev'] });
    for (const [i, row] of stability(offset, 1, { estimators: ['mdev'] }).entries()) {
      expect(Math.abs(row.deviation / clean[i]!.deviation - 1)).toBeLessThan(1e-4);
    }
  });

  it('TDEV is τ·MDEV/√3, and time scales with tau0', () => {
    const x = powerLawPhase(-2, 300, 1, 1, gaussian('tdev'));
    for (const m of [1, 9, 50]) {
      const mdev = stabilityAt('mdev', x, 16, m);
      const tdev = stabilityAt('tdev', x, 16, m);
      expect(tdev.deviation).toBeCloseTo((16 * m * mdev.deviation) / Math.sqrt(3), 9);
      expect(tdev.high! / tdev.deviation).toBeCloseTo(mdev.high! / mdev.deviation, 9);
      expect(mdev.tau).toBe(16 * m);
      expect(mdev.deviation * 16).toBeCloseTo(stabilityAt('mdev', x, 1, m).deviation, 9);
    }
  });

  it('take 2^20 points at octave and 1-2-5 factors', () => {
    const x = powerLawPhase(0, 2 ** 20, 1, 1, gaussian('large'));
    const rows = stability(x, 1);
    expect(rows.filter(row => row.estimator === 'oadev').map(row => row.m)).toEqual(
      Array.from({ length: 19 }, (_, i) => 2 ** i),
    );
    expect(rows.filter(row => row.estimator === 'mtie')).toHaveLength(20);
    const decades = stability(x, 1, { estimators: ['mdev', 'mtie'], factors: 'decade' });
    expect(decades.filter(row => row.estimator === 'mdev').map(row => row.m)).toEqual([
      1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000,
    ]);
  });
});

describe('theoretical deviations', () => {
  it('tend to the expressions of NIST SP 1065', () => {
    const m = 2000;
    const tau0 = 0.25;
    const tau = m * tau0;
    const pi2 = Math.PI ** 2;
    const squares: readonly (readonly [VarianceEstimator, number, number])[] = [
      ['oadev', 2, 3 / (8 * pi2 * tau0 * tau ** 2)],
      ['oadev', 0, 1 / (2 * tau)],
      ['oadev', -1, 2 * Math.LN2],
      ['oadev', -2, (2 * pi2 * tau) / 3],
      ['mdev', 2, 3 / (8 * pi2 * tau ** 3)],
      ['mdev', 1, (3 * Math.log(256 / 27)) / (8 * pi2 * tau ** 2)],
      ['mdev', 0, 1 / (4 * tau)],
      ['mdev', -1, (27 * Math.log(3) - 32 * Math.LN2) / 8],
      ['mdev', -2, (11 * pi2 * tau) / 20],
      ['ohdev', 2, 10 / (3 * 8 * pi2 * tau0 * tau ** 2)],
      ['ohdev', 0, 1 / (2 * tau)],
      ['ohdev', -1, Math.log(256 / 27) / 2],
      ['ohdev', -2, (pi2 * tau) / 3],
    ];
    for (const [estimator, alpha, square] of squares) {
      const found = theoreticalDeviation(estimator, alpha as -2, 5e-22, tau0, m);
      expect(found / Math.sqrt(5e-22 * square), `${estimator}, α = ${alpha}`).toBeCloseTo(1, 5);
    }
    // Flicker PM: a sampled spectrum ends otherwise than the sharp filter at f_h of the expression.
    const sharp = (1.038 + 3 * Math.log((Math.PI * tau) / tau0)) / (4 * pi2 * tau ** 2);
    expect(theoreticalDeviation('adev', 1, 1, tau0, m) / Math.sqrt(sharp)).toBeCloseTo(1.0136, 3);
    expect(theoreticalDeviation('tdev', 0, 1, tau0, m)).toBeCloseTo(tau / Math.sqrt(3) / Math.sqrt(4 * tau), 4);
  });
});

describe('degrees of freedom', () => {
  // edf = r/(a0 − a1/r) for r = terms/m: tables 1 and 2 of Greenhall and Riley (PTTI 2003).
  it.each([
    ['mdev', 2, 7 / 9, 1 / 2],
    ['mdev', 1, 0.997, 0.616],
    ['mdev', 0, 1.033, 0.607],
    ['mdev', -1, 1.048, 0.534],
    ['mdev', -2, 1.302, 0.535],
    ['oadev', 0, 2 / 3, 1 / 3],
    ['oadev', -1, 0.852, 0.375],
    ['oadev', -2, 1.079, 0.368],
    ['ohdev', 0, 7 / 9, 1 / 2],
    ['ohdev', -1, 0.997, 0.617],
    ['ohdev', -2, 1.033, 0.607],
  ] as const)('of %s, α = %i, are the published ones', (estimator, alpha, a0, a1) => {
    for (const [m, r] of [
      [100, 8],
      [100, 60],
      [4000, 25],
    ] as const) {
      const samples = m * (r + (estimator === 'oadev' ? 2 : 3));
      const edf = equivalentDegreesOfFreedom(estimator, alpha, samples, m);
      expect(Math.abs(edf / (r / (a0 - a1 / r)) - 1), `m = ${m}, r = ${r}`).toBeLessThan(0.01);
    }
  });

  it('are one for a single term, and many where terms are independent', () => {
    for (const alpha of POWER_LAWS) {
      for (const m of [1, 3, 400, 20_000]) {
        expect(equivalentDegreesOfFreedom('oadev', alpha, 2 * m + 1, m)).toBeCloseTo(1, 9);
        expect(equivalentDegreesOfFreedom('mdev', alpha, 3 * m, m)).toBeCloseTo(1, 9);
        expect(equivalentDegreesOfFreedom('hdev', alpha, 3 * m + 1, m)).toBeCloseTo(1, 9);
      }
    }
    // Second differences of a random walk of frequency are white.
    expect(equivalentDegreesOfFreedom('adev', -2, 1002, 1)).toBeCloseTo(1000, 9);
  });
});

describe('confidence intervals', () => {
  it('grow with the level and close on the deviation with the degrees', () => {
    const narrow = confidenceInterval(1, 10, 0.68);
    const wide = confidenceInterval(1, 10, 0.95);
    expect(wide.low).toBeLessThan(narrow.low);
    expect(wide.high).toBeGreaterThan(narrow.high);
    const sure = confidenceInterval(1, 1e6, 0.95);
    expect(sure.low).toBeCloseTo(1, 2);
    expect(sure.high).toBeCloseTo(1, 2);
  });

  // The whole way: generator, identification, degrees of freedom, quantiles. 1,000 realisations each.
  it.each(POWER_LAWS)('α = %i: of 68 per cent intervals, 65 to 71 per cent hold the truth', alpha => {
    const draw = gaussian(`coverage ${alpha}`);
    const held = new Map<string, number>();
    for (let run = 0; run < 1000; run++) {
      const phase = powerLawPhase(alpha, 513, 1, 1, draw);
      for (const row of stability(phase, 1, {
        estimators: ['adev', 'oadev', 'mdev', 'ohdev', 'totdev'],
        factors: [1, 4, 16],
      })) {
        const truth = theoreticalDeviation(row.estimator as VarianceEstimator, alpha, 1, 1, row.m);
        const inside = row.low! <= truth && truth <= row.high! ? 1 : 0;
        held.set(row.estimator, (held.get(row.estimator) ?? 0) + inside);
      }
    }
    for (const [estimator, count] of held) {
      expect(count / 3000, estimator).toBeGreaterThan(0.65);
      expect(count / 3000, estimator).toBeLessThan(0.71);
    }
  });

  it('are left out where there is no noise to tell, and where there is no distribution', () => {
    const still = new Float64Array(100);
    for (const row of stability(still, 1)) {
      expect(row.deviation).toBe(0);
      expect([row.alpha, row.edf, row.low, row.high]).toEqual([undefined, undefined, undefined, undefined]);
    }
    const ramp = Float64Array.from({ length: 100 }, (_, i) => 1e9 + 1e-6 * i);
    expect(identifyNoise(ramp)).toBeUndefined();
    const noisy = stability(powerLawPhase(0, 100, 1, 1, gaussian('tie')), 1, { estimators: ['tie', 'mtie'] });
    expect(noisy.every(row => row.low === undefined && row.high === undefined)).toBe(true);
  });

  it('follow the noise that is stated', () => {
    const phase = powerLawPhase(0, 400, 1, 1, gaussian('stated'));
    const walk = stabilityAt('oadev', phase, 1, 8, { alpha: -2 });
    expect(walk.alpha).toBe(-2);
    expect(walk.edf!).toBeLessThan(stabilityAt('oadev', phase, 1, 8).edf!);
  });
});

describe('noise identification', () => {
  it.each(POWER_LAWS)('α = %i: is right in 9 of 10 series of 512 samples, at every factor', alpha => {
    const draw = gaussian(`identify ${alpha}`);
    const factors = [1, 2, 3, 4, 8, 12, 32, 128];
    const right = factors.map(() => 0);
    const runs = 400;
    for (let run = 0; run < runs; run++) {
      const phase = powerLawPhase(alpha, 512, 1, 1, draw);
      factors.forEach((m, i) => {
        if (identifyNoise(phase, m) === alpha) right[i]!++;
      });
    }
    factors.forEach((m, i) => {
      expect(right[i]! / runs, `m = ${m}`).toBeGreaterThanOrEqual(0.9);
    });
  });

  it('sees the noise behind a frequency offset and drift', () => {
    const noise = powerLawPhase(0, 2000, 1, 1, gaussian('behind'));
    const phase = noise.map((x, i) => x + 1000 * i + 0.3 * i * i);
    for (const m of [1, 4, 20]) expect(identifyNoise(phase, m)).toBe(0);
  });

  it('tells the noise that dominates at each averaging time', () => {
    const white = powerLawPhase(2, 20_000, 1, 1e4, gaussian('mix, white'));
    const walk = powerLawPhase(-2, 20_000, 1, 1e-4, gaussian('mix, walk'));
    const phase = white.map((x, i) => x + walk[i]!);
    expect(identifyNoise(phase, 1)).toBe(2);
    expect(identifyNoise(phase, 400)).toBe(-2);
  });
});

describe('bad input', () => {
  const phase = Float64Array.from({ length: 20 }, (_, i) => Math.sin(i));
  it('is named, with what was expected and what was found', () => {
    const broken = phase.slice();
    broken[7] = Number.NaN;
    expect(() => stability(broken, 1)).toThrow(
      new RangeError('stability.phase[7]: expected a finite value in seconds, found NaN'),
    );
    expect(() => identifyNoise(broken)).toThrow('identifyNoise.phase[7]: expected a finite value');
    expect(() => phaseFromFrequency(Float64Array.of(1, Infinity), 1)).toThrow(
      'phaseFromFrequency.frequency[1]: expected a finite value in fractional frequency, found Infinity',
    );
    expect(() => phaseFromFrequency(phase, -1)).toThrow('phaseFromFrequency.tau0: expected a positive number');
    expect(() => stability(phase, 0)).toThrow('stability.tau0: expected a positive number of seconds, found 0');
    expect(() => stability(phase, 1, { level: 1 })).toThrow('stability.level: expected a probability within (0, 1)');
    expect(() => stability(phase, 1, { factors: [1, 0] })).toThrow(
      'stability.factors[1]: expected an integer from 1, found 0',
    );
    expect(() => stability(phase, 1, { factors: [2.5] })).toThrow('stability.factors[0]: expected an integer from 1');
    expect(() => identifyNoise(phase, -3)).toThrow('identifyNoise.m: expected an integer from 1, found -3');
    expect(() => stability(phase, 1, { alpha: 7 as 2 })).toThrow('stability.alpha: expected one of');
    expect(() => stability(new Float64Array(3), 1, { estimators: ['hdev'] })).toThrow(
      'stability.phase: expected at least 4 samples of phase for hdev at m = 1, found 3',
    );
    expect(() => theoreticalDeviation('adev', 0, 1, 1, 0)).toThrow('theoreticalDeviation.m: expected an integer');
    expect(() => equivalentDegreesOfFreedom('adev', 0, 4, 2)).toThrow(
      'equivalentDegreesOfFreedom.samples: expected at least 5 for adev at m = 2, found 4',
    );
  });

  it.each(ESTIMATORS)('%s says when a factor leaves it no term, and takes the largest that does', estimator => {
    const largest = stability(phase, 1, { estimators: [estimator], factors: 'all' }).at(-1)!;
    expect(largest.n).toBeGreaterThanOrEqual(1);
    expect(Number.isFinite(largest.deviation)).toBe(true);
    const more = largest.m + 1;
    expect(() => stabilityAt(estimator, phase, 1, more)).toThrow(
      new RegExp(`factors\\[0\\]: expected at least \\d+ samples of phase for ${estimator} at m = ${more}, found 20`),
    );
  });
});

/** The sums as they are written, over every term. */
function byDefinition(estimator: Extract<Estimator, 'mdev' | 'totdev' | 'tie' | 'mtie'>, x: Float64Array, m: number) {
  const n = x.length;
  const terms: number[] = [];
  switch (estimator) {
    case 'mdev':
      if (n < 3 * m) return undefined;
      for (let j = 0; j <= n - 3 * m; j++) {
        let sum = 0;
        for (let i = j; i < j + m; i++) sum += x[i + 2 * m]! - 2 * x[i + m]! + x[i]!;
        terms.push((sum / m) ** 2);
      }
      return Math.sqrt(mean(terms) / 2) / m;
    case 'totdev': {
      if (n < 2 * m + 1) return undefined;
      const before = Array.from({ length: n - 2 }, (_, j) => 2 * x[0]! - x[j + 1]!).reverse();
      const after = Array.from({ length: n - 2 }, (_, j) => 2 * x[n - 1]! - x[n - 2 - j]!);
      const all = [...before, ...x, ...after];
      for (let i = n - 1; i < 2 * n - 3; i++) terms.push((all[i - m]! - 2 * all[i]! + all[i + m]!) ** 2);
      return Math.sqrt(mean(terms) / 2) / m;
    }
    case 'tie':
      if (n < m + 1) return undefined;
      for (let i = 0; i + m < n; i++) terms.push((x[i + m]! - x[i]!) ** 2);
      return Math.sqrt(mean(terms));
    case 'mtie':
      if (n < m + 1) return undefined;
      for (let i = 0; i + m < n; i++) {
        const window = x.subarray(i, i + m + 1);
        terms.push(Math.max(...window) - Math.min(...window));
      }
      return Math.max(...terms);
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
