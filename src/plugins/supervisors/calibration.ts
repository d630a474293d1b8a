import { inject } from 'inversify';
import { z } from 'zod';
import type { Estimate, Forecast, Measurement, Snapshot, Supervisor } from '../../core/contracts/index.js';
import { normalQuantile } from '../../core/pipeline/telling.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';

const Options = z.strictObject({
  window: z.int().min(10).default(50).meta({ description: 'Forecasts that are looked back on.' }),
  least: z.int().min(5).default(10).meta({ description: 'Nothing is changed before this many.' }),
  narrowest: z.number().positive().default(0.25).meta({ description: 'Least factor on the deviation.' }),
  widest: z.number().positive().default(100).meta({ description: 'Greatest factor on the deviation.' }),
});

const State = z.strictObject({
  seen: z.array(z.strictObject({ needed: z.number().min(0), says: z.number().min(0) })),
  factor: z.number().positive(),
});
const VERSION = 1;

/**
 * Adaptive calibration over a sliding window: multiplies the deviation by the factor s that would have made the last
 * `window` forecasts, each as it stood before its measurement was known, right as often as their level says.
 *
 * A forecast error e between an estimate of variance P and a measurement of variance R needs s² ≥ (e²/z² − R)/P, z the
 * level's quantile; s is the level's quantile of what was needed, ⌈(n + 1)·level⌉-th of n as in conformal prediction.
 * Where R is much larger than P the errors say little of s: each forecast counts for (P/(P + R))² of one, and with m of
 * them in all s is taken to the power m/(m + 2). The maximum error is not a matter of statistics and stays.
 */
@plugin({
  kind: 'supervisor',
  name: 'calibration',
  summary: 'Scales the deviation so that past forecasts were right as often as claimed',
  options: Options,
})
export class CalibrationSupervisor implements Supervisor {
  private readonly seen: { readonly needed: number; readonly says: number }[] = [];
  private factor = 1;

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  observe({ uncertainty }: Measurement, forecast: Forecast | undefined): void {
    if (forecast === undefined || !forecast.told.uncertainty) return;
    const { told, error } = forecast;
    const z = normalQuantile(told.level);
    const variance = (forecast.told.uncertainty / z) ** 2;
    const noise = uncertainty ** 2;
    const needed = Math.sqrt(Math.max(0, (error / z) ** 2 - noise) / variance);
    this.seen.push({ needed, says: (variance / (variance + noise)) ** 2 });
    if (this.seen.length > this.options.window) this.seen.shift();
    this.factor = this.factorAt(told.level);
  }

  supervise(estimate: Estimate): Estimate {
    if (this.factor === 1) return estimate;
    const factor = this.factor ** 2;
    const { p00, p01, p11, whiteFm, randomWalkFm } = estimate;
    return {
      ...estimate,
      p00: p00 * factor,
      p01: p01 * factor,
      p11: p11 * factor,
      whiteFm: whiteFm * factor,
      randomWalkFm: randomWalkFm * factor,
    };
  }

  /** The deviation's factor by the forecasts seen so far. */
  private factorAt(level: number): number {
    const { least, narrowest, widest } = this.options;
    const n = this.seen.length;
    if (n < least) return 1;
    const sorted = this.seen.map(({ needed }) => needed).sort((a, b) => a - b);
    const rank = Math.min(n, Math.ceil((n + 1) * level));
    const told = this.seen.reduce((sum, { says }) => sum + says, 0);
    return Math.min(widest, Math.max(narrowest, sorted[rank - 1]! ** (told / (told + DOUBT))));
  }

  snapshot(): Snapshot {
    return { version: VERSION, state: { seen: this.seen, factor: this.factor } };
  }

  restore(snapshot: Snapshot): void {
    const { seen, factor } = stateIn(snapshot, VERSION, State);
    this.seen.push(...seen.slice(-this.options.window));
    this.factor = factor;
  }
}

/** Forecasts' worth of doubt that anything is amiss. */
const DOUBT = 2;
