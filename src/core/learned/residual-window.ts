import { type Axis, type Estimate, type Measurement, offsetAfter, timeOn, varianceAfter } from '../contracts/index.js';
import { leastSquares } from './line-fits.js';

/** Name and version of what a window holds, as data sets and cards give it. */
export const LAYOUT = 'residual-window/2';
/** How many measurements a window holds: the last ones, as they came, from all sources. */
export const WINDOW = 64;
/** Numbers for each measurement, and for the window as a whole: `docs/dataset.md` has each one's equation. */
export const FEATURES = 12;
export const GLOBALS = 39;
/** The offset is forecast at the newest measurement and this many spacings of the measurements after it. */
export const HORIZONS = [0, 0.5, 1, 2, 4] as const;
/** Fewer measurements than this say nothing. */
export const LEAST = 4;

/** A window in the shape that a model takes: left-padded with zeros, oldest first; nothing in it has a unit. */
export interface Window {
  /** WINDOW × FEATURES. */
  readonly samples: Float32Array;
  readonly globals: Float32Array;
  /** Median time between measurements, s: the unit of the horizons. */
  readonly spacing: number;
}

/** A measurement, and what the classical estimator made of it. */
interface Seen {
  readonly source: string;
  readonly at: number;
  offset: number;
  readonly delay: number;
  /** The classical posterior with this measurement, its deviation, and by how much the measurement surprised it. */
  posterior: number;
  readonly deviation: number;
  readonly innovation: number;
}

/** Measurements of a source over which its least delay is remembered. */
const LONGER = 512;

/** No clock is known better than this, s: keeps ratios finite. */
const FINEST = 1e-10;

/**
 * What a learned model sees: the last measurements as residuals to the classical estimator's present line, their delays
 * as excess over the least of their source, all divided by the estimator's own deviation or by the queueing, so that
 * LANs and satellite links look alike. Differences are taken in double precision; only ratios become float32. The
 * model's own answers are never in it.
 */
export class ResidualWindow {
  private readonly seen: Seen[] = [];
  /** The delays of each source, of a longer time than the window. */
  private readonly delays = new Map<string, number[]>();
  private previous: Estimate | undefined;

  constructor(private readonly axis: Axis) {}

  get length(): number {
    return this.seen.length;
  }

  /** Whether measurements of more than one source are in it. */
  get mixed(): boolean {
    return this.seen.some(({ source }) => source !== this.seen[0]!.source);
  }

  /** Takes a measurement with the classical posterior that followed it. */
  add({ source, at, offset, delay }: Measurement, posterior: Estimate): void {
    const time = timeOn(this.axis, at);
    const { previous } = this;
    const expected = previous === undefined ? offset : offsetAfter(previous, time - timeOn(this.axis, previous.at));
    this.seen.push({
      source,
      at: time,
      offset,
      delay,
      posterior: posterior.offset,
      deviation: Math.sqrt(posterior.p00),
      innovation: offset - expected,
    });
    if (this.seen.length > WINDOW) this.seen.shift();
    const delays = this.delays.get(source) ?? [];
    this.delays.set(source, delays);
    delays.push(delay);
    if (delays.length > LONGER) delays.shift();
    this.previous = posterior;
  }

  /** Forgets everything: the counter has restarted. */
  clear(): void {
    this.seen.length = 0;
    this.delays.clear();
    this.previous = undefined;
  }

  /** UTC has leapt: every offset counts `by` seconds more. */
  shift(by: number): void {
    for (const one of this.seen) {
      one.offset += by;
      one.posterior += by;
    }
    if (this.previous !== undefined) this.previous = { ...this.previous, offset: this.previous.offset + by };
  }

  /**
   * One deviation of the noise that a measurement's delay admits beside the others of its source, s: the offset is wrong
   * by half of the excess at most, evenly, and the least delay seen was not the least there is (of n sums of two exponential
   * delays the least is about 0.8·median/√n). Undefined while there are few.
   */
  noiseOf(source: string, delay: number): number | undefined {
    const own = this.seen.filter(one => one.source === source).map(one => one.delay);
    if (own.length < 8) return undefined;
    const least = Math.min(delay, ...own);
    const typical = medianOf(own) - least;
    return (delay - least + (0.8 * typical) / Math.sqrt(own.length)) / 2 / Math.sqrt(3);
  }

  /** The window as a model takes it; undefined with fewer than LEAST measurements, or where time stands still. */
  features(): Window | undefined {
    const { seen, previous: estimate } = this;
    const n = seen.length;
    if (n < LEAST || estimate === undefined) return undefined;
    const now = timeOn(this.axis, estimate.at);
    const spacing = spacingOf(seen);
    if (!(spacing > 0)) return undefined;
    const least = new Map<string, number>();
    for (const { source, delay } of seen) least.set(source, Math.min(least.get(source) ?? delay, delay));
    const excesses = seen.map(({ source, delay }) => (delay - least.get(source)!) / 2);
    const sd = Math.max(Math.sqrt(estimate.p00), FINEST);
    const queueing = Math.max(medianOf(excesses), 1e-3 * sd, FINEST);
    const newest = seen[n - 1]!.source;

    const samples = new Float32Array(WINDOW * FEATURES);
    seen.forEach(({ source, at, offset, posterior, deviation, innovation }, index) => {
      const line = estimate.offset + estimate.drift * (at - now);
      const residual = offset - line;
      const excess = excesses[index]!;
      let i = (WINDOW - n + index) * FEATURES;
      samples[i++] = Math.asinh(residual / sd);
      samples[i++] = Math.asinh(excess / sd);
      samples[i++] = Math.asinh(residual / queueing);
      samples[i++] = Math.asinh(excess / queueing);
      samples[i++] = Math.log1p(Math.max(0, now - at) / spacing) / 4.2;
      samples[i++] = 1;
      samples[i++] = Math.asinh((residual - excess) / sd);
      samples[i++] = Math.asinh((residual + excess) / sd);
      samples[i++] = Math.asinh((posterior - line) / sd);
      samples[i++] = Math.asinh(innovation / sd);
      samples[i++] = Math.log(Math.max(deviation, FINEST) / sd) / 3;
      samples[i++] = source === newest ? 1 : 0;
    });

    const { p00, p01, p11, whiteFm, randomWalkFm, quantiles, settling } = estimate;
    const oneOn = Math.sqrt(varianceAfter(estimate, spacing));
    const log = (x: number): number => Math.log(Math.max(x, 1e-12)) / 3;
    // How far the window's least delay lies over what has been seen in a longer time.
    const known = Math.max(0, least.get(newest)! - Math.min(...this.delays.get(newest)!)) / 2;
    const ages = seen.map(({ at }) => (now - at) / spacing);
    const residuals = seen.map(({ at, offset }) => offset - (estimate.offset + estimate.drift * (at - now)));
    const globals = Float32Array.of(
      n / WINDOW,
      log(sd / queueing),
      log(oneOn / sd),
      log((Math.sqrt(p11) * spacing) / sd),
      log(Math.sqrt((randomWalkFm * spacing ** 3) / 3) / sd),
      log(Math.sqrt(whiteFm * spacing) / sd),
      p01 / Math.max(Math.sqrt(p00 * p11), 1e-30),
      log(quantiles?.at68 ?? 1),
      log((quantiles?.at95 ?? 1.96) / 1.96),
      settling === undefined ? 0 : Math.asinh(((settling.drift - estimate.drift) * spacing) / sd),
      least.size / 4,
      Math.log2(spacing / 64) / 4,
      log(estimate.maxError / sd),
      log(Math.max(least.get(newest)!, 0) / sd),
      Math.asinh((now - seen[0]!.at) / (WINDOW * spacing)),
      Math.asinh(known / sd),
      Math.asinh(known / queueing),
      ...otherOpinions(ages, residuals, excesses, queueing).map((value, i) => {
        if (OPINIONS[i] === 'chi') return log(value);
        return OPINIONS[i] === 'share' ? value : Math.asinh(value / sd);
      }),
    );
    return samples.every(Number.isFinite) && globals.every(Number.isFinite) ? { samples, globals, spacing } : undefined;
  }
}

/** Over how many of the last gaps the spacing is taken: polls that adapt are soon followed. */
const LATELY = 8;

/** Median of the last gaps between measurements; those of one round do not count. */
function spacingOf(seen: readonly Seen[]): number {
  const gaps: number[] = [];
  const turns: number[] = [];
  for (const { at } of seen) if (turns.length === 0 || at - turns.at(-1)! > 1) turns.push(at);
  for (let i = 1; i < turns.length; i++) gaps.push(turns[i]! - turns[i - 1]!);
  return medianOf(gaps.slice(-LATELY));
}

/** Of how many of the last measurements lines, parabolas and lines beside the delays are made. */
const LINES = [6, 12, 24, 64] as const;
const PARABOLAS = [24, 64] as const;
const BESIDE_DELAYS = [16, 64] as const;

/** What each of the other opinions is: a time (an offset now, or a slope over one spacing), a fit's chi, or a share. */
const OPINIONS = [
  ...[...LINES, ...PARABOLAS].flatMap(() => ['time', 'time', 'chi'] as const),
  ...BESIDE_DELAYS.flatMap(() => ['time', 'share'] as const),
];

/**
 * What simpler estimators would make of the residuals. Lines and parabolas through the last few: how far off they say that
 * the classical line is now, by how much it turns over one spacing, and how well they fit, each measurement weighed by the
 * error that its delay admits. Lines beside delays: where the offset would be if a fixed share of each excess were its
 * error, and that share (±1: all queueing is one way's).
 */
function otherOpinions(
  ages: readonly number[],
  residuals: readonly number[],
  excesses: readonly number[],
  queueing: number,
): readonly number[] {
  const n = ages.length;
  const span = ages.map(age => -age / 16);
  const square = span.map(u => u * u);
  const one = span.map(() => 1);
  const by = excesses.map(e => 1 / (e ** 2 / 3 + (queueing / 8) ** 2));
  const loosely = excesses.map(e => 1 / (e ** 2 + queueing ** 2));
  const last = (count: number, columns: readonly (readonly number[])[], weights: readonly number[]) => {
    const from = Math.max(0, n - count);
    return leastSquares(
      columns.map(column => column.slice(from)),
      residuals.slice(from),
      weights.slice(from),
    );
  };
  const opinions: number[] = [];
  for (const count of LINES) {
    const { coefficients, chi } = last(count, [one, span], by);
    opinions.push(coefficients[0]!, coefficients[1]! / 16, chi);
  }
  for (const count of PARABOLAS) {
    const { coefficients, chi } = last(count, [one, span, square], by);
    opinions.push(coefficients[0]!, coefficients[1]! / 16, chi);
  }
  const relative = excesses.map(e => e / queueing);
  for (const count of BESIDE_DELAYS) {
    const { coefficients } = last(count, [one, span, relative], loosely);
    opinions.push(coefficients[0]!, Math.tanh(coefficients[2]! / queueing));
  }
  return opinions;
}

function medianOf(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** Deviations that the classical estimator gives itself at each horizon, and for the drift over the next spacing. */
export function scalesOf(estimate: Estimate, spacing: number): readonly number[] {
  const { p11, randomWalkFm, whiteFm } = estimate;
  return [
    ...HORIZONS.map(h => Math.max(Math.sqrt(Math.max(estimate.p00, varianceAfter(estimate, h * spacing))), FINEST)),
    Math.max(Math.sqrt(p11 + (randomWalkFm * spacing) / 3 + whiteFm / spacing), FINEST / spacing),
  ];
}
