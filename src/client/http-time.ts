import { type BoundedTime, bounded } from '../core/serving/record.js';
import type { HttpOptions, TimeTeller } from './teller.js';
import { TimeUnknownError } from './time-unknown.js';

/**
 * The monotonic clock that answers are carried forward on is steered in frequency on most systems, by 500 ppm at most
 * (Linux's adjtimex), and its oscillator is off by less than another 500.
 */
const COUNTER_ERROR = 1e-3;

/** More than a wall clock is slewed by in the life of an answer, milliseconds. */
const STEPPED = 100;

const DEFAULTS = { refresh: 1, validFor: 30, timeout: 2 } as const;

/** What is taken of a service's `GET /time`. */
interface Told {
  readonly unix: { readonly seconds: number; readonly nanoseconds: number };
  readonly maxError: number | null;
  readonly uncertainty: number | null;
  readonly level: number;
  readonly age: number | null;
  readonly source: string;
}

/** An answer, as of half way between its question and its arrival by `performance.now()`, milliseconds. */
interface Anchor {
  readonly at: number;
  /** The wall clock then, milliseconds: it goes on while the machine is suspended, and the monotonic one does not. */
  readonly wall: number;
  readonly nanoseconds: bigint;
  readonly maxError: number;
  readonly uncertainty: number;
  readonly level: number;
  readonly age: number;
  readonly by: string;
}

/** The time from a service's HTTP, asked again and again; `now` waits for nothing. */
export class HttpTime implements TimeTeller {
  private anchor: Anchor | undefined;
  private problem = 'has not answered yet';
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  private constructor(
    private readonly url: URL,
    private readonly options: Required<Omit<HttpOptions, 'pipeline'>>,
  ) {}

  static async connect(base: string | URL, { pipeline, ...options }: HttpOptions): Promise<HttpTime> {
    const url = timeUrl(base);
    if (pipeline !== undefined) url.searchParams.set('pipeline', pipeline);
    const settings = { ...DEFAULTS, ...options };
    for (const [name, value] of Object.entries(settings)) {
      if (!(value > 0)) throw new RangeError(`${name}: expected more than 0 s, found ${value}`);
    }
    const teller = new HttpTime(url, settings);
    if (!(await teller.ask())) throw new TimeUnknownError(`${url} ${teller.problem}`);
    teller.schedule();
    return teller;
  }

  now(): BoundedTime {
    const { anchor, url, options, problem } = this;
    if (anchor === undefined) throw new TimeUnknownError(`${url} ${problem}`);
    const elapsed = (performance.now() - anchor.at) / 1000;
    if (elapsed > options.validFor) {
      throw new TimeUnknownError(`${url} ${problem}; its last answer is ${elapsed.toFixed(1)} s old`);
    }
    if (Math.abs(Date.now() - anchor.wall - 1000 * elapsed) > STEPPED) {
      throw new TimeUnknownError(`${url} has not answered since this machine was suspended, or its clock set`);
    }
    const growth = elapsed * COUNTER_ERROR;
    return bounded(anchor.nanoseconds + BigInt(Math.round(elapsed * 1e9)), anchor.maxError + growth, {
      uncertainty: anchor.uncertainty + growth,
      level: anchor.level,
      age: anchor.age + elapsed,
      by: anchor.by,
    });
  }

  growth(seconds: number): { readonly maxError: number; readonly uncertainty: number } {
    return { maxError: seconds * COUNTER_ERROR, uncertainty: seconds * COUNTER_ERROR };
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private schedule(): void {
    if (this.closed) return;
    this.timer = setTimeout(() => void this.ask().then(() => this.schedule()), this.options.refresh * 1000);
    this.timer.unref();
  }

  /** Asks once; false where nothing came that can be used as an answer. A time that is not known is an answer. */
  private async ask(): Promise<boolean> {
    const asked = performance.now();
    try {
      const response = await fetch(this.url, { signal: AbortSignal.timeout(this.options.timeout * 1000) });
      const body: unknown = await response.json().catch(() => undefined);
      const arrived = performance.now();
      if (!response.ok) {
        const said = typeof body === 'object' && body !== null && 'message' in body ? `: ${String(body.message)}` : '';
        throw new Error(`answers with ${response.status}${said}`);
      }
      if (!isTold(body)) throw new Error('answers with something that is no time: is it the sink http of escapement?');
      this.take(body, asked, arrived);
      return true;
    } catch (error) {
      this.problem = reasonOf(error);
      return false;
    }
  }

  /** True time was told at some instant between question and arrival. */
  private take({ unix, maxError, uncertainty, level, age, source }: Told, asked: number, arrived: number): void {
    if (maxError === null || uncertainty === null) {
      this.anchor = undefined;
      this.problem = 'says that the time is not known yet';
      return;
    }
    const half = (arrived - asked) / 2000;
    this.problem = 'does not answer any more';
    this.anchor = {
      at: (asked + arrived) / 2,
      wall: Date.now() - (performance.now() - (asked + arrived) / 2),
      nanoseconds: BigInt(unix.seconds) * 1_000_000_000n + BigInt(unix.nanoseconds),
      maxError: maxError + half,
      uncertainty: uncertainty + half,
      level,
      age: age ?? 0,
      by: source,
    };
  }
}

function timeUrl(base: string | URL): URL {
  let url: URL;
  try {
    url = new URL(base);
  } catch {
    throw new TypeError(`expected a URL such as http://127.0.0.1:8623, found '${String(base)}'`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new TypeError(`expected a URL that begins with http:// or https://, found '${url}'`);
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return new URL('time', url);
}

function isTold(body: unknown): body is Told {
  if (typeof body !== 'object' || body === null) return false;
  const { unix, maxError, uncertainty, level, source } = body as Partial<Record<keyof Told, unknown>>;
  const { seconds, nanoseconds } = (unix ?? {}) as { seconds?: unknown; nanoseconds?: unknown };
  return (
    Number.isSafeInteger(seconds) &&
    Number.isSafeInteger(nanoseconds) &&
    (maxError === null || typeof maxError === 'number') &&
    (uncertainty === null || typeof uncertainty === 'number') &&
    typeof level === 'number' &&
    typeof source === 'string'
  );
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'does not answer in time';
  const { cause } = error;
  if (cause instanceof Error) return `cannot be reached (${'code' in cause ? String(cause.code) : cause.message})`;
  return error.message;
}
