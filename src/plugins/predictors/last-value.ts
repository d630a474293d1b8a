import { inject } from 'inversify';
import { z } from 'zod';
import type { ClockReading, Estimate, History, Predictor } from '../../core/contracts/index.js';
import { firstEstimate, propagate } from '../../core/pipeline/estimates.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { ratio } from '../../core/quantity.js';

const Options = z.strictObject({
  drift: ratio('How far the clock may drift from the last value, one standard deviation.', { min: 0 }).prefault(
    '30 ppm',
  ),
});

/** The last measurement, held: offset as measured, drift 0 ± `drift`. */
@plugin({ kind: 'predictor', name: 'last-value', summary: 'The last measurement, held', options: Options })
export class LastValuePredictor implements Predictor {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  predict(history: History, at: ClockReading): Estimate | undefined {
    const last = history.measurements.at(-1);
    if (last === undefined) return undefined;
    const held = firstEstimate(last, history.axis, this.options.drift, { whiteFm: 0, randomWalkFm: 0 }, 'last-value');
    return propagate(held, at, 'last-value');
  }
}
