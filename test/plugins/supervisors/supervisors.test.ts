import { describe, expect, it } from 'vitest';
import type { CorrectedTime, Estimate, Forecast, Measurement, Supervisor } from '../../../src/core/contracts/index.js';
import { confidence } from '../../../src/core/metrics/confidence.js';
import { timeWith } from '../../../src/core/pipeline/telling.js';
import { loadAllPlugins } from '../../../src/plugins/index.js';
import { at, believed, historyOf, make, measured } from '../../support/estimation.js';
import { gaussian } from '../../support/gaussian.js';

await loadAllPlugins();

function forecastOf(estimate: Estimate, measurement: Measurement): Forecast {
  const told = timeWith(estimate, measurement.at, 'counter', estimate.offset, 0.95);
  return { estimate, told, error: told.offset - measurement.offset };
}

describe('calibration', () => {
  /** Forecasts of 0 ± 1 ms, with errors of deviation `sigma`; what it makes of ± 1 ms afterwards. */
  function factorFor(sigma: number, noise: number, count: number, seed: string): number {
    const { plugin } = make('supervisor', 'calibration');
    const normal = gaussian(seed);
    const estimate = believed(0, 0, 0, { offset: 1e-3, drift: 0 });
    for (let k = 0; k < count; k++) {
      const measurement = measured(0, Math.hypot(sigma, noise) * normal(), noise);
      plugin.observe!(measurement, forecastOf(estimate, measurement), historyOf([]));
    }
    return Math.sqrt(plugin.supervise(estimate, historyOf([])).p00) / 1e-3;
  }

  it('finds deviations that were claimed three times too small, and twice too large', () => {
    const mean = (sigma: number): number =>
      Array.from({ length: 40 }, (_, i) => factorFor(sigma, 0, 60, `calibration ${i}`)).reduce((a, b) => a + b) / 40;
    expect(mean(3e-3)).toBeGreaterThan(2.7);
    expect(mean(3e-3)).toBeLessThan(3.7);
    expect(mean(0.5e-3)).toBeGreaterThan(0.45);
    expect(mean(0.5e-3)).toBeLessThan(0.62);
  });

  it('makes the intervals that it gives hold as often as their level says, on forecasts to come', () => {
    const { plugin } = make('supervisor', 'calibration');
    const normal = gaussian('coverage');
    const claimed = believed(0, 0, 0, { offset: 1e-3, drift: 0 });
    let held = 0;
    for (let k = 0; k < 4000; k++) {
      const estimate = plugin.supervise(claimed, historyOf([]));
      const error = 3e-3 * normal();
      if (Math.abs(error) <= 1.959964 * Math.sqrt(estimate.p00)) held += 1;
      const measurement = measured(0, -error, 0);
      plugin.observe!(measurement, forecastOf(claimed, measurement), historyOf([]));
    }
    expect(held / 4000).toBeGreaterThan(0.93);
    expect(held / 4000).toBeLessThan(0.97);
  });

  it('does not take the noise of a measurement for an error of the forecast', () => {
    expect(factorFor(1e-3, 5e-3, 60, 'noise')).toBeCloseTo(1, 0);
    expect(factorFor(1e-3, 0.5e-3, 60, 'noise')).toBeCloseTo(1, 0);
  });

  it('changes nothing before it has seen ten, and never the maximum error', () => {
    expect(factorFor(30e-3, 0, 9, 'few')).toBe(1);
    const { plugin } = make('supervisor', 'calibration');
    const estimate = believed(0, 0);
    for (let k = 0; k < 20; k++) {
      const measurement = measured(0, 0.1, 0);
      plugin.observe!(measurement, forecastOf(estimate, measurement), historyOf([]));
    }
    const calibrated = plugin.supervise(estimate, historyOf([]));
    expect(calibrated.p00).toBeGreaterThan(estimate.p00);
    expect(calibrated.maxError).toBe(estimate.maxError);
    expect(calibrated.offset).toBe(estimate.offset);
  });
});

describe('uncertainty-growth', () => {
  // After 100 s: σ_o² = 1e-6 s², σ_d = 1e-5, cov = 2e-9.
  const estimate: Estimate = {
    ...believed(0, 0, 0, { offset: 1e-3, drift: 1e-5, covariance: 2e-9 }),
    whiteFm: 1,
    randomWalkFm: 1,
  };
  const varianceAt100 = (supervised: Estimate): number =>
    (timeWith(supervised, at(100), 'counter', 0, 0.95).uncertainty! / 1.959963984540054) ** 2;

  it('text: σ_o² + 2t·cov + (σ_d·t)²', () => {
    const supervised = make('supervisor', { use: 'uncertainty-growth', form: 'text' }).plugin.supervise(
      estimate,
      historyOf([]),
    );
    expect(varianceAt100(supervised)).toBeCloseTo(1e-6 + 2 * 100 * 2e-9 + 1e-6, 15);
  });

  it('oscillator: and q_white·t + q_rw·t³/3', () => {
    const options = { use: 'uncertainty-growth', whiteFm: 1e-5, wander: 1e-6 };
    const supervised = make('supervisor', options).plugin.supervise(estimate, historyOf([]));
    expect(varianceAt100(supervised)).toBeCloseTo(2.4e-6 + 1e-10 * 100 + (1e-12 * 1e6) / 3, 15);
  });
});

describe('never-worse', () => {
  /** `rounds` measurements; the pipeline is `pipeline` off, the wall clock `wall`; each reads the truth plus `noise`. */
  function serve(subject: Supervisor, rounds: number, pipeline: number, wall: number, from = 0): Estimate {
    const taken: Measurement[] = [];
    let served: Estimate | undefined;
    for (let k = 0; k < rounds; k++) {
      const t = from + 64 * k;
      // The counter is 5 s behind and the wall clock `wall` ahead of true time.
      const m: Measurement = { ...measured(t, 5), at: { counter: t, wall: t + 5 + wall } };
      const estimate: Estimate = { ...believed(t, 5 + pipeline), at: m.at };
      subject.observe!(m, taken.length === 0 ? undefined : forecastOf(estimate, m), historyOf(taken));
      taken.push(m);
      served = subject.supervise(estimate, historyOf(taken));
    }
    return served!;
  }

  it('serves the bare clock where the pipeline is worse, says so, and takes the pipeline back when it is better', () => {
    const { plugin, reports } = make('supervisor', 'never-worse');
    const bare = serve(plugin, 20, 2e-3, 10e-6);
    // Which candidate wins between a perfect last measurement and the bare clock is told by their scores: 0 and 10 µs.
    expect(bare.by).toBe('last-measurement');
    expect(reports).toEqual([
      'serves last-measurement (mean |error|: pipeline 2.00 ms, last-measurement 0 s, bare-clock 10.0 µs)',
    ]);
  });

  it('tells the wall clock as it is, with bounds that hold the estimate', () => {
    const { plugin } = make('supervisor', { use: 'never-worse', start: 'bare-clock', least: 1000 });
    const served = serve(plugin, 3, 2e-3, 10e-6);
    expect(served).toMatchObject({ axis: 'wall', offset: 0, drift: 0, by: 'bare-clock' });
    expect(served.anchor).toBeUndefined();
    // The estimate has the wall clock 10 µs ahead of the truth and is itself 2 ms off: 1.99 ms away from it.
    expect(Math.sqrt(served.p00)).toBeCloseTo(Math.hypot(1e-3, 1.99e-3), 9);
    expect(served.maxError).toBeCloseTo(0.05 + 1.99e-3, 9);
  });

  it('prefers the wall clock over a noisy last measurement', () => {
    const { plugin, reports } = make('supervisor', 'never-worse');
    const normal = gaussian('never-worse');
    const taken: Measurement[] = [];
    for (let k = 0; k < 60; k++) {
      const m = measured(64 * k, 1e-3 * normal());
      const estimate = believed(64 * k, 3e-3);
      plugin.observe!(m, taken.length === 0 ? undefined : forecastOf(estimate, m), historyOf(taken));
      taken.push(m);
    }
    expect(plugin.supervise(believed(4000, 3e-3), historyOf(taken)).by).toBe('bare-clock');
    expect(reports.at(-1)).toMatch(/^serves bare-clock/);
  });

  it('leaves a pipeline alone that is better, and one whose lead is within the margin', () => {
    const better = make('supervisor', 'never-worse');
    expect(serve(better.plugin, 30, 0, 50e-3).by).toBe('test');
    expect(better.reports).toEqual([]);
    const close = make('supervisor', { use: 'never-worse', margin: 0.5 });
    expect(serve(close.plugin, 30, 1.8e-3, 1e-3).by).not.toBe('bare-clock');
  });
});

describe('discipline-watch', () => {
  function watch(readingAt: (t: number) => Measurement['at'], offsetAt: (t: number) => number, rounds = 120): string[] {
    const { plugin, reports } = make('supervisor', 'discipline-watch');
    const taken: Measurement[] = [];
    for (let k = 0; k < rounds; k++) {
      const t = 64 * k;
      const m: Measurement = { ...measured(t, offsetAt(t)), at: readingAt(t) };
      plugin.observe!(m, undefined, historyOf(taken));
      taken.push(m);
    }
    return reports;
  }
  const noise = gaussian('watch');

  it('sees a wall clock that is slewed against the counter, once', () => {
    const reports = watch(
      t => ({ counter: t, wall: t * (1 - 12e-6) }),
      () => 1e-3 * noise(),
    );
    expect(reports).toEqual(['the wall clock is disciplined by something else: -12.0 ppm against the counter']);
  });

  it('sees every step, and does not take a step for a slew', () => {
    const reports = watch(
      t => ({ counter: t, wall: t + (t >= 3000 ? -0.25 : 0) }),
      t => 10e-6 * t,
    );
    expect(reports).toEqual(['the wall clock was stepped by -250 ms']);
  });

  it('sees that a clock stays about zero without a quartz’s drift, where both axes are one', () => {
    const reports = watch(
      t => ({ counter: t, wall: t }),
      () => 50e-6 * noise(),
    );
    expect(reports).toHaveLength(1);
    expect(reports[0]).toMatch(/^the clock behaves as if it were disciplined already: it drifts by/);
  });

  it('says nothing of a free quartz, at 10 ppm or far from zero', () => {
    expect(
      watch(
        t => ({ counter: t, wall: t }),
        t => 10e-6 * t + 50e-6 * noise(),
      ),
    ).toEqual([]);
    expect(
      watch(
        t => ({ counter: t, wall: t }),
        () => 0.5 + 50e-6 * noise(),
      ),
    ).toEqual([]);
  });
});

describe('confidence', () => {
  const told = (uncertainty: number | undefined): CorrectedTime => ({
    time: 0,
    offset: 0,
    axis: 'counter',
    uncertainty,
    level: 0.95,
    maxError: undefined,
    by: 'test',
  });

  it('is the probability of being within the tolerance', () => {
    // Half-width at 95 % equal to the tolerance: 95 %. σ equal to the tolerance: 68.27 %. Twice: 38.29 %.
    expect(confidence(told(1e-3), 1e-3)).toBeCloseTo(0.95, 9);
    expect(confidence(told(1.959963984540054e-3), 1e-3)).toBeCloseTo(0.6826894921, 9);
    expect(confidence(told(2 * 1.959963984540054e-3), 1e-3)).toBeCloseTo(0.3829249225, 9);
  });

  it('is 0 while nothing is known, and 1 where nothing is uncertain', () => {
    expect(confidence(told(undefined), 1e-3)).toBe(0);
    expect(confidence(told(0), 1e-3)).toBe(1);
  });
});
