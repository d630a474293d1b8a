import { extremes, firstFrom } from '../core/metrics/decimation.js';
import { stability } from '../core/metrics/stability/index.js';
import type { Course, Distribution, StabilityPoint } from './data.js';
import { fromSymlog, toSymlog } from './scale.js';

/** What a run's folder holds of one pipeline. */
export interface RawCourse {
  readonly name: string;
  readonly t: Float64Array;
  readonly error: Float64Array;
  readonly uncertainty: Float64Array;
  readonly maxError: Float64Array;
}

export interface CourseOptions {
  /** In the run's time: only what is later is counted in distributions and stability. */
  readonly from: number;
  /** See `ReportRun`. */
  readonly linear: number;
  readonly interval: number | undefined;
  /** Instants at which faults begin and end. */
  readonly edges: readonly number[];
  /** When the summary says that the error was largest, and how large: drawn also where no sample was written. */
  readonly worst: { readonly at: number; readonly error: number } | undefined;
}

/** Lengths of time of which each keeps its extremes: more than any screen has pixels, so that there is room to zoom. */
const BUCKETS = 4096;
/** Bins of a distribution for each factor of ten. */
const PER_DECADE = 12;
/** The longest series that stability is computed from; of a longer one every second (fourth …) sample is taken. */
const LONGEST = 1 << 17;
const FEWEST = 16;

/** The rows that hold an error; where the reference is unknown there is nothing to draw. */
export function known({ name, t, error, uncertainty, maxError }: RawCourse): RawCourse {
  if (error.every(value => !Number.isNaN(value))) return { name, t, error, uncertainty, maxError };
  const kept = error.map((value, i) => (Number.isNaN(value) ? -1 : i)).filter(i => i >= 0);
  const pick = (values: Float64Array): Float64Array => kept.map(i => values[i]!);
  return { name, t: pick(t), error: pick(error), uncertainty: pick(uncertainty), maxError: pick(maxError) };
}

/** Where a scale goes over from straight to logarithmic: a power of ten below most of the best pipeline's errors. */
export function linearBelow(sizes: readonly number[]): number {
  const least = Math.min(...sizes.filter(size => size > 0));
  return Number.isFinite(least) ? 10 ** Math.max(-9, Math.floor(Math.log10(least))) : 1e-6;
}

export function courseOf(raw: RawCourse, options: CourseOptions): Course {
  const { t, error, uncertainty, maxError } = withWorst(raw, options.worst);
  const kept = Array.from(extremes(t, [error, uncertainty, maxError], BUCKETS, options.edges));
  const first = firstFrom(raw.t, options.from);
  const counted = raw.error.subarray(first);
  const bounds = uncertainty.some(value => !Number.isNaN(value));
  return {
    name: raw.name,
    samples: raw.t.length,
    t: kept.map(i => Number(t[i]!.toFixed(3))),
    error: kept.map(i => rounded(error[i]!)),
    uncertainty: bounds ? kept.map(i => orNull(uncertainty[i]!)) : [],
    maxError: bounds ? kept.map(i => orNull(maxError[i]!)) : [],
    distribution: distributionOf(counted, options.linear),
    quantiles: quantilesOf(counted),
    stability: options.interval === undefined ? [] : stabilityOf(raw.t.subarray(first), counted, options.interval),
  };
}

function withWorst(raw: RawCourse, worst: CourseOptions['worst']): RawCourse {
  if (worst === undefined) return raw;
  const place = firstFrom(raw.t, worst.at);
  if (raw.t[place] === worst.at) return raw;
  const insert = (values: Float64Array, value: number): Float64Array => {
    const longer = new Float64Array(values.length + 1);
    longer.set(values.subarray(0, place));
    longer[place] = value;
    longer.set(values.subarray(place), place + 1);
    return longer;
  };
  return {
    name: raw.name,
    t: insert(raw.t, worst.at),
    error: insert(raw.error, worst.error),
    uncertainty: insert(raw.uncertainty, Number.NaN),
    maxError: insert(raw.maxError, Number.NaN),
  };
}

function rounded(value: number): number {
  return Number(value.toPrecision(6));
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : rounded(value);
}

function distributionOf(errors: Float64Array, linear: number): Distribution {
  const width = 1 / PER_DECADE;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const error of errors) {
    if (error < low) low = error;
    if (error > high) high = error;
  }
  if (errors.length === 0) return { from: 0, width, shares: [] };
  const first = Math.floor(toSymlog(low, linear) / width);
  const last = Math.floor(toSymlog(high, linear) / width);
  // Looking up edges costs less than a logarithm for every sample.
  const edges = Float64Array.from({ length: last - first + 2 }, (_, i) => fromSymlog((first + i) * width, linear));
  const counts = new Float64Array(last - first + 1);
  for (const error of errors) {
    const bin = firstFrom(edges, error);
    const own = edges[bin] === error ? bin : bin - 1;
    counts[Math.max(0, Math.min(counts.length - 1, own))]! += 1;
  }
  return { from: first * width, width, shares: Array.from(counts, count => rounded(count / errors.length)) };
}

/** Shares for which the size is given: evenly, and closer and closer towards the worst. */
const SHARES = [
  ...Array.from({ length: 95 }, (_, i) => (i + 1) / 100),
  ...Array.from({ length: 49 }, (_, i) => 0.95 + (i + 1) / 1000),
  0.9995,
  0.9999,
  1,
];

function quantilesOf(errors: Float64Array): Course['quantiles'] {
  if (errors.length === 0) return [];
  const sizes = errors.map(Math.abs).sort();
  return SHARES.map(p => ({ p, size: rounded(sizes[Math.max(1, Math.ceil(p * sizes.length)) - 1]!) }));
}

/** Of the longest stretch of equally spaced samples. */
function stabilityOf(t: Float64Array, error: Float64Array, interval: number): readonly StabilityPoint[] {
  const [from, to] = longestStretch(t, interval);
  let phase = error.slice(from, to);
  let tau0 = interval;
  while (phase.length > LONGEST) {
    phase = phase.filter((_, i) => i % 2 === 0);
    tau0 *= 2;
  }
  if (phase.length < FEWEST) return [];
  return stability(phase, tau0, { estimators: ['oadev', 'tdev', 'mtie'] }).map(
    ({ estimator, tau, deviation, low, high }) => ({
      estimator: estimator as StabilityPoint['estimator'],
      tau,
      deviation: rounded(deviation),
      ...(low !== undefined && high !== undefined && { low: rounded(low), high: rounded(high) }),
    }),
  );
}

function longestStretch(t: Float64Array, interval: number): readonly [number, number] {
  let best: readonly [number, number] = [0, 0];
  let from = 0;
  for (let i = 1; i <= t.length; i++) {
    if (i < t.length && Math.abs(t[i]! - t[i - 1]! - interval) <= 1e-6 * interval) continue;
    if (i - from > best[1] - best[0]) best = [from, i];
    from = i;
  }
  return best;
}
