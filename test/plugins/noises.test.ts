import { beforeAll, describe, expect, it } from 'vitest';
import type { NoisePart } from '../../src/core/contracts/index.js';
import { stability, theoreticalDeviation } from '../../src/core/metrics/stability/index.js';
import { type PowerLaw, powerLawLevel } from '../../src/core/world/power-law.js';
import { loadAllPlugins } from '../../src/plugins/index.js';
import { made, problemsOf } from '../support/make-plugin.js';
import { oscillator } from '../support/oscillator.js';
import { variance } from '../support/statistics.js';

beforeAll(loadAllPlugins);

const LAWS: readonly (readonly [string, PowerLaw, number])[] = [
  ['white-pm', 2, -3 / 2],
  ['flicker-pm', 1, -1],
  ['white-fm', 0, -1 / 2],
  ['flicker-fm', -1, 0],
  ['random-walk-fm', -2, 1 / 2],
];

function series(part: Pick<NoisePart, 'phase'>, n: number, tau0 = 1): Float64Array {
  return Float64Array.from({ length: n }, (_, k) => part.phase(k * tau0));
}

function slope(points: readonly (readonly [number, number])[]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const products = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return products / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

describe.each(LAWS)('noise %s', (use, alpha, expected) => {
  it(`has an MDEV of slope ${expected} over two decades, at the level that was asked for`, () => {
    const adev = 1e-11;
    const phase = series(made('noise', { use, adev }), 2 ** 20);
    const factors = [8, 16, 32, 64, 128, 256, 512, 800];
    const rows = stability(phase, 1, { estimators: ['mdev'], factors, alpha });
    expect(Math.abs(slope(rows.map(({ m, deviation }) => [Math.log(m), Math.log(deviation)])) - expected)).toBeLessThan(
      0.05,
    );
    const h = powerLawLevel(alpha, adev, 1, 1);
    for (const { m, deviation } of rows.slice(0, 6)) {
      const ratio = deviation / theoreticalDeviation('mdev', alpha, h, 1, m);
      expect(Math.abs(ratio - 1), `m = ${m}: ${ratio}`).toBeLessThan(0.1);
    }
    const [first] = stability(phase, 1, { estimators: ['oadev'], factors: [1], alpha });
    expect(Math.abs(first!.deviation / adev - 1), 'ADEV at 1 s').toBeLessThan(0.02);
  });

  it('is the same realisation whoever else reads, and at any other instant', () => {
    const sparse = made('noise', { use, adev: 1e-9 });
    const busy = made('noise', { use, adev: 1e-9 });
    const other = made('noise', { use, adev: 1e-9 }, '2');
    const wanted = Array.from({ length: 200 }, (_, k) => 17.3 * k + 0.25);
    const asked = wanted.map(t => sparse.phase(t));
    const amongOthers = wanted.map(t => {
      for (let early = t - 8; early < t; early += 0.1) if (early > 0) busy.phase(early);
      const value = busy.phase(t);
      busy.phase(Math.floor(t) + 0.9);
      busy.phase(t - 0.9 < 0 ? t : t - 0.9);
      expect(busy.phase(t)).toBe(value);
      return value;
    });
    expect(amongOthers).toEqual(asked);
    expect(wanted.map(t => other.phase(t))).not.toEqual(asked);
  });

  it('takes its level as h, too, and keeps it on another lattice', () => {
    const step = 0.25;
    const h = powerLawLevel(alpha, 1e-10, 1, step);
    const byAdev = made('noise', { use, adev: 1e-10, step });
    const byH = made('noise', { use, h, step });
    const phase = series(byAdev, 2 ** 16, step);
    expect(series(byH, 100, step).every((x, k) => Math.abs(x - phase[k]!) < 1e-20)).toBe(true);
    const [row] = stability(phase, step, { estimators: ['mdev'], factors: [32], alpha });
    expect(Math.abs(row!.deviation / theoreticalDeviation('mdev', alpha, h, step, 32) - 1)).toBeLessThan(0.1);
  });

  it('says that its strength is missing, or given twice', () => {
    expect(problemsOf('noise', { use })).toEqual([': expected one of `adev` and `h`, found neither']);
    expect(problemsOf('noise', { use, adev: 1e-9, h: 1 })).toEqual([': expected one of `adev` and `h`, found both']);
    expect(problemsOf('noise', { use, adev: 1e-9, step: '2 s' })).toEqual(
      alpha > 0 ? ['step: expected at most 1 s where `adev` at 1 s is given, found 2 s'] : [],
    );
  });
});

describe('noise between the points of its lattice', () => {
  it.each<[string, PowerLaw]>([
    ['white-fm', 0],
    ['random-walk-fm', -2],
  ])('%s is what it would be on a finer lattice', (use, alpha) => {
    const part = made('noise', { use, adev: 1e-9, negligible: 1e-16 });
    const tau0 = 1 / 64;
    const rows = stability(series(part, 2 ** 17, tau0), tau0, {
      estimators: ['oadev'],
      factors: [1, 4, 16, 64],
      alpha,
    });
    for (const { tau, deviation } of rows) {
      const expected = 1e-9 * (alpha === 0 ? 1 / Math.sqrt(tau) : Math.sqrt(tau));
      expect(Math.abs(deviation / expected - 1), `τ = ${tau}`).toBeLessThan(0.05);
    }
  });

  it.each(['white-pm', 'flicker-pm'])('%s has the same variance everywhere', use => {
    const part = made('noise', { use, adev: 1e-9 });
    const at = (within: number): number[] =>
      Array.from({ length: 40_000 }, (_, k) => k + within).map(t => part.phase(t));
    const reference = (use === 'white-pm' ? 1e-9 / Math.sqrt(3) : undefined) ?? Math.sqrt(variance(at(0)));
    const again = made('noise', { use, adev: 1e-9 });
    for (const within of [0.2, 0.5]) {
      const values = Array.from({ length: 40_000 }, (_, k) => again.phase(k + within + (within === 0.5 ? 50_000 : 0)));
      const spread = Math.sqrt(variance(values));
      expect(Math.abs(spread / reference - 1)).toBeLessThan(use === 'white-pm' ? 0.02 : 0.1);
    }
  });

  it('is smooth: nothing jumps where one cell ends', () => {
    for (const [use] of LAWS) {
      const part = made('noise', { use, adev: 1e-9, negligible: 1e-18 });
      for (let k = 1; k < 50; k++) {
        const before = part.phase(k - 1e-9);
        expect(Math.abs(part.phase(k) - before), `${use} at ${k}`).toBeLessThan(2e-12);
      }
    }
  });
});

describe('ageing', () => {
  it('drifts by what it says in a day, and the phase with its integral', () => {
    const part = made('noise', { use: 'ageing', perDay: 1e-9 });
    expect(part.frequency(86400)).toBeCloseTo(1e-9, 15);
    expect(part.phase(86400)).toBeCloseTo(1e-9 * 43200, 12);
  });

  it('slows down where it settles', () => {
    const part = made('noise', { use: 'ageing', perDay: 1e-9, stabilising: '10 d', age: '20 d' });
    const month = 30 * 86400;
    expect(part.frequency(1) / 1).toBeCloseTo(1e-9 / 86400, 20);
    expect(part.frequency(month)).toBeCloseTo(30e-9 * Math.LN2, 16);
    const steps = 10_000;
    let integral = 0;
    for (let i = 0; i < steps; i++) integral += (part.frequency(((i + 0.5) * month) / steps) * month) / steps;
    expect(Math.abs(part.phase(month) / integral - 1)).toBeLessThan(1e-6);
    expect(Math.abs(part.phase(200) / ((1e-9 / 86400) * 20_000) - 1)).toBeLessThan(1e-4);
  });
});

describe('an oscillator of parts', () => {
  it('is the sum of its parts', () => {
    const parts = [
      { use: 'frequency-offset', by: '3 ppm' },
      { use: 'ageing', perDay: 1e-8 },
      { use: 'flicker-fm', adev: 1e-11 },
    ];
    const whole = oscillator({ timeError: 1, frequencyError: '2 ppm', granularity: 0, parts });
    const alone = made('noise', parts[2]!, '1', 'clock/flicker-fm');
    for (const t of [0, 10.5, 1000, 86400]) {
      const expected = 1 + 5e-6 * t + (1e-8 / 86400 / 2) * t * t + alone.phase(t);
      expect(whole.phase(t)).toBeCloseTo(expected, 13);
      expect(whole.frequency(t)).toBeCloseTo(5e-6 + (1e-8 / 86400) * t + alone.frequency(t), 15);
    }
  });

  it('leaves a part as it was when another is added before it; two of a kind differ', () => {
    const flicker = { use: 'flicker-fm', adev: 1e-9 };
    const walk = { use: 'random-walk-fm', adev: 1e-9 };
    const frequencyOf = (parts: readonly unknown[]): number => oscillator({ frequencyError: 0, parts }).frequency(100);
    expect(frequencyOf([walk, flicker])).toBeCloseTo(frequencyOf([walk]) + frequencyOf([flicker]), 20);
    expect(frequencyOf([walk, walk])).not.toBeCloseTo(2 * frequencyOf([walk]), 12);
  });

  it('needs no more memory for a year than for a day', () => {
    const clock = oscillator({ parts: LAWS.map(([use]) => ({ use, adev: 1e-11 })) });
    for (let t = 0; t < 200_000; t++) clock.phase(t);
    const before = process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
    for (let t = 200_000; t < 2_000_000; t++) clock.phase(t);
    expect(process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers - before).toBeLessThan(32e6);
  });
});
