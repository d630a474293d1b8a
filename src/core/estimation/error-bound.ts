import type { Observation } from './observation.js';
import type { CorrectnessInterval } from './selection.js';

/** Frequency tolerance of RFC 5905 (PHI), s/s. */
export const PHI = 15e-6;

/** No clock's frequency is wrong by more, s/s: a crystal's is by a thousandth of that. */
export const WORST_DRIFT = 5e-2;

/**
 * Interval that must hold the true offset at the observation's arrival, whatever the asymmetry (RFC 5905, 11.2.1):
 *
 *   offset ± (λ = (delay + root delay)/2 + root dispersion + precision)
 *
 * `fuzz` is added for stamps that are randomised below the precision.
 */
export function correctness(o: Observation, fuzz: number): CorrectnessInterval {
  const distance = (Math.max(o.delay, 0) + o.rootDelay) / 2 + o.rootDispersion + 2 * o.precision + fuzz;
  return { low: o.offset - distance, high: o.offset + distance };
}
