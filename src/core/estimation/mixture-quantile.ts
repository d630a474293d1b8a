import { normalTailFrom } from './normal.js';

/**
 * Half-width, in units of `deviation`, of the interval around `centre` that holds probability `level` of a mixture of
 * normal laws: the root k of Σ w·[Φ((kσ − δ)/σ_h) − Φ((−kσ − δ)/σ_h)] = level, δ = mean_h − centre, by Newton's
 * steps from `guess`, halving where they would leave what is known to hold the root. For the law's own mean and deviation
 * the root is below √(1/(1 − level)) (Chebyshev), and 2.3 guesses hold that at the usual levels.
 *
 * A mixture of a narrow and a wide law has its 68 % well inside one standard deviation and its 95 % about where a
 * normal law has it, so one deviation cannot serve both levels.
 */
export function mixtureQuantile(
  parts: readonly { weight: number; mean: number; variance: number }[],
  centre: number,
  deviation: number,
  level: number,
  guess: number,
): number {
  let total = 0;
  for (const part of parts) total += part.weight;
  let k = guess;
  let low = 0;
  let high = 2.3 * guess;
  for (let step = 0; step < 20; step++) {
    let outside = 0;
    let slope = 0;
    for (const { weight, mean, variance } of parts) {
      const sd = Math.sqrt(Math.max(variance, 1e-30));
      const a = (k * deviation - mean + centre) / sd;
      const b = (k * deviation + mean - centre) / sd;
      const ka = Math.exp(-0.5 * a * a);
      const kb = Math.exp(-0.5 * b * b);
      outside += weight * (normalTailFrom(a, ka) + normalTailFrom(b, kb));
      slope += (weight * (ka + kb) * 0.3989422804014327 * deviation) / sd;
    }
    const excess = outside / total - (1 - level);
    if (excess > 0) low = k;
    else high = k;
    const newton = k + (excess * total) / slope;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - k) < 1e-3) return next;
    k = next;
  }
  return k;
}
