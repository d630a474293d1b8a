import { attainable, isStep, type SteeringLimits } from './steering.js';

/** Modes of adjtimex(2). */
export const ADJ_FREQUENCY = 0x0002;
export const ADJ_MAXERROR = 0x0004;
export const ADJ_ESTERROR = 0x0008;
export const ADJ_STATUS = 0x0010;
export const ADJ_SETOFFSET = 0x0100;
export const ADJ_NANO = 0x2000;
export const ADJ_TICK = 0x4000;
export const ADJ_OFFSET_SINGLESHOT = 0x8001;
const STA_PLL = 0x0001;
const STA_UNSYNC = 0x0040;

/** What a call asks for; what is left out is not set. Units of the kernel. */
export interface TimexCall {
  readonly modes: number;
  /** µs. */
  readonly offset?: number;
  /** 2⁻¹⁶ ppm. */
  readonly freq?: number;
  /** µs in 10 ms. */
  readonly tick?: number;
  readonly status?: number;
  /** µs. */
  readonly maxerror?: number;
  readonly esterror?: number;
  /** Seconds and nanoseconds (never negative) to step by. */
  readonly time?: { readonly seconds: number; readonly nanoseconds: number };
}

/** What the kernel says after a call. */
export interface TimexState {
  readonly freq: number;
  readonly tick: number;
  readonly status: number;
}

/** adjtimex(2). Throws where the kernel refuses. */
export interface Timex {
  call(request: TimexCall): TimexState;
}

/** Linux on all its architectures but those with another USER_HZ. */
const KERNEL: Omit<SteeringLimits, 'step'> = { maxFrequency: 500e-6, tick: 100e-6, maxTick: 0.1 };
const TICK = 10_000;
const SCALE = 65_536e6;
/** The kernel gives up an error that it is told beyond this (NTP_PHASE_LIMIT), µs. */
const LARGEST = 16_000_000;

/** What was done, for people and tests. */
export interface Steered {
  readonly did: 'step' | 'slew';
  /** By which error, seconds. */
  readonly by: number;
  /** The frequency now in force, s/s. */
  readonly frequency: number;
}

/** How well the time is known that a clock is steered to, seconds: the kernel hands it on to programs. */
export interface Quality {
  readonly maxError: number;
  readonly uncertainty: number;
}

/**
 * A system clock that is steered through adjtimex(2): its frequency is set for good, so that it runs right by itself, and
 * an error is slewed by `adjtime` (500 ppm, and whatever becomes of this program no longer than it takes), or stepped.
 */
export class KernelClock {
  private set: { readonly freq: number; readonly tick: number } | undefined;

  constructor(
    private readonly timex: Timex,
    private readonly step: number,
  ) {}

  /** Another program has changed the frequency since it was set here. */
  get taken(): boolean {
    if (this.set === undefined) return false;
    const { freq, tick } = this.timex.call({ modes: 0 });
    return freq !== this.set.freq || tick !== this.set.tick;
  }

  /** `offset`: seconds that the clock is behind; `frequency`: what it is to gain on the undisciplined clock, s/s. */
  steer(offset: number, frequency: number, mayStep: boolean, { maxError, uncertainty }: Quality): Steered {
    const limits = { ...KERNEL, step: this.step };
    const { ticks, fine } = attainable(frequency, limits);
    const [freq, tick] = [Math.round(fine * SCALE), TICK + ticks];
    const { status } = this.timex.call({ modes: 0 });
    this.timex.call({
      modes: ADJ_FREQUENCY | ADJ_TICK | ADJ_MAXERROR | ADJ_ESTERROR | ADJ_STATUS,
      freq,
      tick,
      maxerror: microseconds(maxError),
      esterror: microseconds(uncertainty),
      // The kernel's own loop would steer besides.
      status: status & ~(STA_PLL | STA_UNSYNC),
    });
    this.set = { freq, tick };
    const stepping = isStep(offset, mayStep, limits);
    if (stepping) {
      // What is left of a slew was part of the error.
      this.timex.call({ modes: ADJ_OFFSET_SINGLESHOT, offset: 0 });
      const seconds = Math.floor(offset);
      const nanoseconds = Math.min(999_999_999, Math.round((offset - seconds) * 1e9));
      this.timex.call({ modes: ADJ_SETOFFSET | ADJ_NANO, time: { seconds, nanoseconds } });
    } else {
      this.timex.call({ modes: ADJ_OFFSET_SINGLESHOT, offset: Math.round(offset * 1e6) });
    }
    return { did: stepping ? 'step' : 'slew', by: offset, frequency: freq / SCALE + ticks * KERNEL.tick };
  }
}

function microseconds(seconds: number): number {
  return Math.min(LARGEST, Math.ceil(seconds * 1e6));
}
