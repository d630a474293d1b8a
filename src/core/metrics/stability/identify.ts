import { POWER_LAWS, type PowerLaw } from '../../world/power-law.js';
import { deviationOf } from './estimators.js';
import { theoreticalDeviation } from './fractional-noise.js';

/** Averages below which the noise is not identified at an averaging factor: with fewer, FM noises are mixed up. */
const FEWEST_AVERAGES = 40;

/** Samples of phase below which the noise of a series is not identified at all. */
const FEWEST_SAMPLES = 8;

/**
 * Tells the power-law noise that dominates at τ = mτ0, for a phase that is finite throughout; undefined where there is
 * too little to tell: fewer than 8 samples, or nothing but a constant frequency and drift, which are removed first.
 *
 * At m = 1 it is the lag-1 autocorrelation method (W. J. Riley and C. A. Greenhall, "Power law noise identification
 * using the lag 1 autocorrelation", EFTF 2004; NIST SP 1065, section 5.5): the phase is differenced until its lag-1
 * autocorrelation r shows it stationary, δ = r/(1 + r) < ¼, and α = 2 − 2(δ + differences), rounded.
 *
 * For m > 1 the noise is the one whose ratio MDEV²/ADEV² (R(n) of the same section, which parts white from flicker PM)
 * comes nearest, with its exact expectation at that m: 1/m for white PM, then about 0.3, 0.5, 0.67 and 0.82. The
 * published method decimates the phase and takes r as before, but decimated flicker is no fractional noise: of 1,000
 * series of 1,025 samples each it then calls 30 % of flicker PM white PM and 25 % of flicker FM random walk FM at m = 4,
 * 61 % and 41 % at m = 8; the ratio erred in none. B1, for few averages, erred more often than the ratio as well.
 *
 * Where fewer than 40 averages are left, the noise is that of the largest m with 40: the last one identified is carried
 * on, as NIST SP 1065, section 5.3.2, has it.
 *
 * @param phase time error in seconds
 * @returns the noise at the averaging factor m, from 1
 */
export function noiseIdentifier(phase: Float64Array): (m: number) => PowerLaw | undefined {
  if (phase.length < FEWEST_SAMPLES) return () => undefined;
  const x = withoutQuadratic(phase);
  // A quadratic leaves its rounding errors behind, which are no noise of the clock.
  if (!(meanSquare(x) > 1e-30 * meanSquare(phase))) return () => undefined;
  const known = new Map<number, PowerLaw>();
  return m => {
    const factor = Math.max(1, Math.min(m, Math.floor((x.length - 1) / FEWEST_AVERAGES)));
    const noise = known.get(factor) ?? (factor === 1 ? byLagOne(x) : byRatio(x, factor));
    known.set(factor, noise);
    return noise;
  };
}

function byLagOne(x: Float64Array): PowerLaw {
  let z = x;
  for (let differences = 0; ; differences++) {
    const r = lagOneAutocorrelation(z);
    const delta = r / (1 + r);
    if (delta < 0.25 || differences === 2) {
      return nearest(alpha => Math.abs(alpha - (2 - 2 * (delta + differences))));
    }
    z = z.subarray(1).map((v, i) => v - z[i]!);
  }
}

function byRatio(x: Float64Array, m: number): PowerLaw {
  const ratio = deviationOf('mdev', x, m, m) / deviationOf('oadev', x, m, m);
  return nearest(alpha => {
    const expected = theoreticalDeviation('mdev', alpha, 1, 1, m) / theoreticalDeviation('oadev', alpha, 1, 1, m);
    return Math.abs(Math.log(ratio / expected));
  });
}

function nearest(distance: (alpha: PowerLaw) => number): PowerLaw {
  return POWER_LAWS.reduce((best, alpha) => (distance(alpha) < distance(best) ? alpha : best));
}

function lagOneAutocorrelation(z: Float64Array): number {
  const n = z.length;
  const mean = z.reduce((sum, v) => sum + v, 0) / n;
  let products = 0;
  let squares = 0;
  for (let i = 0; i < n; i++) {
    squares += (z[i]! - mean) ** 2;
    if (i + 1 < n) products += (z[i]! - mean) * (z[i + 1]! - mean);
  }
  return squares > 0 ? products / squares : 0;
}

/** `phase` less the parabola that fits it best: its constant, frequency offset and frequency drift. */
function withoutQuadratic(phase: Float64Array): Float64Array {
  const n = phase.length;
  const centre = (n - 1) / 2;
  const offset = (n * n - 1) / 12;
  let mean = 0;
  let slope = 0;
  let bend = 0;
  let slopeSquares = 0;
  let bendSquares = 0;
  // Orthogonal over the samples: 1, t, and t² − (n² − 1)/12.
  for (let i = 0; i < n; i++) {
    const t = i - centre;
    const parabola = t * t - offset;
    mean += phase[i]!;
    slope += t * phase[i]!;
    bend += parabola * phase[i]!;
    slopeSquares += t * t;
    bendSquares += parabola * parabola;
  }
  mean /= n;
  slope /= slopeSquares;
  bend /= bendSquares;
  const rest = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const t = i - centre;
    rest[i] = phase[i]! - mean - slope * t - bend * (t * t - offset);
  }
  return rest;
}

function meanSquare(x: Float64Array): number {
  return x.reduce((sum, v) => sum + v * v, 0) / x.length;
}
