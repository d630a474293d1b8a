import type { Axis, ClockReading, Estimate, Tensor, Tensors } from '../contracts/index.js';
import { timeOn } from '../contracts/index.js';
import { WORST_DRIFT } from '../estimation/error-bound.js';
import { maxErrorRate } from '../pipeline/estimates.js';
import { inverseNormal } from '../pipeline/telling.js';
import type { ForecastCard, ForecastOutput } from './card.js';
import type { Context } from './context.js';

/** Why an answer is not believed. */
export type Refusal = 'not finite' | 'crossing quantiles' | 'constant';

/** A forecast in seconds on the pipeline's axis, step by step. */
export interface Forecast {
  /** Local times of the steps. */
  readonly times: readonly number[];
  readonly offsets: readonly number[];
  /** One standard deviation; undefined where the model gives none. */
  readonly deviations: readonly number[] | undefined;
  readonly context: Context;
}

/** Crossings of quantiles that rounding explains: this share of the widest interval. */
const ROUNDING = 1e-5;

/** Outputs as steps of the horizon, in the model's own units. */
interface Steps {
  centre: Float64Array | undefined;
  deviation: Float64Array | undefined;
}

/** What a model's outputs say of the steps ahead, or why they are not believed. */
export function forecastOf(outputs: Tensors, context: Context, card: ForecastCard): Forecast | Refusal {
  const steps: Steps = { centre: undefined, deviation: undefined };
  for (const output of card.outputs) {
    const refusal = take(output, outputs[output.name]!, card, steps);
    if (refusal !== undefined) return refusal;
  }
  const { centre, deviation } = steps;
  const { line, scale, end, period } = context;
  const { firstStep } = card.horizon;
  const asinh = card.normalisation.transform === 'asinh';
  const back = (y: number): number => (asinh ? Math.sinh(y) : y);
  const times = Array.from(centre!, (_, j) => end + (firstStep + j) * period);
  const offsets = Array.from(
    centre!,
    (y, j) => line.offset + line.drift * (times[j]! - end) + (context.centre + back(y)) * scale,
  );
  // The slope of sinh at the centre carries a deviation over.
  const slope = (j: number): number => (asinh ? Math.cosh(centre![j]!) : 1);
  const deviations = deviation && Array.from(deviation, (s, j) => Math.abs(s) * slope(j) * scale);
  if (!offsets.every(Number.isFinite) || deviations?.every(Number.isFinite) === false) return 'not finite';
  return { times, offsets, deviations, context };
}

/** So many times what can be is what a forecast is believed at most: it is to catch nonsense, not to judge models. */
const GENEROUS = 10;

/**
 * Whether a forecast lies, at any step, farther from the last measurement and from the line than can be: ten times what
 * the measurements scatter by, or what the wrongest clock gains over the lead, if that is more.
 */
export function isAbsurd({ times, offsets, context }: Forecast): boolean {
  const { line, end, period, last, scatter } = context;
  return offsets.some((offset, j) => {
    const lead = times[j]! - end;
    const possible = GENEROUS * Math.max(scatter, WORST_DRIFT * Math.max(lead, period));
    const fromLine = Math.abs(offset - line.offset - line.drift * lead);
    return Math.min(fromLine, Math.abs(offset - last)) > possible;
  });
}

function take(output: ForecastOutput, tensor: Tensor, card: ForecastCard, into: Steps): Refusal | undefined {
  const read = readerOf(output, tensor);
  const { steps } = card.horizon;
  const series = (quantile: number): Float64Array => Float64Array.from({ length: steps }, (_, j) => read(j, quantile));
  if (output.role !== 'quantiles') {
    const values = series(0);
    if (!values.every(Number.isFinite)) return 'not finite';
    if (output.role === 'deviation') into.deviation = values;
    else if (output.role === 'mean' || into.centre === undefined) into.centre ??= values;
    return undefined;
  }
  const levels = output.levels!;
  const known = levels.flatMap((level, k) => (typeof level === 'number' ? [{ level, values: series(k) }] : []));
  if (!known.every(({ values }) => values.every(Number.isFinite))) return 'not finite';
  for (let j = 0; j < steps; j++) {
    const at = known.map(({ values }) => values[j]!);
    const widest = Math.max(...at) - Math.min(...at);
    const crosses = at.some((value, k) => k > 0 && value < at[k - 1]! - ROUNDING * widest);
    if (crosses && !card.sortQuantiles) return 'crossing quantiles';
    at.sort((a, b) => a - b);
    known.forEach(({ values }, k) => {
      values[j] = at[k]!;
    });
  }
  const first = known[0];
  const last = known.at(-1);
  if (first !== undefined && last !== undefined && last.level > first.level) {
    const width = inverseNormal(last.level) - inverseNormal(first.level);
    into.deviation = last.values.map((high, j) => (high - first.values[j]!) / width);
  }
  const median = known.find(({ level }) => level === 0.5)?.values;
  const mean = levels.indexOf('mean');
  const middle = median ?? (mean >= 0 ? series(mean) : undefined) ?? halfWay(known);
  if (middle?.every(Number.isFinite) === false) return 'not finite';
  into.centre = middle;
  return undefined;
}

/** The median by interpolation between the two levels about it. */
function halfWay(
  known: readonly { readonly level: number; readonly values: Float64Array }[],
): Float64Array | undefined {
  const above = known.findIndex(({ level }) => level > 0.5);
  const high = known[above];
  const low = known[above - 1];
  if (high === undefined || low === undefined) return known[0]?.values;
  const u = (0.5 - low.level) / (high.level - low.level);
  return low.values.map((value, j) => value + u * (high.values[j]! - value));
}

/** Reads a step (and a quantile) of an output, whatever the order of its axes. */
function readerOf({ layout, select, skip, reshape }: ForecastOutput, { dims: own, data }: Tensor) {
  const dims = reshape ?? own;
  const strides = dims.map((_, k) => dims.slice(k + 1).reduce((product, length) => product * length, 1));
  let base = 0;
  layout.forEach((axis, k) => {
    const chosen = select[axis];
    if (chosen !== undefined) base += strides[k]! * (chosen === 'last' ? dims[k]! - 1 : chosen);
  });
  const time = strides[layout.indexOf('time')]!;
  const quantileAxis = layout.indexOf('quantile');
  const quantile = quantileAxis < 0 ? 0 : strides[quantileAxis]!;
  return (step: number, k: number): number => Number(data[base + (step + skip) * time + k * quantile]);
}

/**
 * The forecast as an estimate at a reading: on the straight line between two steps, which the drift follows; the
 * deviation likewise, and growing at that rate. Past the horizon the last stretch goes on.
 */
export function estimateOf(
  forecast: Forecast,
  deviations: readonly number[],
  at: ClockReading,
  axis: Axis,
  known: { readonly offset: number; readonly rootDistance: number },
  by: string,
): Estimate {
  const { times, offsets, context } = forecast;
  const { line, end, period } = context;
  const t = timeOn(axis, at);
  const steps = times.length;
  // The stretch that t lies in; the first also reaches back to the last measurement.
  const stretch = Math.min(Math.max(Math.floor((t - times[0]!) / period), 0), Math.max(0, steps - 2));
  const from = times[stretch]!;
  const drift = steps > 1 ? (offsets[stretch + 1]! - offsets[stretch]!) / period : line.drift;
  const growth = steps > 1 ? (deviations[stretch + 1]! - deviations[stretch]!) / period : 0;
  const deviation = Math.max(deviations[stretch]! + growth * (t - from), deviations[0]! / 2, 1e-9);
  const rate = Math.max(growth, 0);
  const offset = offsets[stretch]! + drift * (t - from);
  const p11 = rate ** 2 + line.p11;
  const boundRate = maxErrorRate(line.p11);
  const age = Math.max(0, t - end);
  return {
    at,
    axis,
    offset,
    drift,
    p00: deviation ** 2,
    p01: deviation * rate,
    p11,
    whiteFm: 0,
    randomWalkFm: 0,
    maxError: known.rootDistance + Math.abs(offset - known.offset - line.drift * age) + boundRate * age,
    maxErrorRate: boundRate,
    by,
    goodFor: Math.max(0, times[steps - 1]! - t),
  };
}
