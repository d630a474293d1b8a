import { describe, expect, it } from 'vitest';
import type { DatasetCorrector, Occasion, TrajectoryPoint } from '../../../src/core/contracts/index.js';
import { loadAllPlugins } from '../../../src/plugins/index.js';
import { at, make, measured } from '../../support/estimation.js';

await loadAllPlugins();

// Measured were 1 ms at t₀ = 100 s and 5 ms at t₁ = 140 s (D = 40 s), where 3 ms were predicted: E = 2 ms.
// Points every 10 s, before, between and after; between lie d = 0, 10, 20 and 30 s.
const point = (t: number, offset: number, drift = 0): TrajectoryPoint => ({
  issued: at(t),
  target: at(t),
  offset,
  drift,
});
const trajectory = [90, 100, 110, 120, 130, 140, 150].map((t, i) => point(t, 1e-3 + i * 0.1e-3, 5e-6));
const occasion: Occasion = {
  axis: 'counter',
  measurement: measured(140, 5e-3, 2e-3),
  predicted: 3e-3,
  earlier: [measured(60, 0), measured(100, 1e-3)],
};

function method(name: string, options: object = {}): DatasetCorrector {
  return make('dataset-corrector', { use: name, ...options }).plugin;
}

/** How far each point was moved, in milliseconds. */
function moved(name: string, options: object = {}): number[] {
  const revised = method(name, options).revise(trajectory, occasion);
  return revised.map(({ offset }, i) => (offset - trajectory[i]!.offset) * 1e3);
}

function expectMoved(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 9);
}

describe('dataset correctors, worked out by hand', () => {
  it('none moves nothing', () => expectMoved(moved('none'), [0, 0, 0, 0, 0, 0, 0]));

  it('linear: E·d/D', () => expectMoved(moved('linear'), [0, 0, 0.5, 1, 1.5, 0, 0]));

  it('drift-aware: σ_o = 1 ms against σ_d·D = 4 ms gives w = 1/17', () => {
    const [w, rest] = [1 / 17, 16 / 17];
    const expected = [0, 10, 20, 30].map(d => 2 * w + (2 * rest * d) / 40);
    expectMoved(moved('drift-aware'), [0, ...expected, 0, 0]);
    const drifts = method('drift-aware')
      .revise(trajectory, occasion)
      .map(({ drift }) => drift);
    expect(drifts[0]).toBe(5e-6);
    expect(drifts[2]).toBeCloseTo(5e-6 + (rest * 2e-3) / 40, 15);
  });

  it('drift-aware-weighted: of S = 1 + 16 + 4 ms² the measurement keeps its share', () => {
    const expected = [0, 10, 20, 30].map(d => (2 * 1) / 21 + ((2 * 16) / 21) * (d / 40));
    expectMoved(moved('drift-aware-weighted'), [0, ...expected, 0, 0]);
  });

  // w_i = 2² + 1² + (0.1 · d)² in ms²: 5, 6, 9, 14; Σ = 34; w(t₁) = 21.
  it('advanced: E·w_i/Σw, so that the moves add up to E', () => {
    expectMoved(moved('advanced'), [0, 10 / 34, 12 / 34, 18 / 34, 28 / 34, 0, 0]);
  });

  it('advanced-normalised: E·w_i/w(t₁)', () => {
    expectMoved(moved('advanced-normalised'), [0, 10 / 21, 12 / 21, 18 / 21, 28 / 21, 0, 0]);
  });

  it('advance-absolute: pulled towards a ramp from 0 to E', () => {
    const expected = [5, 6, 9, 14].map((w, i) => -(w / 34) * 2 * (1.1 + 0.1 * i - 2 * (i / 4)));
    expectMoved(moved('advance-absolute'), [0, ...expected, 0, 0]);
  });

  it('advance-absolute-line: pulled towards the line from 1 ms to 5 ms', () => {
    const expected = [5, 6, 9, 14].map((w, i) => -(w / 34) * 2 * (1.1 + 0.1 * i - (1 + i)));
    expectMoved(moved('advance-absolute-line'), [0, ...expected, 0, 0]);
  });

  it('backtracking: the line from the last measurement older than the window, points after t₁ dropped', () => {
    // 45 s before t₁ is t = 95 s: the last measurement older than that was 0 ms at t = 60 s; slope 5 ms/80 s.
    const revised = method('backtracking', { window: '45 s' }).revise(trajectory, occasion);
    expect(revised).toHaveLength(6);
    expect(revised[0]).toBe(trajectory[0]);
    [100, 110, 120, 130, 140].forEach((t, i) => {
      expect(revised[i + 1]!.offset).toBeCloseTo((5e-3 / 80) * (t - 60), 12);
      expect(revised[i + 1]!.drift).toBeCloseTo(5e-3 / 80, 12);
    });
  });

  it('backtracking: with no measurement older than the window, flat at the one measured', () => {
    const revised = method('backtracking').revise(trajectory, occasion);
    expect(revised.map(({ offset }) => offset)).toEqual([5e-3, 5e-3, 5e-3, 5e-3, 5e-3, 5e-3]);
  });

  it('backtracking-line: from measurement to measurement', () => {
    const revised = method('backtracking-line').revise(trajectory, occasion);
    const expected = [0.75, 1, 2, 3, 4, 5];
    for (const [i, ms] of expected.entries()) expect(revised[i]!.offset).toBeCloseTo(ms * 1e-3, 12);
    expect(revised[0]!.drift).toBeCloseTo(1e-3 / 40, 12);
    expect(revised[3]!.drift).toBeCloseTo(4e-3 / 40, 12);
  });
});

describe('every dataset corrector', () => {
  const names = [
    'none',
    'linear',
    'drift-aware',
    'drift-aware-weighted',
    'advanced',
    'advanced-normalised',
    'advance-absolute',
    'advance-absolute-line',
    'backtracking',
    'backtracking-line',
  ];

  it.each(names)('%s keeps issue and target times, and its input', name => {
    const before = structuredClone(trajectory);
    const revised = method(name).revise(trajectory, occasion);
    expect(trajectory).toEqual(before);
    revised.forEach(({ issued, target }, i) => {
      expect(issued).toBe(trajectory[i]!.issued);
      expect(target).toBe(trajectory[i]!.target);
    });
  });

  it.each(names)(
    '%s has nothing to go by at the first measurement, at two at once, and with an empty trajectory',
    name => {
      const subject = method(name);
      for (const { offset } of subject.revise(trajectory, { ...occasion, earlier: [] }))
        expect(offset).toBeLessThan(0.01);
      const twice = { ...occasion, earlier: [measured(140, 4e-3)] };
      for (const { offset, drift } of subject.revise(trajectory, twice)) {
        expect(Number.isFinite(offset + drift)).toBe(true);
      }
      expect(subject.revise([], occasion)).toEqual([]);
    },
  );
});
