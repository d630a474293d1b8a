import { inject } from 'inversify';
import { z } from 'zod';
import type { ClockReading, Estimate, History, Predictor } from '../../core/contracts/index.js';
import { propagate } from '../../core/pipeline/estimates.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { ratio } from '../../core/quantity.js';

const Options = z.strictObject({
  whiteFm: ratio('White frequency noise of the clock: Allan deviation at 1 s.', { min: 0 }).prefault('1e-9'),
  wander: ratio('Random walk of its frequency in √1 s, where the corrector does not find it out.', { min: 0 }).prefault(
    '3e-9',
  ),
});

/**
 * The corrector's last posterior, propagated: x ← F·x, P ← F·P·Fᵀ + Q with F = [1 τ; 0 1] and
 * Q = [q₁τ + q₂τ³/3, q₂τ²/2; q₂τ²/2, q₂τ], q₁ = `whiteFm`², q₂ the posterior's, where its corrector knows it, else `wander`².
 */
@plugin({
  kind: 'predictor',
  name: 'kalman',
  summary: "The corrector's posterior, propagated with its covariance",
  options: Options,
})
export class KalmanPredictor implements Predictor {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  predict(history: History, at: ClockReading): Estimate | undefined {
    const { estimate } = history;
    if (estimate === undefined) return undefined;
    const { whiteFm, wander } = this.options;
    const randomWalkFm = estimate.randomWalkFm > 0 ? estimate.randomWalkFm : wander ** 2;
    return propagate(estimate, at, 'kalman', { whiteFm: whiteFm ** 2, randomWalkFm });
  }
}
