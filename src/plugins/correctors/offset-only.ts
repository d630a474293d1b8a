import { inject } from 'inversify';
import { z } from 'zod';
import type { Corrector, Estimate, History, Measurement } from '../../core/contracts/index.js';
import { firstEstimate, maxErrorRate } from '../../core/pipeline/estimates.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { ratio } from '../../core/quantity.js';

const Options = z.strictObject({
  strength: z.number().gt(0).max(1).default(1).meta({ description: 'Share of the innovation that moves the offset.' }),
  drift: ratio('Drift of a clock that nothing is known of, one standard deviation.', { min: 0 }).prefault('30 ppm'),
});

/**
 * Moves the offset towards each measurement and leaves the drift to the predictor: θ ← θ⁻ + s·(z − θ⁻), with variance
 * (1 − s)²·P₀₀ + s²·R.
 */
@plugin({
  kind: 'corrector',
  name: 'offset-only',
  summary: 'Moves the offset to each measurement, leaves the drift',
  options: Options,
})
export class OffsetOnlyCorrector implements Corrector {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  correct(prior: Estimate | undefined, measurement: Measurement, { axis }: History): Estimate {
    const { strength, drift } = this.options;
    if (prior === undefined) {
      return firstEstimate(measurement, axis, drift, { whiteFm: 0, randomWalkFm: 0 }, 'offset-only');
    }
    const keep = 1 - strength;
    // The drift is never measured here: its uncertainty stays what it was at the start, and the covariance with it.
    const p11 = Math.min(prior.p11, drift ** 2);
    const share = prior.p11 === 0 ? 0 : Math.sqrt(p11 / prior.p11);
    const offset = keep * prior.offset + strength * measurement.offset;
    return {
      ...prior,
      at: measurement.at,
      offset,
      p00: keep ** 2 * prior.p00 + strength ** 2 * measurement.uncertainty ** 2,
      p01: share * keep * prior.p01,
      p11,
      maxError: measurement.rootDistance + Math.abs(offset - measurement.offset),
      maxErrorRate: maxErrorRate(drift ** 2),
      by: 'offset-only',
    };
  }
}
