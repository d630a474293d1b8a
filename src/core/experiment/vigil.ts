import type { Axis, ClockReading, MachineClock, SourceEvent } from '../contracts/index.js';
import { formatDuration, formatTime } from '../quantity.js';

/** A wall clock that moves by more than this against the counter at once was stepped, seconds. */
const STEP = 1e-3;
/** No daemon slews faster than this, s/s: what moves more was stepped. */
const FASTEST_SLEW = 0.1;
/** Less sleep than this is none, seconds. */
const NAP = 1e-3;
/** The kernel knows how long it slept to a second where it has only the real-time clock to go by, seconds. */
const SLEEP_DEVIATION = 1;
/** A step is known as well as the two clocks are read, seconds. */
const STEP_DEVIATION = 1e-5;
/** The clocks are compared over this long before anything is said of their rates, seconds. */
const WATCH = 600;
/** A wall clock that gains more than this on the counter is steered, s/s. */
const STEERED = 1e-7;
/** Who asks for the time all the time needs no look each time, seconds. */
const LOOK = 2e-3;

interface Effects {
  report(part: string, what: string): void;
  /** A clock has lost `by` seconds at once, give or take `deviation`. */
  displaced(axis: Axis, by: number, deviation: number): void;
  /** The machine has woken up. */
  resumed(): void;
}

/**
 * Watches this machine's two clocks: steps of the wall clock, sleep (in which the counter stands still), and somebody
 * who steers the wall clock. Pipelines are told at once, so that no time is told from before.
 */
export class Vigil {
  private last: ClockReading | undefined;
  private slept: number | undefined;
  /** Where the comparison of the rates began. */
  private from: ClockReading | undefined;
  private steered = false;
  private disciplined = false;

  constructor(
    private readonly clock: MachineClock,
    private readonly effects: Effects,
  ) {}

  look(): void {
    const { clock, last } = this;
    let reading = clock.read();
    if (last !== undefined && reading.counter - last.counter < LOOK && Math.abs(moved(last, reading)) < STEP) return;
    const slept = clock.slept?.();
    const nap = slept === undefined || this.slept === undefined ? 0 : slept - this.slept;
    this.slept = slept;
    if (last !== undefined) {
      // In sleep the counter stands still and the wall clock does not.
      const jumped = (now: ClockReading): boolean =>
        Math.abs(moved(last, now) - nap) > STEP + FASTEST_SLEW * Math.max(0, now.counter - last.counter);
      let step = 0;
      if (jumped(reading)) {
        // A reading that was interrupted looks like a step; the next one does not.
        reading = clock.read();
        if (jumped(reading)) step = moved(last, reading) - nap;
      }
      this.last = reading;
      if (nap > NAP) this.woken(nap);
      if (step !== 0) this.stepped(step);
      if (nap > NAP || step !== 0) this.from = undefined;
    }
    this.last = reading;
    this.compare(reading);
  }

  private woken(nap: number): void {
    this.effects.report('clock', `the machine was suspended for ${formatDuration(nap)}: servers are asked at once`);
    this.effects.displaced('counter', nap, SLEEP_DEVIATION);
    this.effects.resumed();
  }

  private stepped(step: number): void {
    this.effects.report('clock', `the wall clock was stepped by ${formatTime(step, true)}`);
    this.effects.displaced('wall', -step, STEP_DEVIATION);
  }

  private compare(reading: ClockReading): void {
    this.from ??= reading;
    const elapsed = reading.counter - this.from.counter;
    if (elapsed < WATCH) return;
    const rate = moved(this.from, reading) / elapsed;
    this.from = reading;
    const steered = Math.abs(rate) > STEERED;
    if (steered && !this.steered) {
      const ppm = `${rate > 0 ? '+' : ''}${(1e6 * rate).toPrecision(3)} ppm`;
      this.effects.report('clock', `the wall clock is steered by something else: ${ppm} against the counter`);
    }
    this.steered = steered;
    const disciplined = this.clock.disciplined?.() ?? false;
    if (disciplined !== this.disciplined) {
      this.effects.report(
        'clock',
        disciplined
          ? 'another program disciplines the system clock: the kernel says that it is synchronised'
          : 'nobody disciplines the system clock any more: the kernel says that it is not synchronised',
      );
    }
    this.disciplined = disciplined;
  }
}

/** How far the wall clock has moved against the counter, seconds. */
function moved(from: ClockReading, to: ClockReading): number {
  return to.wall - from.wall - (to.counter - from.counter);
}

/** Questions in a row that a server may leave unanswered before it counts as lost. */
const PATIENCE = 2;

/** Knows when the last server has fallen silent, and when one is heard again. */
export class Hearing {
  private readonly missed = new Map<string, number>();
  private heardAt: number | undefined;
  private lost = false;

  constructor(private readonly report: (part: string, what: string) => void) {}

  hear(event: SourceEvent): void {
    if (event.type === 'exchange') {
      const { source, arrived } = event.exchange;
      if (this.lost) {
        this.lost = false;
        const away = formatDuration(arrived.counter - (this.heardAt ?? arrived.counter));
        this.report('servers', `holdover ends: ${source} answers, after ${away} without any server`);
      }
      this.missed.set(source, 0);
      this.heardAt = arrived.counter;
      return;
    }
    const { source, settled } = event.failure;
    this.missed.set(source, (this.missed.get(source) ?? 0) + 1);
    if (this.lost || this.heardAt === undefined) return;
    if ([...this.missed.values()].some(missed => missed < PATIENCE)) return;
    this.lost = true;
    const since = formatDuration(settled.counter - this.heardAt);
    this.report('servers', `holdover begins: no server has answered for ${since}; bounds grow until one does`);
  }
}
