import { type Axis, type Measurement, timeOn } from '../contracts/index.js';
import { median, theilSen } from '../estimation/lines.js';
import type { ForecastCard } from './card.js';

/** What a model is shown of the past, in its own units, oldest first; NaN where nothing was observed. */
export interface Context {
  readonly offsets: Float64Array;
  /** (delay − least delay)/2 in the same scale. */
  readonly excess: Float64Array;
  /** Periods before the last point; 0 for the last. */
  readonly times: Float64Array;
  /** Local time of the last point on the axis, seconds. */
  readonly end: number;
  /** Seconds. */
  readonly period: number;
  /** The way back to seconds: θ(t) = line.offset + line.drift·(t − end) + (centre + inverse(y))·scale. */
  readonly line: { readonly offset: number; readonly drift: number; readonly p11: number };
  readonly centre: number;
  readonly scale: number;
  /** The last offset, and how far those shown scatter about the line (one standard deviation), seconds. */
  readonly last: number;
  readonly scatter: number;
}

const UNITS = { s: 1, ms: 1e-3, us: 1e-6, ns: 1e-9 } as const;
/** Least scale: what a perfect clock leaves is not blown up to noise. Seconds. */
const LEAST_SCALE = 1e-9;
/** Of a source's long intervals: what is nearer belongs to one turn, as the packets of a burst do. */
const ONE_TURN = 1 / 20;
/** A robust line goes through at most this many points: it takes every pair of them. */
const PAIRED = 64;

/**
 * The last measurements as a card wants them: detrended in double precision (at 50 ppm a day is 4.3 s, of which float32
 * resolves half a microsecond), on a regular grid that ends at the last measurement, or at their own times. Undefined
 * while there are too few, or nearly all of the grid lies in gaps; `tell` is told which.
 */
export function contextOf(
  measurements: readonly Measurement[],
  axis: Axis,
  card: ForecastCard,
  tell?: (kind: string, numbers: string) => void,
): Context | undefined {
  const points = pointsOf(measurements, axis);
  const { context, sampling, normalisation } = card;
  const last = points.at(-1);
  const without = (kind: string, numbers: string): undefined => {
    tell?.(kind, numbers);
  };
  if (last === undefined || points.length < 2) {
    return without('too few measurements', `${points.length} of ${Math.max(2, context.min)}`);
  }
  const recent = points.slice(-context.max);
  const period = sampling.period === 'median' ? periodOf(recent) : sampling.period;
  if (period === undefined) return without('too few measurements', 'no source has two');
  const shown = sampling.mode === 'irregular' ? recent : points.filter(({ t }) => last.t - t <= context.max * period);
  const line = lineThrough(shown, last.t, normalisation.detrend);
  const residual = ({ t, offset }: Point): number => offset - line.offset - line.drift * (t - last.t);
  const least = shown.reduce((min, { delay }) => Math.min(min, delay), Number.POSITIVE_INFINITY);
  const raw = shown.map(point => ({ t: point.t, y: residual(point), e: Math.max(0, (point.delay - least) / 2) }));
  const series = sampling.mode === 'irregular' ? raw : onGrid(raw, last.t, period, card);
  const grid = sampling.mode === 'irregular' ? '' : `, ${Number(period.toPrecision(3))} s apart`;
  if (series.length < context.min) return without('too few measurements', `${series.length} of ${context.min}${grid}`);
  const observed = series.filter(({ y }) => !Number.isNaN(y));
  if (observed.length < Math.max(2, context.min / 2)) {
    return without('nearly all lies in gaps', `${observed.length} values of ${series.length}${grid}`);
  }
  const values = observed.map(({ y }) => y);
  const scale = normalisation.scale === 'unit' ? UNITS[normalisation.unit] : scaleOf(values, normalisation.scale);
  const centre = centreOf(values, normalisation.centre) / scale;
  const forward = normalisation.transform === 'asinh' ? Math.asinh : (x: number): number => x;
  return {
    offsets: Float64Array.from(series, ({ y }) => forward(y / scale - centre)),
    excess: Float64Array.from(series, ({ e }) => forward(e / scale)),
    times: Float64Array.from(series, ({ t }) => (t - last.t) / period),
    end: last.t,
    period,
    line,
    centre,
    scale,
    last: last.offset,
    scatter: deviationOf(raw.map(({ y }) => y)),
  };
}

interface Point {
  readonly t: number;
  readonly offset: number;
  readonly delay: number;
  readonly source: string;
}

/** In order of time; of several at one instant (a burst of duplicates) the last. */
function pointsOf(measurements: readonly Measurement[], axis: Axis): readonly Point[] {
  const points: Point[] = [];
  for (const { at, offset, delay, source } of measurements) {
    const t = timeOn(axis, at);
    while (points.length > 0 && points.at(-1)!.t >= t) points.pop();
    points.push({ t, offset, delay, source });
  }
  return points;
}

/**
 * How far apart the turns of the source with most measurements are: servers that are asked together answer within
 * milliseconds, and packets of a burst within seconds, which says nothing of how often the clock is seen.
 */
function periodOf(points: readonly Point[]): number | undefined {
  const sources = new Map<string, number[]>();
  for (const { t, source } of points) {
    const times = sources.get(source);
    if (times === undefined) sources.set(source, [t]);
    else times.push(t);
  }
  let most: readonly number[] = [];
  for (const times of sources.values()) if (times.length > most.length) most = times;
  if (most.length < 2) return undefined;
  const gaps = most.slice(1).map((t, i) => t - most[i]!);
  // Not the longest of all: one outage would make everything else a single turn.
  const long = gaps.toSorted((a, b) => a - b)[Math.floor(0.9 * (gaps.length - 1))]!;
  const starts = most.filter((_, i) => i === 0 || gaps[i - 1]! >= ONE_TURN * long);
  return median(starts.slice(1).map((t, i) => t - starts[i]!));
}

function lineThrough(points: readonly Point[], end: number, detrend: ForecastCard['normalisation']['detrend']) {
  const none = { offset: 0, drift: 0, p11: 0 };
  if (detrend === 'none') return none;
  const every = detrend === 'line' ? 1 : Math.ceil(points.length / PAIRED);
  const chosen = points
    .filter((_, i) => (points.length - 1 - i) % every === 0)
    .map(({ t, offset }) => ({ t: t - end, offset }));
  if (detrend === 'robust-line') return theilSen(chosen, 0) ?? none;
  return ordinaryLine(chosen) ?? none;
}

function ordinaryLine(points: readonly { readonly t: number; readonly offset: number }[]) {
  const n = points.length;
  const meanT = points.reduce((sum, { t }) => sum + t, 0) / n;
  const spread = points.reduce((sum, { t }) => sum + (t - meanT) ** 2, 0);
  if (spread === 0) return undefined;
  const mean = points.reduce((sum, { offset }) => sum + offset, 0) / n;
  const drift = points.reduce((sum, { t, offset }) => sum + (t - meanT) * (offset - mean), 0) / spread;
  const offset = mean - drift * meanT;
  const squares = points.reduce((sum, point) => sum + (point.offset - offset - drift * point.t) ** 2, 0);
  return { offset, drift, p11: squares / Math.max(1, n - 2) / spread };
}

interface Sample {
  readonly t: number;
  readonly y: number;
  readonly e: number;
}

/** The grid end − k·period, as far back as there are measurements; NaN in gaps longer than the card allows. */
function onGrid(samples: readonly Sample[], end: number, period: number, card: ForecastCard): readonly Sample[] {
  const { context, sampling } = card;
  const reach = Math.floor((end - samples[0]!.t) / period + 1e-6) + 1;
  const usable = Math.min(context.max, reach);
  const length = usable >= context.multipleOf ? usable - (usable % context.multipleOf) : usable;
  const grid: Sample[] = [];
  let i = 0;
  for (let k = length - 1; k >= 0; k--) {
    const t = end - k * period;
    while (i + 1 < samples.length && samples[i + 1]!.t <= t + 1e-9 * period) i++;
    const before = samples[i]!;
    const after = samples[i + 1];
    if (after === undefined || Math.abs(before.t - t) <= 1e-6 * period) grid.push({ t, y: before.y, e: before.e });
    else if (after.t - before.t > sampling.maxGap * period) grid.push({ t, y: Number.NaN, e: Number.NaN });
    else if (sampling.resample === 'previous') grid.push({ t, y: before.y, e: before.e });
    else {
      const u = Math.max(0, (t - before.t) / (after.t - before.t));
      grid.push({ t, y: before.y + u * (after.y - before.y), e: before.e + u * (after.e - before.e) });
    }
  }
  return grid;
}

function scaleOf(values: readonly number[], kind: 'mad' | 'deviation'): number {
  const deviation = deviationOf(values);
  if (kind === 'deviation') return Math.max(deviation, LEAST_SCALE);
  const middle = median(values);
  const mad = 1.4826 * median(values.map(y => Math.abs(y - middle)));
  // Where more than half of the values are alike there is no MAD.
  return Math.max(mad > 0 ? mad : deviation, LEAST_SCALE);
}

function deviationOf(values: readonly number[]): number {
  const mean = values.reduce((sum, y) => sum + y, 0) / values.length;
  return Math.sqrt(values.reduce((sum, y) => sum + (y - mean) ** 2, 0) / values.length);
}

function centreOf(values: readonly number[], kind: ForecastCard['normalisation']['centre']): number {
  if (kind === 'none') return 0;
  if (kind === 'last') return values.at(-1)!;
  return values.reduce((sum, y) => sum + y, 0) / values.length;
}
