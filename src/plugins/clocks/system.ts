import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import { inject } from 'inversify';
import { z } from 'zod';
import type { ClockReading, MachineClock, Snapshot } from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';

const Options = z.strictObject({
  through: z
    .enum(['auto', 'koffi', 'hrtime'])
    .default('auto')
    .meta({
      description:
        'koffi: clock_gettime, nanoseconds on both axes. hrtime: Node alone, the wall clock to a millisecond. ' +
        'auto: koffi where it loads, else hrtime.',
    }),
});

/** Whole nanoseconds of both clocks at one instant, each since an origin of its own; exact for 104 days after it. */
interface RawReading {
  readonly wall: number;
  readonly counter: number;
}

interface RawClock {
  read(): RawReading;
  readonly description: string;
  readonly name: 'koffi' | 'hrtime';
  /** Where `counter` counts from, in the counter's own whole seconds. */
  readonly counterOrigin: number;
  slept(): number | undefined;
  disciplined(): boolean | undefined;
}

const State = z.strictObject({
  boot: z.string(),
  name: z.enum(['koffi', 'hrtime']),
  epoch: z.int(),
  alignment: z.number(),
  counterOrigin: z.int(),
  slept: z.number().nullable(),
  wall: z.number(),
  counter: z.number(),
});
const VERSION = 1;

/** Less sleep than this is none, seconds. */
const NAP = 1e-3;
/** A wall clock that has moved more than this, or faster than anybody slews it, says that the counter is another one. */
const MOVED = 0.1;
const FASTEST_SLEW = 1e-3;

/** In nanoseconds. */
const SECOND = 1_000_000_000;
const MILLISECOND = 1_000_000;

/**
 * This machine's own clock. Both axes count from the whole Unix second before the clock was made, and the counter is
 * set by the first reading to equal the wall clock then.
 *
 * Through koffi (64-bit Linux and macOS) a reading is CLOCK_MONOTONIC_RAW, CLOCK_REALTIME, CLOCK_MONOTONIC_RAW: the
 * counter is the middle of the two, and of three such brackets the narrowest is kept. Nobody steers the counter. The
 * fallback (`hrtime`) reads process.hrtime, which on most systems is steered in frequency but never stepped, and
 * Date.now, which counts whole milliseconds: the wall clock is then known to a millisecond, see {@link WallFromTicks}.
 */
@plugin({
  kind: 'clock',
  name: 'system',
  summary: "This machine's clock: wall and monotonic counter, to the nanosecond where koffi loads",
  options: Options,
})
export class SystemClock implements MachineClock {
  readonly world = 'real';
  readonly description: string;
  private raw: RawClock;
  private epochSeconds = Math.floor(Date.now() / 1000);
  /** Counter minus its own origin, so that the first reading has both axes equal. Nanoseconds. */
  private alignment: number | undefined;

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {
    this.raw = rawClock(options.through, this.epochSeconds);
    this.description = this.raw.description;
  }

  get epoch(): bigint {
    return BigInt(this.epochSeconds) * BigInt(SECOND);
  }

  get counterOrigin(): bigint | undefined {
    const { counterOrigin, name } = this.raw;
    if (name !== 'koffi' || this.alignment === undefined) return undefined;
    return BigInt(counterOrigin) * BigInt(SECOND) - BigInt(this.alignment);
  }

  read(): ClockReading {
    const { wall, counter } = this.raw.read();
    this.alignment ??= wall - counter;
    return { wall: wall / SECOND, counter: (counter + this.alignment) / SECOND };
  }

  slept(): number | undefined {
    return this.raw.slept();
  }

  disciplined(): boolean | undefined {
    return this.raw.disciplined();
  }

  snapshot(): Snapshot | undefined {
    const boot = bootId();
    if (boot === undefined) return undefined;
    const { wall, counter } = this.read();
    const { epochSeconds: epoch, raw } = this;
    const { counterOrigin, name } = raw;
    const slept = raw.slept() ?? null;
    return {
      version: VERSION,
      state: { boot, name, epoch, alignment: this.alignment!, counterOrigin, slept, wall, counter },
    };
  }

  resume(snapshot: Snapshot): string | undefined {
    let kept: z.output<typeof State>;
    try {
      kept = stateIn(snapshot, VERSION, State);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    if (kept.boot !== bootId()) return 'the machine has been restarted';
    const { raw } = this;
    if (kept.name !== raw.name) return `it was read through ${kept.name}, now through ${raw.name}`;
    const napped = (raw.slept() ?? 0) - (kept.slept ?? 0);
    if (Math.abs(napped) > NAP) return `the machine was suspended for ${napped.toFixed(0)} s`;
    const same = rawClock(this.options.through, kept.epoch);
    const alignment = kept.alignment + (same.counterOrigin - kept.counterOrigin) * SECOND;
    const now = same.read();
    const wall = now.wall / SECOND;
    const counter = (now.counter + alignment) / SECOND;
    const elapsed = counter - kept.counter;
    const moved = wall - kept.wall - elapsed;
    if (elapsed < 0) return 'the counter has gone back';
    if (Math.abs(moved) > MOVED + FASTEST_SLEW * elapsed) {
      return `the wall clock has moved by ${moved.toFixed(3)} s against the counter`;
    }
    this.raw = same;
    this.epochSeconds = kept.epoch;
    this.alignment = alignment;
    return undefined;
  }
}

/** Linux gives every start of the machine a name of its own; elsewhere nobody knows whether it is still the same. */
function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}

function rawClock(through: 'auto' | 'koffi' | 'hrtime', epoch: number): RawClock {
  if (through === 'hrtime') return new WallFromTicks(epoch, 'as asked');
  try {
    return new ClockGettime(epoch);
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    if (through === 'koffi') throw new InputError('clock system', `cannot read the clock through koffi: ${why}`);
    return new WallFromTicks(epoch, why);
  }
}

/** The same numbers on Linux and macOS. */
const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC_RAW = 4;
/** Linux only. They differ by the sleep since the machine was started, and by nothing else. */
const CLOCK_MONOTONIC = 1;
const CLOCK_BOOTTIME = 7;
/** struct timex of 64-bit Linux is 208 bytes, `status` the int at 40, `modes` (0: only look) the first. */
const TIMEX_BYTES = 208;
const TIMEX_STATUS = 40;
const STA_UNSYNC = 0x40;
const BRACKETS = 3;

/** clock_gettime(2) into a buffer that is kept: a call takes about 0.1 µs. */
class ClockGettime implements RawClock {
  readonly description = 'CLOCK_REALTIME and CLOCK_MONOTONIC_RAW through koffi';
  readonly name = 'koffi';
  private readonly gettime: (clock: number, into: Uint32Array) => number;
  /** struct timespec of a 64-bit little-endian machine: seconds (low, high), nanoseconds (low, high). */
  private readonly timespec = new Uint32Array(4);
  readonly counterOrigin: number;
  private readonly adjtimex: ((timex: Uint8Array) => number) | undefined;

  constructor(private readonly epoch: number) {
    const { platform, arch } = process;
    if ((platform !== 'linux' && platform !== 'darwin') || !/64$/.test(arch) || endianness() !== 'LE') {
      throw new Error(`no CLOCK_MONOTONIC_RAW known on ${platform} ${arch}`);
    }
    // Loaded here, not imported: a clock that is not used needs no native code, and its absence has a fallback.
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const c = koffi.load(null);
    this.gettime = c.func('int clock_gettime(int clock, void *into)') as typeof this.gettime;
    if (platform === 'linux') this.adjtimex = c.func('int adjtimex(void *timex)') as typeof this.adjtimex;
    for (const clock of [CLOCK_REALTIME, CLOCK_MONOTONIC_RAW]) {
      if (this.gettime(clock, this.timespec) !== 0) throw new Error(`clock_gettime(${clock}) failed`);
    }
    this.counterOrigin = this.timespec[0]!;
  }

  read(): RawReading {
    let wall = 0;
    let counter = 0;
    let narrowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < BRACKETS; i++) {
      const before = this.nanoseconds(CLOCK_MONOTONIC_RAW, this.counterOrigin);
      const between = this.nanoseconds(CLOCK_REALTIME, this.epoch);
      const width = this.nanoseconds(CLOCK_MONOTONIC_RAW, this.counterOrigin) - before;
      if (width < narrowest) {
        narrowest = width;
        wall = between;
        counter = before + Math.floor(width / 2);
      }
    }
    return { wall, counter };
  }

  slept(): number | undefined {
    if (process.platform !== 'linux') return undefined;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < BRACKETS; i++) {
      const before = this.nanoseconds(CLOCK_MONOTONIC, 0);
      least = Math.min(least, this.nanoseconds(CLOCK_BOOTTIME, 0) - before);
    }
    return least / SECOND;
  }

  disciplined(): boolean | undefined {
    const timex = new Uint8Array(TIMEX_BYTES);
    if (this.adjtimex === undefined || this.adjtimex(timex) < 0) return undefined;
    return (new DataView(timex.buffer).getInt32(TIMEX_STATUS, true) & STA_UNSYNC) === 0;
  }

  private nanoseconds(clock: number, origin: number): number {
    const { timespec } = this;
    this.gettime(clock, timespec);
    return (timespec[0]! + timespec[1]! * 4294967296 - origin) * SECOND + timespec[2]!;
  }
}

/**
 * Node alone. Date.now says between which two milliseconds the wall clock is, hrtime counts in between: what is kept is
 * their difference, moved by as little as each reading demands. At the start it looks at the ticks for 3 ms, so it is
 * good to microseconds until the wall clock is stepped, or steered where hrtime is not, and to a millisecond for ever.
 */
class WallFromTicks implements RawClock {
  readonly description: string;
  readonly name = 'hrtime';
  readonly counterOrigin = process.hrtime()[0];
  /** Wall − counter, nanoseconds. */
  private difference: number;

  constructor(
    private readonly epoch: number,
    why: string,
  ) {
    this.description = `Date.now and process.hrtime (koffi is not used: ${why})`;
    this.difference = this.sinceEpoch(Date.now()) - this.counter();
    // Each tick seen from near raises it to the wall clock's; a look that was late is made good by the next.
    for (const until = this.counter() + 3 * MILLISECOND; this.counter() < until; ) this.read();
  }

  read(): RawReading {
    const before = this.counter();
    const from = this.sinceEpoch(Date.now());
    const counter = this.counter();
    // The tick lies between the two counts, and the wall clock less than a millisecond after it.
    this.difference = Math.min(from + MILLISECOND - before, Math.max(from - counter, this.difference));
    return { wall: counter + this.difference, counter };
  }

  slept(): undefined {
    return undefined;
  }

  disciplined(): undefined {
    return undefined;
  }

  private counter(): number {
    const [seconds, nanoseconds] = process.hrtime();
    return (seconds - this.counterOrigin) * SECOND + nanoseconds;
  }

  private sinceEpoch(milliseconds: number): number {
    return (milliseconds - this.epoch * 1000) * MILLISECOND;
  }
}
