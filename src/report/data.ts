import type { RunSummary } from '../core/contracts/index.js';

/** What a report shows of one run; as JSON, compressed, it is a part of the page. */
export interface ReportRun {
  /** What to call it: its folder's name. */
  readonly name: string;
  readonly summary: RunSummary;
  readonly description: string;
  /** Unix time of the run's epoch, seconds. */
  readonly epoch: number;
  /** From sample to sample of what was read, seconds; undefined where errors exist at measurements only. */
  readonly interval: number | undefined;
  /** Up to where errors are drawn along a line; beyond, by their logarithm. Seconds. */
  readonly linear: number;
  readonly courses: readonly Course[];
  readonly faults: readonly FaultSpan[];
  readonly events: readonly RunEvent[];
}

/** The error of one pipeline over the run, and what is computed from all of its samples after the warm-up. */
export interface Course {
  readonly name: string;
  /** Samples read; `t` holds those that are drawn. */
  readonly samples: number;
  readonly t: readonly number[];
  /** told − reference, seconds. */
  readonly error: readonly number[];
  /** Half-width of the interval, and maximum error; null where unknown. Empty for the bare clock. */
  readonly uncertainty: readonly (number | null)[];
  readonly maxError: readonly (number | null)[];
  readonly distribution: Distribution;
  /** |error| that a share of the samples does not exceed. */
  readonly quantiles: readonly { readonly p: number; readonly size: number }[];
  readonly stability: readonly StabilityPoint[];
}

/** Shares of the samples in bins of equal width on the scale of `toSymlog`. */
export interface Distribution {
  readonly from: number;
  readonly width: number;
  readonly shares: readonly number[];
}

export interface StabilityPoint {
  readonly estimator: 'oadev' | 'tdev' | 'mtie';
  readonly tau: number;
  readonly deviation: number;
  readonly low?: number;
  readonly high?: number;
}

export interface FaultSpan {
  readonly what: string;
  readonly from: number;
  /** Undefined: it strikes at an instant, or lasts to the end. */
  readonly to: number | undefined;
}

export interface RunEvent {
  readonly t: number;
  readonly part: string;
  readonly what: string;
}
