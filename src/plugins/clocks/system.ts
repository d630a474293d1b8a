import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import { inject } from 'inversify';
import { z } from 'zod';
import type { ClockReading, MachineClock } from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';

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
  /** The counter's own origin, whole seconds of CLOCK_MONOTONIC_RAW, where it is that clock. */
  readonly origin?: number;
  readonly description: string;
}

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
  readonly epoch: bigint;
  readonly description: string;
  private readonly raw: RawClock;
  /** Counter minus its own origin, so that the first reading has both axes equal. Nanoseconds. */
  private alignment: number | undefined;

  constructor(@inject(PluginOptions) { through }: z.output<typeof Options>) {
    const epoch = Math.floor(Date.now() / 1000);
    this.epoch = BigInt(epoch) * BigInt(SECOND);
    this.raw = rawClock(through, epoch);
    this.description = this.raw.description;
  }

  get counterOrigin(): bigint | undefined {
    const { origin } = this.raw;
    if (origin === undefined || this.alignment === undefined) return undefined;
    return BigInt(origin) * BigInt(SECOND) - BigInt(this.alignment);
  }

  read(): ClockReading {
    const { wall, counter } = this.raw.read();
    this.alignment ??= wall - counter;
    return { wall: wall / SECOND, counter: (counter + this.alignment) / SECOND };
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
const BRACKETS = 3;

/** clock_gettime(2) into a buffer that is kept: a call takes about 0.1 µs. */
class ClockGettime implements RawClock {
  readonly description = 'CLOCK_REALTIME and CLOCK_MONOTONIC_RAW through koffi';
  private readonly gettime: (clock: number, into: Uint32Array) => number;
  /** struct timespec of a 64-bit little-endian machine: seconds (low, high), nanoseconds (low, high). */
  private readonly timespec = new Uint32Array(4);
  readonly origin: number;

  constructor(private readonly epoch: number) {
    const { platform, arch } = process;
    if ((platform !== 'linux' && platform !== 'darwin') || !/64$/.test(arch) || endianness() !== 'LE') {
      throw new Error(`no CLOCK_MONOTONIC_RAW known on ${platform} ${arch}`);
    }
    // Loaded here, not imported: a clock that is not used needs no native code, and its absence has a fallback.
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    this.gettime = koffi.load(null).func('int clock_gettime(int clock, void *into)') as typeof this.gettime;
    for (const clock of [CLOCK_REALTIME, CLOCK_MONOTONIC_RAW]) {
      if (this.gettime(clock, this.timespec) !== 0) throw new Error(`clock_gettime(${clock}) failed`);
    }
    this.origin = this.timespec[0]!;
  }

  read(): RawReading {
    let wall = 0;
    let counter = 0;
    let narrowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < BRACKETS; i++) {
      const before = this.nanoseconds(CLOCK_MONOTONIC_RAW, this.origin);
      const between = this.nanoseconds(CLOCK_REALTIME, this.epoch);
      const width = this.nanoseconds(CLOCK_MONOTONIC_RAW, this.origin) - before;
      if (width < narrowest) {
        narrowest = width;
        wall = between;
        counter = before + Math.floor(width / 2);
      }
    }
    return { wall, counter };
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
  private readonly counterOrigin = process.hrtime()[0];
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

  private counter(): number {
    const [seconds, nanoseconds] = process.hrtime();
    return (seconds - this.counterOrigin) * SECOND + nanoseconds;
  }

  private sinceEpoch(milliseconds: number): number {
    return (milliseconds - this.epoch * 1000) * MILLISECOND;
  }
}
