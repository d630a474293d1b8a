import { type PowerLaw, powerLawStepVariance } from '../../world/power-law.js';
import type { VarianceEstimator } from './estimators.js';

/**
 * What each estimator looks at: differences of the phase at lag m, of order 2 (the Allan family) or 3 (Hadamard), of
 * the samples themselves or of their means over m (`smoothed`).
 */
export interface Differences {
  readonly order: 2 | 3;
  readonly smoothed: boolean;
}

/** The differences whose mean square is the variance, and over how many of their variances it is divided. */
export function differencesOf(estimator: VarianceEstimator): Differences {
  switch (estimator) {
    case 'mdev':
    case 'tdev':
      return { order: 2, smoothed: true };
    case 'hdev':
    case 'ohdev':
      return { order: 3, smoothed: false };
    default:
      return { order: 2, smoothed: false };
  }
}

/**
 * Autocovariance at a lag of k samples of the differences at lag m of a power-law phase noise whose white steps have
 * unit variance (see `powerLawPhase`): Σ_j (−1)^j·C(2d, d + j)·G(k + jm) over |j| ≤ d, for differences of order d.
 * A mean over m samples is the difference of two running sums, so smoothing is one more order on a noise integrated
 * once more, divided by m².
 *
 * This is the structure of C. A. Greenhall and W. J. Riley, "Uncertainty of stability variances based on finite
 * differences" (PTTI 2003), equations 7 to 9, with the covariance of the sampled noise in place of that of a noise in
 * continuous time: it needs no separate cases for small m and no bandwidth for flicker PM.
 *
 * @param k lag in samples, any integer
 * @param m averaging factor, from 1
 * @returns covariance in units of the variance of the white steps
 */
export function differenceCovariance(alpha: PowerLaw, { order, smoothed }: Differences, m: number, k: number): number {
  const orders = smoothed ? order + 1 : order;
  const integrations = (2 - alpha) / 2 + (smoothed ? 1 : 0);
  const binomials = BINOMIALS[orders]!;
  let sum = binomials[0]! * generalisedCovariance(integrations, k);
  for (let j = 1; j <= orders; j++) {
    sum +=
      binomials[j]! * (generalisedCovariance(integrations, k + j * m) + generalisedCovariance(integrations, k - j * m));
  }
  return smoothed ? sum / (m * m) : sum;
}

/**
 * The deviation that an estimator has in the mean on the noise of `powerLawPhase(alpha, …, tau0, h, …)`, exactly: the
 * square root of its variance's expectation for this sampled noise, at every m. (`totdev` estimates the Allan
 * deviation, whose value this is; its own expectation is another, see `totalVarianceBias`.) For large m it tends to the
 * expressions that `powerLawPhase` lists.
 *
 * @param alpha exponent of S_y(f)
 * @param h coefficient h_α of S_y(f), in s^(α+1)
 * @param tau0 seconds between samples
 * @param m averaging factor, from 1
 * @returns dimensionless, `tdev` in seconds
 */
export function theoreticalDeviation(
  estimator: VarianceEstimator,
  alpha: PowerLaw,
  h: number,
  tau0: number,
  m: number,
): number {
  if (!Number.isInteger(m) || m < 1) {
    throw new RangeError(`theoreticalDeviation.m: expected an integer from 1, found ${m}`);
  }
  const differences = differencesOf(estimator);
  const meanSquare = powerLawStepVariance(alpha, h, tau0) * differenceCovariance(alpha, differences, m, 0);
  if (estimator === 'tdev') return Math.sqrt(meanSquare / 6);
  return Math.sqrt(meanSquare / (differences.order === 2 ? 2 : 6)) / (m * tau0);
}

/** (−1)^j·C(2d, d + j) for j = 0 … d, by d. */
const BINOMIALS: readonly (readonly number[])[] = [[1], [2, -1], [6, -4, 1], [20, -15, 6, -1], [70, -56, 28, -8, 1]];

/**
 * Generalised autocovariance G of white noise of unit variance integrated δ times, δ = 0, ½, … 3: a function whose
 * differences are the covariances of the noise's differences, wherever these are stationary; −Δ²G_(δ+1) = G_δ. Where
 * that leaves it free, a polynomial in k² of degree below δ is left out. It is the limit at δ of the covariance
 * Γ(1 − 2δ)·sin(πδ)/π·Γ(k + δ)/Γ(k + 1 − δ) of fractional noise (J. R. M. Hosking, Biometrika 68 (1981)):
 *
 * - δ = 0: 1 at k = 0, else 0; δ = p: (−1)^p·|k|·Π(k² − i²)/(2·(2p − 1)!), i = 1 … p − 1;
 * - δ = p + ½: (−1)^(p+1)·ψ(|k| + ½)·Π(k² − (i − ½)²)/(π·(2p)!), i = 1 … p, with the digamma function ψ.
 */
function generalisedCovariance(delta: number, k: number): number {
  const lag = Math.abs(k);
  const square = lag * lag;
  switch (delta) {
    case 0:
      return lag === 0 ? 1 : 0;
    case 0.5:
      return -digammaPastHalf(lag) / Math.PI;
    case 1:
      return -lag / 2;
    case 1.5:
      return (digammaPastHalf(lag) * (square - 0.25)) / (2 * Math.PI);
    case 2:
      return (lag * (square - 1)) / 12;
    case 2.5:
      return (-digammaPastHalf(lag) * (square - 0.25) * (square - 2.25)) / (24 * Math.PI);
    default:
      return (-lag * (square - 1) * (square - 4)) / 240;
  }
}

const DIGAMMA_TABLE = (() => {
  const table = new Float64Array(32);
  // ψ(½) = −γ − 2 ln 2
  table[0] = -0.5772156649015329 - 2 * Math.LN2;
  for (let k = 1; k < table.length; k++) table[k] = table[k - 1]! + 1 / (k - 0.5);
  return table;
})();

/** ψ(k + ½) for k = 0, 1, 2, …, or any larger number, where the asymptotic series serves. */
function digammaPastHalf(k: number): number {
  if (k < DIGAMMA_TABLE.length && Number.isInteger(k)) return DIGAMMA_TABLE[k]!;
  const inverse = 1 / (k * k);
  return Math.log(k) + inverse * (1 / 24 - inverse * (7 / 960 - (inverse * 31) / 8064));
}
