import { fft } from './fft.js';

/**
 * The exponent α of a power-law spectrum of fractional frequency, S_y(f) = h_α·f^α (one-sided, 1/Hz), named as in
 * NIST SP 1065, section 3.3: +2 white PM, +1 flicker PM, 0 white FM, −1 flicker FM, −2 random walk FM.
 */
export type PowerLaw = -2 | -1 | 0 | 1 | 2;

export const POWER_LAWS: readonly PowerLaw[] = [-2, -1, 0, 1, 2];

/**
 * A realisation of one pure power-law noise as time error, by Kasdin's discrete fractional integration: white Gaussian
 * steps pass a filter whose transfer function is (1 − z⁻¹)^−δ with δ = (2 − α)/2, so that the phase has the spectrum
 * S_x(f) = 2·σ²·τ0·|2 sin(π f τ0)|^(−2δ), which below the Nyquist frequency follows h_α·f^(α−2)/(2π)².
 *
 * Source: N. J. Kasdin, "Discrete simulation of colored noise and stochastic processes and 1/f^α power law noise
 * generation", Proc. IEEE 83 (1995).
 *
 * Deviations of what it makes, for τ = mτ0 and, with the phase noises (α > 0), the bandwidth f_h = 1/(2τ0) that
 * sampling without averaging gives (NIST SP 1065, sections 3.3 and 5; MDEV for large m, at m = 1 it equals ADEV):
 *
 * | α  | ADEV²(τ)                                   | MDEV²(τ)                     |
 * |----|--------------------------------------------|------------------------------|
 * | +2 | 3 f_h h₂ / (4π²τ²) = 3 h₂ / (8π²τ0 τ²)     | 3 h₂ / (8π²τ³)               |
 * | +1 | h₁ (1.038 + 3 ln(2π f_h τ)) / (4π²τ²)      | h₁·3 ln(256/27) / (8π²τ²)    |
 * | 0  | h₀ / (2τ)                                  | h₀ / (4τ)                    |
 * | −1 | 2 ln 2·h₋₁                                 | (27 ln 3 − 32 ln 2)/8·h₋₁    |
 * | −2 | (2π²/3)·h₋₂ τ                              | (11π²/20)·h₋₂ τ              |
 *
 * The ADEV of all but white PM and white FM is a limit for large m too. At m = 1 the sampled noise is 9 % (flicker
 * PM), 20 % (flicker FM) and 22 % (random walk FM) above the table; from m = 10 on, FM noises are within 1 %.
 *
 * The integer integrations are sums, which are exact. The half one (flicker) is a convolution by FFT that starts n
 * steps before the first sample and forgets them: without that past, lags near the length of the series would see the
 * filter fill. A flicker noise therefore draws 2n numbers, every other n.
 *
 * @param alpha exponent of S_y(f)
 * @param n number of samples, at least 1
 * @param tau0 seconds between samples
 * @param h coefficient h_α of S_y(f), in s^(α+1) (see `powerLawLevel` to get it from an ADEV)
 * @param gaussian draws from the standard normal distribution
 * @returns time error in seconds, n values
 * @throws RangeError if n, tau0 or h is out of range
 */
export function powerLawPhase(
  alpha: PowerLaw,
  n: number,
  tau0: number,
  h: number,
  gaussian: () => number,
): Float64Array {
  if (!Number.isInteger(n) || n < 1) throw new RangeError(`powerLawPhase.n: expected an integer from 1, found ${n}`);
  const scale = Math.sqrt(powerLawStepVariance(alpha, h, tau0));
  const flicker = alpha === 1 || alpha === -1;
  const steps = new Float64Array(flicker ? 2 * n : n);
  for (let i = 0; i < steps.length; i++) steps[i] = scale * gaussian();
  const phase = flicker ? integrateHalf(steps).slice(n) : steps;
  for (let sums = Math.floor((2 - alpha) / 2); sums > 0; sums--) {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      sum += phase[i]!;
      phase[i] = sum;
    }
  }
  return phase;
}

/**
 * Variance σ² (s²) of the white steps that `powerLawPhase` filters: h·(2πτ0)^(2−α) / (8π²τ0).
 *
 * @throws RangeError if tau0 is not a positive or h not a non-negative finite number
 */
export function powerLawStepVariance(alpha: PowerLaw, h: number, tau0: number): number {
  if (!POWER_LAWS.includes(alpha)) {
    throw new RangeError(`powerLaw.alpha: expected one of ${POWER_LAWS.join(', ')}, found ${alpha}`);
  }
  if (!(tau0 > 0 && tau0 < Infinity)) {
    throw new RangeError(`powerLaw.tau0: expected a positive number of seconds, found ${tau0}`);
  }
  if (!(h >= 0 && h < Infinity)) throw new RangeError(`powerLaw.h: expected a finite number from 0, found ${h}`);
  return (h * (2 * Math.PI * tau0) ** (2 - alpha)) / (8 * Math.PI ** 2 * tau0);
}

/**
 * The coefficient h_α of the noise that has this Allan deviation at τ, by the table at `powerLawPhase`.
 *
 * @param adev Allan deviation, dimensionless
 * @param tau averaging time of `adev` in seconds, at least tau0
 * @param tau0 seconds between samples, which sets the bandwidth 1/(2τ0) of the phase noises
 * @returns h_α in s^(α+1)
 */
export function powerLawLevel(alpha: PowerLaw, adev: number, tau: number, tau0: number): number {
  if (!(tau >= tau0 && tau0 > 0 && tau < Infinity)) {
    throw new RangeError(`powerLawLevel.tau: expected seconds from tau0 (${tau0}), found ${tau}`);
  }
  if (!(adev >= 0 && adev < Infinity)) {
    throw new RangeError(`powerLawLevel.adev: expected a finite number from 0, found ${adev}`);
  }
  const avarOfUnit = {
    '2': 3 / (8 * Math.PI ** 2 * tau0 * tau ** 2),
    '1': (1.038 + 3 * Math.log((Math.PI * tau) / tau0)) / (4 * Math.PI ** 2 * tau ** 2),
    '0': 1 / (2 * tau),
    '-1': 2 * Math.LN2,
    '-2': ((2 * Math.PI ** 2) / 3) * tau,
  };
  return adev ** 2 / avarOfUnit[alpha];
}

/** `steps` through the filter (1 − z⁻¹)^−½, from rest. */
function integrateHalf(steps: Float64Array): Float64Array {
  const n = steps.length;
  const size = 2 ** Math.ceil(Math.log2(2 * n));
  // Two real series travel as one complex series: the steps as its real and the filter as its imaginary part.
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  re.set(steps);
  for (let k = 0, tap = 1; k < n; k++, tap *= (k - 0.5) / k) im[k] = tap;
  fft(re, im);
  for (let k = 0; k <= size / 2; k++) {
    const other = (size - k) % size;
    const a = re[k]!;
    const b = im[k]!;
    const c = re[other]!;
    const d = im[other]!;
    // The spectra are S = (a + c + i(b − d))/2 and F = (b + d + i(c − a))/2; S·F is the spectrum of a real series.
    const real = ((a + c) * (b + d) - (b - d) * (c - a)) / 4;
    const imaginary = ((a + c) * (c - a) + (b - d) * (b + d)) / 4;
    re[k] = real;
    im[k] = imaginary;
    re[other] = real;
    im[other] = -imaginary;
  }
  fft(re, im, true);
  const out = re.subarray(0, n);
  for (let i = 0; i < n; i++) out[i] = out[i]! / size;
  return out;
}
