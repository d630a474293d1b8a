import { type Axis, type Measurement, timeOn } from '../contracts/index.js';
import { median } from '../estimation/lines.js';
import type { Forecast } from './forecast.js';

/** How many residuals are kept, and how many it takes to go by. */
const KEPT = 64;
const ENOUGH = 8;

/** How far off the forecasts of a model were that gives no deviation, each scored before it was replaced. */
export class ForecastResiduals {
  private readonly sizes: number[] = [];

  /** Scores a forecast against a measurement that it did not know. */
  score({ times, offsets, context }: Forecast, { at, offset }: Measurement, axis: Axis): void {
    const t = timeOn(axis, at);
    if (t > times.at(-1)!) return;
    const place = Math.min(Math.max((t - times[0]!) / context.period, 0), Math.max(0, times.length - 1));
    const k = Math.min(Math.floor(place), Math.max(0, times.length - 2));
    const next = offsets[k + 1] ?? offsets[k]!;
    this.sizes.push(Math.abs(offset - offsets[k]! - (place - k) * (next - offsets[k]!)));
    if (this.sizes.length > KEPT) this.sizes.shift();
  }

  clear(): void {
    this.sizes.length = 0;
  }

  /**
   * A deviation for each step: 1.4826 times the median size, which is that of a normal law, and for steps further ahead
   * than were scored by the square root of their number; before there are enough residuals, from what the line leaves.
   */
  deviations({ times, context }: Forecast): readonly number[] {
    let one: number;
    if (this.sizes.length >= ENOUGH) one = 1.4826 * median(this.sizes);
    else {
      const observed = [...context.offsets].filter(y => !Number.isNaN(y));
      const mean = observed.reduce((sum, y) => sum + y, 0) / observed.length;
      one = context.scale * Math.sqrt(observed.reduce((sum, y) => sum + (y - mean) ** 2, 0) / observed.length);
    }
    return times.map((_, j) => Math.max(one, 1e-9) * Math.sqrt(1 + j));
  }
}
