import { describe, expect, it } from 'vitest';
import { stability, theoreticalDeviation } from '../../../src/core/metrics/stability/index.js';
import { POWER_LAWS, type PowerLaw, powerLawLevel, powerLawPhase } from '../../../src/core/world/power-law.js';
import { gaussian } from '../../support/gaussian.js';

const TAU0 = 0.5;

/** MDEV² for large m by NIST SP 1065, for h = 1. */
const MVAR: Readonly<Record<PowerLaw, (tau: number) => number>> = {
  '2': tau => 3 / (8 * Math.PI ** 2 * tau ** 3),
  '1': tau => (3 * Math.log(256 / 27)) / (8 * Math.PI ** 2 * tau ** 2),
  '0': tau => 1 / (4 * tau),
  '-1': () => (27 * Math.log(3) - 32 * Math.LN2) / 8,
  '-2': tau => ((11 * Math.PI ** 2) / 20) * tau,
};

describe('powerLawPhase', () => {
  it.each([
    [2, -1.5],
    [1, -1],
    [0, -0.5],
    [-1, 0],
    [-2, 0.5],
  ] as const)('α = %i: MDEV falls as τ^%f over two decades, at its level', (alpha, slope) => {
    const h = 3e-20;
    const phase = powerLawPhase(alpha, 2 ** 20, TAU0, h, gaussian(`slope ${alpha}`));
    const rows = stability(phase, TAU0, { estimators: ['mdev'], factors: [16, 32, 64, 128, 256, 512, 1024, 1600] });
    const fitted = fitSlope(rows.map(row => [Math.log(row.tau), Math.log(row.deviation)]));
    expect(Math.abs(fitted - slope)).toBeLessThan(0.05);
    for (const row of rows) {
      expect(Math.abs(row.deviation / Math.sqrt(h * MVAR[alpha](row.tau)) - 1), `m = ${row.m}`).toBeLessThan(0.1);
    }
  });

  it.each(POWER_LAWS)('α = %i: has the ADEV that its level was made for', alpha => {
    const h = powerLawLevel(alpha, 1e-9, 64 * TAU0, TAU0);
    const phase = powerLawPhase(alpha, 2 ** 18, TAU0, h, gaussian(`level ${alpha}`));
    const [row] = stability(phase, TAU0, { estimators: ['oadev'], factors: [64] });
    expect(Math.abs(row!.deviation / 1e-9 - 1)).toBeLessThan(0.05);
  });

  it.each([1, -1] as const)('α = %i: flicker is as stationary at its first samples as at its last', alpha => {
    const draw = gaussian(`stationary ${alpha}`);
    const runs = 10_000;
    let first = 0;
    let last = 0;
    for (let run = 0; run < runs; run++) {
      const x = powerLawPhase(alpha, 65, 1, 1, draw);
      first += (x[16]! - 2 * x[8]! + x[0]!) ** 2;
      last += (x[64]! - 2 * x[56]! + x[48]!) ** 2;
    }
    const expected = 2 * runs * (8 * theoreticalDeviation('adev', alpha, 1, 1, 8)) ** 2;
    // One standard error is 1.4 %.
    expect(Math.abs(first / expected - 1)).toBeLessThan(0.05);
    expect(Math.abs(last / expected - 1)).toBeLessThan(0.05);
  });

  it('gives the same realisation for the same draws, at any length', () => {
    expect(powerLawPhase(1, 100, 1, 1, gaussian('same'))).toEqual(powerLawPhase(1, 100, 1, 1, gaussian('same')));
    expect(powerLawPhase(-2, 1, 1, 1, gaussian('one'))).toHaveLength(1);
    expect(powerLawPhase(1, 1, 1, 1, gaussian('one'))).toHaveLength(1);
  });

  it('says what it cannot take', () => {
    const draw = gaussian('errors');
    expect(() => powerLawPhase(0, 0, 1, 1, draw)).toThrow('powerLawPhase.n: expected an integer from 1, found 0');
    expect(() => powerLawPhase(0, 10, 0, 1, draw)).toThrow(/tau0: expected a positive number of seconds, found 0/);
    expect(() => powerLawPhase(0, 10, 1, Number.NaN, draw)).toThrow(/h: expected a finite number from 0, found NaN/);
    expect(() => powerLawPhase(3 as PowerLaw, 10, 1, 1, draw)).toThrow(/alpha: expected one of .*, found 3/);
    expect(() => powerLawLevel(0, 1, 0.5, 1)).toThrow(/tau: expected seconds from tau0 \(1\), found 0.5/);
    expect(() => powerLawLevel(0, Number.NaN, 1, 1)).toThrow(/adev: expected a finite number from 0, found NaN/);
  });
});

function fitSlope(points: readonly (readonly [number, number])[]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const products = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return products / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}
