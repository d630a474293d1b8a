/**
 * The two clocks of the kernel read at one instant, in seconds from an origin each: CLOCK_REALTIME, by which it stamps
 * what arrives and which anybody may step, and CLOCK_MONOTONIC_RAW, which nobody can.
 */
export interface KernelInstant {
  readonly realtime: number;
  readonly raw: number;
}

/** How long before `handled` something happened, seconds, on each of the two clocks. */
export interface Age {
  readonly realtime: number;
  readonly raw: number;
}

/** What moves the two clocks apart faster than this (twice what the kernel slews by) is taken for a step. */
const STEEPEST_SLEW = 1e-3;
/** Less than this between the two differences is noise of reading them, seconds. */
const READING_NOISE = 20e-6;

/**
 * How long ago a datagram arrived that the kernel stamped `stamp` by its realtime clock, given both clocks when the
 * question was `sent` and when the answer was `handled`. Where the realtime clock was stepped in between, the stamp is
 * from before the step or after it: whichever puts the arrival between sending and handling. Undefined where neither
 * does, or both do: then the stamp says nothing.
 */
export function arrivalAge(stamp: number, sent: KernelInstant, handled: KernelInstant): Age | undefined {
  const before = sent.realtime - sent.raw;
  const after = handled.realtime - handled.raw;
  const slack = READING_NOISE + STEEPEST_SLEW * (handled.raw - sent.raw);
  const arrivedAt = (difference: number): number | undefined => {
    const raw = stamp - difference;
    return raw >= sent.raw - slack && raw <= handled.raw + slack ? raw : undefined;
  };
  const late = arrivedAt(after);
  const early = Math.abs(after - before) <= slack ? undefined : arrivedAt(before);
  if (late !== undefined && early !== undefined) return undefined;
  const raw = late ?? early;
  if (raw === undefined) return undefined;
  return { realtime: handled.realtime - stamp, raw: Math.max(0, handled.raw - raw) };
}

/** A stamp that is older than this is not believed, seconds: by then who asked has given up. */
const OLDEST = 1;

/**
 * How long ago datagrams arrived at who is asked, and so does not know since when they can have come. A stamp by the
 * realtime clock says it, unless that clock was stepped within the last second: therefore it is looked at once a second.
 */
export class ArrivalWatch {
  private steppedAt = Number.NEGATIVE_INFINITY;

  constructor(private last: KernelInstant) {}

  look(now: KernelInstant): void {
    const { last } = this;
    const moved = Math.abs(now.realtime - now.raw - (last.realtime - last.raw));
    if (moved > READING_NOISE + STEEPEST_SLEW * (now.raw - last.raw)) this.steppedAt = now.raw;
    this.last = now;
  }

  /** Seconds before `handled`; undefined where the stamp does not tell. */
  age(stamp: number, handled: KernelInstant): number | undefined {
    this.look(handled);
    const age = handled.realtime - stamp;
    if (handled.raw - this.steppedAt < OLDEST || age < -READING_NOISE || age > OLDEST) return undefined;
    return Math.max(0, age);
  }
}
