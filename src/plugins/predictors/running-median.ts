import { inject } from 'inversify';
import { z } from 'zod';
import type { ClockReading, Estimate, History, Predictor } from '../../core/contracts/index.js';
import { median } from '../../core/estimation/lines.js';
import { firstEstimate, propagate } from '../../core/pipeline/estimates.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { ratio } from '../../core/quantity.js';

const Options = z.strictObject({
  measurements: z.int().min(1).default(10).meta({ description: 'The median of how many of the last measurements.' }),
  drift: ratio('How far the clock may drift from the median, one standard deviation.', { min: 0 }).prefault('1 ppm'),
});

/**
 * The median offset of the last N measurements, held: right for a clock that something else disciplines already, where
 * there is nothing but noise to predict. Half of the measurements may be wrong. It knows no drift: on a clock that has
 * one, d, it is late by half of the window, d·T/2.
 *
 * Variance (π/2)·s²/n with s = 1.4826·MAD, what a median of n normal offsets has; never less than the least that one of
 * them claims, over n.
 */
@plugin({
  kind: 'predictor',
  name: 'running-median',
  summary: 'The median of the last N measurements, held',
  options: Options,
})
export class RunningMedianPredictor implements Predictor {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  predict({ axis, measurements }: History, at: ClockReading): Estimate | undefined {
    const points = measurements.last(this.options.measurements);
    const last = points.at(-1);
    if (last === undefined) return undefined;
    const middle = median(points.map(({ offset }) => offset));
    const spread = 1.4826 * median(points.map(({ offset }) => Math.abs(offset - middle)));
    const claimed = Math.min(...points.map(({ uncertainty }) => uncertainty));
    const variance = ((Math.PI / 2) * Math.max(spread, claimed) ** 2) / points.length;
    const held = firstEstimate(last, axis, this.options.drift, { whiteFm: 0, randomWalkFm: 0 }, NAME);
    return propagate(
      { ...held, offset: middle, p00: variance, maxError: last.rootDistance + Math.abs(middle - last.offset) },
      at,
      NAME,
    );
  }
}

const NAME = 'running-median';
