import type { CorrectedTime } from '../contracts/index.js';
import { normalQuantile } from '../pipeline/telling.js';
import { lowerGamma } from './chi-squared.js';

/**
 * Confidence in a told time, 0 to 1: the probability that it is within `tolerance` seconds of true time, as its own
 * statistical bounds have it. With σ = half-width/z(level): P(|N(0, σ²)| ≤ tolerance) = erf(tolerance/(σ√2)). 0 while
 * the bounds are unknown. A confidence is as good as the bounds are calibrated.
 */
export function confidence(told: CorrectedTime, tolerance: number): number {
  if (told.uncertainty === undefined) return 0;
  const sigma = told.uncertainty / normalQuantile(told.level);
  // erf(x) is the regularised lower incomplete gamma function P(1/2, x²).
  return sigma === 0 ? 1 : lowerGamma(0.5, tolerance ** 2 / (2 * sigma ** 2));
}
