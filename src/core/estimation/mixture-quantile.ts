import { normalTail } from './normal.js';

/**
 * Half-width, in units of `deviation`, of the interval around `centre` that holds probability `level` of a mixture of
 * normal laws: the root k of Σ w·[Φ((kσ − δ)/σ_h) − Φ((−kσ − δ)/σ_h)] = level, δ = mean_h − centre, by bisection.
 *
 * A mixture of a narrow and a wide law has its 68 % well inside one standard deviation and its 95 % about where a
 * normal law has it, so one deviation cannot serve both levels.
 */
export function mixtureQuantile(
  parts: readonly { weight: number; mean: number; variance: number }[],
  centre: number,
  deviation: number,
  level: number,
): number {
  let low = 0;
  let high = 6;
  let total = 0;
  for (const part of parts) total += part.weight;
  for (let step = 0; step < 14; step++) {
    const k = (low + high) / 2;
    let outside = 0;
    for (const { weight, mean, variance } of parts) {
      const sd = Math.sqrt(Math.max(variance, 1e-30));
      const delta = mean - centre;
      outside += weight * (normalTail((k * deviation - delta) / sd) + normalTail((k * deviation + delta) / sd));
    }
    if (outside / total > 1 - level) low = k;
    else high = k;
  }
  return (low + high) / 2;
}
