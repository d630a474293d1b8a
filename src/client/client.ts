import { type Bounds, happenedBefore } from '../core/serving/ordering.js';
import type { BoundedTime } from '../core/serving/record.js';
import { DEFAULT_RECORD } from '../platform/shared-record.js';
import { HttpTime } from './http-time.js';
import { SharedTime } from './shared-time.js';
import type { HttpOptions, TimeTeller } from './teller.js';
import { TimeUnknownError } from './time-unknown.js';

export interface SharedOptions {
  /** The file of the sink `shared-time`; left out, its default. */
  readonly path?: string;
}

export interface WaitOptions {
  /**
   * When the wait is over: `earliest` (unless set): when the time has certainly passed, whatever the asymmetry of the
   * paths (commit-wait); `time`: when it has by the best estimate; `latest`: when it may have.
   */
  readonly until?: 'earliest' | 'time' | 'latest';
  readonly signal?: AbortSignal;
}

/** Longest wait between two looks at the clock, milliseconds: it may be corrected meanwhile. */
const LONGEST_NAP = 1000;

/**
 * The corrected time of a running `escapement live`, for programs on this machine (through shared memory) or elsewhere
 * (over HTTP). It is refused, by a {@link TimeUnknownError} that says why, whenever it is not known: a stale time is
 * never told.
 */
export class EscapementClient {
  private closed = false;

  private constructor(private readonly teller: TimeTeller) {}

  /**
   * Reads the record that the sink `shared-time` writes, on Linux and macOS. Needs no service when it is made: until one
   * writes, the time is refused.
   */
  static shared({ path = DEFAULT_RECORD }: SharedOptions = {}): EscapementClient {
    return new EscapementClient(new SharedTime(path));
  }

  /**
   * Asks the sink `http` at a URL such as http://127.0.0.1:8623, now and then again once every `refresh` seconds; in
   * between it counts on this machine's monotonic clock. The bounds hold what the network adds. Rejects where no service
   * answers.
   */
  static async connect(url: string | URL, options: HttpOptions = {}): Promise<EscapementClient> {
    return new EscapementClient(await HttpTime.connect(url, options));
  }

  /** The time now, with its bounds. */
  now(): BoundedTime {
    if (this.closed) throw new TimeUnknownError('the client is closed');
    return this.teller.now();
  }

  /**
   * What the bounds will be at a later time (Unix seconds, or a Date), if nothing more is measured until then. Throws a
   * RangeError for one that has passed.
   */
  boundsAt(time: number | Date): BoundedTime {
    const now = this.now();
    const at = secondsOf(time);
    if (at < now.time) throw new RangeError(`expected a time that is still to come, found one ${now.time - at} s ago`);
    const growth = this.teller.growth(at - now.time);
    const maxError = now.maxError + growth.maxError;
    return {
      ...now,
      nanoseconds: BigInt(Math.round(at * 1e6)) * 1000n,
      time: at,
      earliest: at - maxError,
      latest: at + maxError,
      maxError,
      uncertainty: now.uncertainty + growth.uncertainty,
      age: now.age + at - now.time,
    };
  }

  /** Resolves, with the time then, when a time (Unix seconds, or a Date) has come. At once if it has passed already. */
  async waitUntil(time: number | Date, { until = 'earliest', signal }: WaitOptions = {}): Promise<BoundedTime> {
    const at = secondsOf(time);
    for (;;) {
      signal?.throwIfAborted();
      const now = this.now();
      const left = at - now[until];
      if (left <= 0) return now;
      await nap(Math.min(LONGEST_NAP, Math.ceil(left * 1000)), signal);
    }
  }

  /**
   * Whether one event happened before another, from the bounds of both (also of two machines): true or false where that is
   * certain, undefined where it cannot be told.
   */
  happenedBefore(a: Bounds, b: Bounds): boolean | undefined {
    return happenedBefore(a, b);
  }

  close(): void {
    this.closed = true;
    this.teller.close();
  }
}

function secondsOf(time: number | Date): number {
  const seconds = typeof time === 'number' ? time : time.getTime() / 1000;
  if (!Number.isFinite(seconds)) throw new RangeError(`expected Unix seconds or a Date, found ${String(time)}`);
  return seconds;
}

function nap(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
