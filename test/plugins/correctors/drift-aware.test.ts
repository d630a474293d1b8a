import { describe, expect, it } from 'vitest';
import type { Corrector, Estimate, Measurement } from '../../../src/core/contracts/index.js';
import { isDeclined } from '../../../src/core/contracts/index.js';
import { carry } from '../../../src/core/pipeline/estimates.js';
import '../../../src/plugins/correctors/drift-aware.js';
import { at, believed, historyOf, make, measured } from '../../support/estimation.js';

// σ_o = 3 ms, σ_d = 10 ppm, Δt = 100 s (so σ_d·Δt = 1 ms), σ_NTP = 4 ms. At t = 100 s the model says
// 10 ms + 20 ppm · 100 s = 12 ms; measured are 15 ms: the innovation is 3 ms.
const prediction = believed(0, 10e-3, 20e-6, { offset: 3e-3, drift: 10e-6 });
const measurement = measured(100, 15e-3, 4e-3);
const prior = carry(prediction, at(100));

function corrector(options: object = {}): Corrector {
  return make('corrector', { use: 'drift-aware', ...options }).plugin;
}

function corrected(options: object, before: readonly Measurement[] = [], m = measurement): Estimate {
  const answer = corrector(options).correct(carry(prediction, m.at), m, historyOf(before), prediction);
  if (answer === undefined || isDeclined(answer)) throw new Error(`declined: ${answer?.declined}`);
  return answer;
}

function refusal(options: object, m = measurement): string | undefined {
  const answer = corrector(options).correct(carry(prediction, m.at), m, historyOf([]), prediction);
  return isDeclined(answer) ? answer.declined : undefined;
}

describe('weights, worked out by hand', () => {
  // σ_combined² = 10·16/26 ms².
  const combined = (10e-6 * 16e-6) / 26e-6;

  it.each([
    // 9/(9 + 1) of 3 ms; (1 − 0.9)/100 s, times 0.7 (strength) and 0.7 (Δt from 60 to 180 s)
    ['attribution', 12e-3 + 2.7e-3, 20e-6 + 0.49 * 1e-3 * 3e-3],
    // 9/(9 + 16) of 3 ms; 1e-10·100/(9 + 16 + 1)e-6 per second
    ['gain', 12e-3 + 1.08e-3, 20e-6 + 0.49 * (1e-8 / 26e-6) * 3e-3],
    // 9/25 again; 0.1·0.36/100 per second
    ['share-times-gain', 12e-3 + 1.08e-3, 20e-6 + 0.49 * 3.6e-4 * 3e-3],
  ] as const)('%s', (weights, offset, drift) => {
    const posterior = corrected({ weights });
    expect(posterior.offset).toBeCloseTo(offset, 12);
    expect(posterior.drift).toBeCloseTo(drift, 15);
    expect(posterior.p00).toBeCloseTo(combined, 15);
    expect(posterior.p11).toBe(prediction.p11);
    expect(posterior.at).toEqual(at(100));
  });

  it('share-times-gain is what the block means unless it says otherwise', () => {
    expect(corrected({})).toEqual(corrected({ weights: 'share-times-gain', method: 'drift_aware' }));
  });

  it('kalman takes the propagated covariance: 10/26 of the innovation', () => {
    const posterior = corrected({
      method: 'kalman',
      drift_correction_strength: 1,
      drift_correction_factors: [{ factor: 1 }],
    });
    expect(posterior.offset).toBeCloseTo(12e-3 + (10 / 26) * 3e-3, 12);
    expect(posterior.drift).toBeCloseTo(20e-6 + (1e-8 / 26e-6) * 3e-3, 15);
    expect(posterior.p00).toBeCloseTo(combined, 15);
    expect(posterior.p01).toBeCloseTo(1e-8 * (1 - 10 / 26), 18);
    expect(posterior.p11).toBeCloseTo(1e-10 - 1e-16 / 26e-6, 18);
  });

  it('offset_only moves the offset and leaves the drift', () => {
    const posterior = corrected({ method: 'offset_only' });
    expect(posterior.offset).toBeCloseTo(13.08e-3, 12);
    expect(posterior.drift).toBe(20e-6);
  });

  it('apply_at: prediction closes the whole innovation where strength and factor are 1, as attribution promises', () => {
    const options = { weights: 'attribution', drift_correction_strength: 1, drift_correction_factors: [{ factor: 1 }] };
    expect(corrected({ ...options, apply_at: 'prediction' }).offset).toBeCloseTo(15e-3, 12);
    expect(corrected(options).offset).toBeCloseTo(14.7e-3, 12);
  });
});

describe('Δt', () => {
  const previous = measured(40, 0, 1e-3);

  it('since-prediction is 100 s, since-last-ntp 60 s: the shares differ', () => {
    const since = corrected({ weights: 'attribution', delta_t: 'since-last-ntp' }, [previous]);
    // (σ_d·60 s)² = 0.36 ms²: 9/9.36 of 3 ms.
    expect(since.offset).toBeCloseTo(12e-3 + (9 / 9.36) * 3e-3, 12);
    expect(since.drift).toBeCloseTo(20e-6 + (0.49 * (0.36 / 9.36) * 3e-3) / 60, 15);
    expect(corrected({ weights: 'attribution' }, [previous]).offset).toBeCloseTo(14.7e-3, 12);
  });

  it('without predictions of its own a pipeline tells from what was made at the last measurement', () => {
    // The prior as a predictor gives it at t = 100 s; 60 s earlier its offset was 10.8 ms, its σ_o² as it propagates back.
    const back = believed(40, 10e-3 + 20e-6 * 40, 20e-6, { offset: 3e-3, drift: 10e-6 });
    const now = carry(back, at(100));
    const answer = corrector({ weights: 'attribution' }).correct(now, measurement, historyOf([previous]), now);
    if (answer === undefined || isDeclined(answer)) throw new Error('declined');
    expect(answer.offset).toBeCloseTo(12e-3 + (9 / 9.36) * 3e-3, 12);
  });

  it.each([
    [59.9, 0],
    [60, 0.7],
    [179, 0.7],
    [180, 1],
    [1000, 1],
  ])('at Δt = %d s the drift correction has the factor %d', (t, factor) => {
    const m = measured(t, 10e-3 + 20e-6 * t + 3e-3, 1e-3);
    const drift = corrected({ weights: 'attribution', drift_correction_strength: 1 }, [], m).drift - 20e-6;
    const share = (1e-5 * t) ** 2 / (9e-6 + (1e-5 * t) ** 2);
    expect(drift).toBeCloseTo((factor * share * 3e-3) / t, 14);
  });

  it('says why the drift was left alone', () => {
    expect(corrected({}, [], measured(30, 10e-3, 1e-3)).driftBy).toBe('model: Δt 30.0 s is under 60 s');
    expect(corrected({ drift_correction_enabled: false }).driftBy).toBe('model: drift correction is off');
    expect(corrected({}).driftBy).toBe('corrected');
  });
});

describe('gates', () => {
  const open = { uncertainty_threshold: 1e9, min_confidence_gain: 0 };

  it('uncertainty_threshold compares σ with σ: 4.7 ms pass at 1.5 × √10 ms, 4.8 ms do not', () => {
    const options = { ...open, uncertainty_threshold: 1.5 };
    expect(refusal(options, measured(100, 15e-3, 4.7e-3))).toBeUndefined();
    expect(refusal(options, measured(100, 15e-3, 4.8e-3))).toMatch(
      /^uncertainty_threshold: σ_NTP 4\.80 ms .* 3\.16 ms$/,
    );
  });

  it('min_confidence_gain: σ_NTP = 2.06 σ_model makes σ smaller by 10.04 %, 2.07 σ_model by 9.96 %', () => {
    const options = { ...open, min_confidence_gain: 0.1 };
    const sigma = Math.sqrt(10e-6);
    expect(refusal(options, measured(100, 15e-3, 2.06 * sigma))).toBeUndefined();
    expect(refusal(options, measured(100, 15e-3, 2.07 * sigma))).toMatch(/^min_confidence_gain: 10\.0 % less/);
    expect(refusal(options, measured(100, 15e-3, 3 * sigma))).toMatch(/^min_confidence_gain: 5\.1 % less uncertainty/);
  });

  it('max_ntp_age_seconds: a measurement that is older is skipped; σ_NTP grows with age until then', () => {
    const late = (age: number): Measurement => ({
      ...measurement,
      exchange: { ...measurement.exchange, arrived: at(100 + age) },
    });
    expect(refusal(open, late(181))).toMatch(/^181\.0 s old, max_ntp_age_seconds is 180$/);
    // σ_NTP = 4 ms + 10 µs/s · 100 s = 5 ms.
    expect(corrected({ ...open, weights: 'gain' }, [], late(100)).offset).toBeCloseTo(12e-3 + (9 / 34) * 3e-3, 12);
  });

  it('enabled: false leaves everything to the model', () => {
    expect(refusal({ enabled: false })).toBe('not enabled');
  });
});

describe('between measurements', () => {
  // Measured 15 ms at t = 100 s; a new prediction at t = 160 s says 13.6 ms (12.4 ms at t = 100 s): innovation 2.6 ms.
  const later = believed(160, 13.6e-3, 20e-6, { offset: 3e-3, drift: 10e-6 });

  it('corrects a prediction by the last measurement, aged, at that measurement’s instant', () => {
    const refined = corrector({ weights: 'gain' }).refine!(later, historyOf([measured(100, 15e-3, 3e-3)]));
    // σ_NTP = 3 ms + 10 µs/s · 60 s = 3.6 ms.
    expect(refined.offset).toBeCloseTo(13.6e-3 + (9 / (9 + 3.6 ** 2)) * 2.6e-3, 12);
    expect(refined.at).toEqual(at(160));
  });

  it('leaves predictions alone where the measurement is too old, or when told to', () => {
    expect(corrector({ max_ntp_age_seconds: 59 }).refine!(later, historyOf([measurement]))).toBe(later);
    expect(corrector({ reapply: false }).refine!(later, historyOf([measurement]))).toBe(later);
  });

  it('kalman uses the old measurement exactly as batch least squares does', () => {
    const everything = {
      method: 'kalman',
      drift_correction_strength: 1,
      drift_correction_factors: [{ factor: 1 }],
      min_time_for_drift_correction: 0,
      uncertainty_growth_rate: 0,
    };
    const refined = corrector(everything).refine!(later, historyOf([measurement]));
    const [offset, drift] = leastSquares([13.6e-3, 20e-6], [9e-6, 0, 1e-10], [{ h: [1, -60], z: 15e-3, r: 16e-6 }]);
    expect(refined.offset).toBeCloseTo(offset, 12);
    expect(refined.drift).toBeCloseTo(drift, 15);
  });
});

describe('kalman against batch least squares', () => {
  it('gives the same offset and drift after five measurements', () => {
    const subject = corrector({
      method: 'kalman',
      drift_correction_strength: 1,
      drift_correction_factors: [{ factor: 1 }],
      min_time_for_drift_correction: 0,
      uncertainty_threshold: 1e9,
      min_confidence_gain: 0,
      uncertainty_growth_rate: 0,
      fall_back: { enabled: false },
    });
    const start = believed(0, 2e-3, 5e-6, { offset: 2e-3, drift: 30e-6, covariance: 1e-8 });
    const measurements = [
      [40, 3.1e-3, 1e-3],
      [110, 4.4e-3, 3e-3],
      [170, 2.9e-3, 0.5e-3],
      [300, 6e-3, 1e-3],
      [301, 5.5e-3, 2e-3],
    ].map(([t, offset, sigma]) => measured(t!, offset!, sigma));
    let belief = start;
    measurements.forEach((m, i) => {
      const propagated = carry(belief, m.at);
      const answer = subject.correct(propagated, m, historyOf(measurements.slice(0, i)), belief);
      if (answer === undefined || isDeclined(answer)) throw new Error('declined');
      belief = answer;
    });
    const [offset, drift] = leastSquares(
      [2e-3, 5e-6],
      [4e-6, 1e-8, 9e-10],
      measurements.map(m => ({ h: [1, m.at.counter], z: m.offset, r: m.uncertainty ** 2 })),
    );
    expect(belief.offset).toBeCloseTo(offset + 301 * drift, 12);
    expect(belief.drift).toBeCloseTo(drift, 14);
  });
});

describe('falling back to the model alone', () => {
  /** A model that is right to within `model`, and measurements that are `noise` off, to either side in turn. */
  function errors(subject: Corrector, model: number, noise: number, count: number): string[] {
    const taken: Measurement[] = [];
    const log: string[] = [];
    for (let k = 1; k <= count; k++) {
      const sign = k % 2 === 0 ? 1 : -1;
      const made = believed(64 * (k - 1), model, 0, { offset: 3e-3, drift: 1e-6 });
      const m = measured(64 * k, sign * noise, 1e-3);
      const answer = subject.correct(carry(made, m.at), m, historyOf(taken), made);
      log.push(isDeclined(answer) ? 'model' : 'corrected');
      taken.push(m);
    }
    return log;
  }

  it('goes off where measurements only add noise, says so once, and comes back when they help', () => {
    const { plugin, reports } = make('corrector', { use: 'drift-aware', method: 'offset_only' });
    // Alternating ±1 ms: what was measured last is 2 ms off, the model 1 ms.
    expect(errors(plugin, 0, 1e-3, 20).at(-1)).toBe('model');
    expect(reports).toHaveLength(1);
    expect(reports[0]).toMatch(/^falls back to the model alone: mean \|error\| 1\.00 ms, corrected 1\.9\d ms$/);
    // Then the model is 5 ms off and the measurements are right.
    expect(errors(plugin, 5e-3, 0, 20).at(-1)).toBe('corrected');
    expect(reports).toHaveLength(2);
    expect(reports[1]).toMatch(/^corrects again/);
  });

  it('stays on where correcting wins', () => {
    const { plugin, reports } = make('corrector', { use: 'drift-aware', method: 'offset_only' });
    expect(errors(plugin, 5e-3, 0.1e-3, 30).every(step => step === 'corrected')).toBe(true);
    expect(reports).toEqual([]);
  });

  it('does not switch on a lead within the margin', () => {
    const { plugin, reports } = make('corrector', {
      use: 'drift-aware',
      method: 'offset_only',
      fall_back: { margin: 0.99 },
    });
    errors(plugin, 0, 1e-3, 30);
    expect(reports).toEqual([]);
  });

  it('start: model-only has to earn its place', () => {
    const { plugin, reports } = make('corrector', { use: 'drift-aware', fall_back: { start: 'model-only' } });
    const log = errors(plugin, 5e-3, 0.1e-3, 10);
    expect(log.slice(0, 3)).toEqual(['model', 'model', 'model']);
    expect(log.at(-1)).toBe('corrected');
    expect(reports).toHaveLength(1);
  });
});

/**
 * The state at t = 0 that minimises (x − x₀)ᵀP⁻¹(x − x₀) + Σ (z − h·x)²/r, by the 2 × 2 normal equations.
 */
function leastSquares(
  x0: readonly [number, number],
  [p00, p01, p11]: readonly [number, number, number],
  data: readonly { readonly h: readonly number[]; readonly z: number; readonly r: number }[],
): readonly [number, number] {
  const det = p00 * p11 - p01 * p01;
  let [a, b, c] = [p11 / det, -p01 / det, p00 / det];
  let [u, v] = [a * x0[0] + b * x0[1], b * x0[0] + c * x0[1]];
  for (const { h, z, r } of data) {
    const [h0, h1] = [h[0]!, h[1]!];
    a += (h0 * h0) / r;
    b += (h0 * h1) / r;
    c += (h1 * h1) / r;
    u += (h0 * z) / r;
    v += (h1 * z) / r;
  }
  const d = a * c - b * b;
  return [(c * u - b * v) / d, (a * v - b * u) / d];
}

it('has what the estimate was made for as its instant, also without a prior', () => {
  const first = corrector().correct(undefined, measurement, historyOf([]), undefined);
  expect(first).toMatchObject({ at: at(100), offset: 15e-3, drift: 0 });
  expect(prior.offset).toBeCloseTo(12e-3, 12);
});
