import type { BoundedTime } from '../core/serving/record.js';

/** Where a client has the time from: now, without waiting. Throws a {@link TimeUnknownError} where it has none. */
export interface TimeTeller {
  now(): BoundedTime;
  /** How much wider the bounds will be after so many seconds, if nothing more is heard. */
  growth(seconds: number): { readonly maxError: number; readonly uncertainty: number };
  close(): void;
}

export interface HttpOptions {
  /** Whose time; left out: the service's first pipeline. */
  readonly pipeline?: string;
  /** Seconds between questions to the service; 1 unless set. */
  readonly refresh?: number;
  /** Seconds for which an answer may be used when no newer one comes; 30 unless set. */
  readonly validFor?: number;
  /** Seconds to wait for an answer; 2 unless set. */
  readonly timeout?: number;
}
