import { beforeAll, describe, expect, it } from 'vitest';
import type { NoisePart } from '../../src/core/contracts/index.js';
import { loadAllPlugins } from '../../src/plugins/index.js';
import { scratch, write } from '../support/escapement.js';
import { made, problemsOf } from '../support/make-plugin.js';
import { mean } from '../support/statistics.js';

beforeAll(loadAllPlugins);

const HOUR = 3600;

function temperature(options: Readonly<Record<string, unknown>>, seed = '1'): NoisePart {
  return made('noise', { use: 'temperature', ...options }, seed);
}

/** y at hours of true time. */
function course(part: NoisePart, hours: readonly number[]): number[] {
  return hours.map(hour => part.frequency(hour * HOUR));
}

describe('temperature', () => {
  it('moves the frequency by its polynomial', () => {
    const part = temperature({ base: 35, reference: 25, linear: '-0.05 ppm', quadratic: '-0.034 ppm', cubic: 1e-10 });
    const expected = -0.05e-6 * 10 - 0.034e-6 * 100 + 1e-10 * 1000;
    expect(part.frequency(0)).toBeCloseTo(expected, 16);
    expect(part.frequency(1234.5)).toBeCloseTo(expected, 16);
    expect(part.phase(1234.5)).toBeCloseTo(expected * 1234.5, 12);
  });

  it('follows a step with its lag', () => {
    const part = temperature({
      linear: '1 ppm',
      lag: '10 min',
      ambient: [{ shape: 'step', by: 4, at: '1 h', for: '2 h' }],
    });
    const [before, after, settled, back] = course(part, [1, 1 + 1 / 6, 3, 5]);
    expect(before).toBeCloseTo(0, 10);
    expect(Math.abs(after! / (4e-6 * (1 - Math.exp(-1))) - 1)).toBeLessThan(0.02);
    expect(Math.abs(settled! / 4e-6 - 1)).toBeLessThan(1e-4);
    expect(Math.abs(back!)).toBeLessThan(4e-10);
  });

  it('follows a ramp', () => {
    const part = temperature({ linear: '1 ppm', lag: 0, ambient: [{ shape: 'ramp', by: 6, at: '1 h', over: '2 h' }] });
    course(part, [0.5, 1.5, 2, 3, 4]).forEach((y, i) => {
      expect(y).toBeCloseTo([0, 1.5e-6, 3e-6, 6e-6, 6e-6][i]!, 12);
    });
  });

  it('lags and damps a sinusoid as a first-order low pass does, from the first second on', () => {
    const period = 4 * HOUR;
    const lag = HOUR;
    const part = temperature({
      linear: '1 ppm',
      lag,
      ambient: [{ shape: 'sinusoid', amplitude: 5, period, peak: HOUR }],
    });
    const omega = (2 * Math.PI) / period;
    const gain = 5e-6 / Math.hypot(1, omega * lag);
    for (const t of [0, 1000, 9000, 20000]) {
      const expected = gain * Math.cos(omega * (t - HOUR) - Math.atan(omega * lag));
      expect(Math.abs(part.frequency(t) - expected), `at ${t} s`).toBeLessThan(0.005 * gain);
    }
  });

  it('has a phase that is the integral of its frequency', () => {
    const part = temperature({
      quadratic: '-0.04 ppm',
      base: 30,
      lag: '20 min',
      ambient: [{ shape: 'daily', amplitude: 6 }],
      load: { heating: 5 },
    });
    let sum = 0;
    for (let t = 0; t < 40_000; t++) sum += part.frequency(t + 0.5);
    expect(part.phase(40_000)).toBeCloseTo(sum, 9);
  });

  it('is warmest in the afternoon', () => {
    const part = temperature({ linear: '1 ppm', lag: 0, ambient: [{ shape: 'daily', amplitude: 3, peak: '15 h' }] });
    course(part, [3, 9, 15, 39]).forEach((y, i) => {
      expect(y).toBeCloseTo([-3e-6, 0, 3e-6, 3e-6][i]!, 12);
    });
  });

  it('is heated by load: as much on average as it is busy, and never by more than at full load', () => {
    const load = { heating: 8, busy: '5 min', idle: '15 min', lag: '1 min' };
    for (const pattern of ['random', 'regular']) {
      const part = temperature({ linear: '1 ppm', load: { ...load, pattern } });
      const values = Array.from({ length: 40_000 }, (_, i) => part.frequency(i * 20));
      expect(Math.abs(mean(values) / 2e-6 - 1), pattern).toBeLessThan(0.06);
      expect(Math.max(...values)).toBeLessThanOrEqual(8e-6 * (1 + 1e-9));
      expect(Math.max(...values)).toBeGreaterThan(7.5e-6);
      expect(Math.min(...values)).toBeLessThan(0.1e-6);
    }
    expect(temperature({ linear: '1 ppm', load }, '2').frequency(5000)).not.toBe(
      temperature({ linear: '1 ppm', load }, '3').frequency(5000),
    );
  });

  it('follows a recording', () => {
    const folder = scratch();
    const file = write(folder, 'rack.csv', 't_s,celsius\n0,0\n3600,2\n7200,-1\n');
    const csv = { shape: 'csv', file, time: 't_s', temperature: 'celsius' };
    const part = temperature({ linear: '1 ppm', lag: 0, ambient: [csv] });
    course(part, [0, 0.5, 1, 1.5, 3]).forEach((y, i) => {
      expect(y).toBeCloseTo([0, 1e-6, 2e-6, 0.5e-6, -1e-6][i]!, 12);
    });
    expect(() => temperature({ ambient: [{ ...csv, temperature: 'kelvin' }] })).toThrow(/unknown column 'kelvin'/);
    const jumbled = write(folder, 'jumbled.csv', '0 1\n5 1\n4 2\n');
    expect(() => temperature({ ambient: [{ shape: 'csv', file: jumbled }] })).toThrow(
      /expected ascending times, found 4 after 5/,
    );
  });

  it('is the same whoever asks', () => {
    const options = { linear: '1 ppm', load: { heating: 5 }, ambient: [{ shape: 'daily', amplitude: 4 }] };
    const [sparse, busy] = [temperature(options), temperature(options)];
    for (let t = 0; t < 30_000; t += 173) {
      const expected = sparse.phase(t);
      for (let early = Math.max(0, t - 50); early < t; early += 3) busy.phase(early);
      expect(busy.phase(t)).toBe(expected);
    }
  });

  it('says what it does not know', () => {
    expect(problemsOf('noise', { use: 'temperature', ambient: [{ shape: 'sine' }] })[0]).toMatch(
      /^ambient\.0\.shape: /,
    );
    expect(problemsOf('noise', { use: 'temperature', ambient: [{ shape: 'step', by: 3 }] })[0]).toMatch(
      /^ambient\.0\.at/,
    );
  });
});
