import type {
  Clock,
  ClockControls,
  ClockModel,
  ClockReading,
  FrequencyDisturbance,
  HostSync,
} from '../contracts/index.js';
import { guarded, InputError, thrownBy } from '../errors.js';
import type { CounterOfTruth } from './local-scheduler.js';
import type { VirtualScheduler } from './virtual-scheduler.js';

/** A reading with its errors, clock − UTC, in seconds. For metrics only. */
export interface TrueReading {
  reading: ClockReading;
  wallError: number;
  counterError: number;
}

/** A clock whose error is known as a function of true time. */
export interface KnownClock {
  /** Before and after these it is not known any more; always, where they are left out. */
  readonly from?: number;
  readonly to?: number;
  /**
   * The reading at true time t, undefined while the machine stands still. One object for all calls: take what you need
   * before the next.
   */
  sampleAt(t: number): Readonly<TrueReading> | undefined;
  /** Fractional frequency error of the counter at true time t, s/s. */
  frequencyAt?(t: number): number;
}

/** One of the things that move the frequency for a while. */
interface Running {
  readonly disturbance: FrequencyDisturbance;
  readonly since: number;
}

/**
 * The simulated machine's clock: an oscillator model, and on top of it what faults do to its two axes. Its error is
 * kept as a number of its own, never as the difference of two instants:
 *
 *     counter − t = x(t) + pauses + resets
 *     wall − UTC  = x(t) + pauses + steps + slews − leap seconds
 *
 * with x(t) the model's phase and what frequency faults have added to it. Truth runs on a uniform scale; both errors are
 * against POSIX UTC, a view of it that repeats or skips a second at a leap.
 */
export class SimulatedClock implements Clock, ClockControls, KnownClock, CounterOfTruth {
  private frequencyStep = 0;
  private steppedPhase = 0;
  private steppedAt = 0;
  private readonly running = new Set<Running>();
  /** What the machine missed while it stood still, seconds, ≤ 0 but for the oscillator's own error. */
  private missed = 0;
  private reset = 0;
  private wallStep = 0;
  private slewRate = 0;
  private slewSince = 0;
  private leap = 0;
  private pausedAt: number | undefined;
  /** The phase when it stopped: an oscillator cannot be asked for the past. */
  private pausedPhase: number | undefined;
  private stopped: 'suspend' | 'freeze' | undefined;
  private readonly waiting: (() => void)[] = [];
  private readonly listeners: (() => void)[] = [];
  private readonly sample: TrueReading = {
    reading: { wall: 0, counter: 0 },
    wallError: 0.5,
    counterError: 0.5,
  };

  constructor(
    private readonly model: ClockModel,
    private readonly truth: VirtualScheduler,
  ) {
    if (model.hostSync !== undefined) this.keepInStep(model.hostSync, 1);
  }

  read(): ClockReading {
    const t = this.truth.time + this.latency;
    const base = this.pausedAt ?? t;
    const counter = base + this.counterErrorAt(base);
    return { wall: counter + this.wallOver(base), counter };
  }

  /** Seconds that a program waits now for a reading, which is then that much younger. */
  get latency(): number {
    return this.model.latency?.(this.truth.time) ?? 0;
  }

  /** The host's k-th look at the wall clock, and those after it. */
  private keepInStep(host: HostSync, k: number): void {
    const at = k * host.every;
    this.truth.at(at, () => {
      const now = this.sampleAt(at);
      const by = now === undefined ? 0 : host.correction(now.wallError);
      if (by !== 0) this.stepWall(by);
      this.keepInStep(host, k + 1);
    });
  }

  /** The reading at true time t (now, or later with nothing happening in between) with its errors. */
  sampleAt(t: number): Readonly<TrueReading> | undefined {
    // Nobody can ask a machine that stands still.
    if (this.pausedAt !== undefined) return undefined;
    this.truth.glide(t);
    const error = this.counterErrorAt(t);
    const counter = t + error;
    const over = this.wallOver(t);
    const { leap, sample } = this;
    sample.reading = { wall: counter + over, counter };
    sample.counterError = error - leap;
    sample.wallError = error + over - leap;
    return sample;
  }

  /** Counter − t at true time t, seconds, granularity included. */
  private counterErrorAt(t: number): number {
    const phase = this.phaseAt(t) + this.reset;
    const { granularity } = this.model;
    if (granularity === 0) return phase;
    // Only the fraction of a granule is taken of the instant, so that the error keeps its precision.
    const granules = t / granularity;
    const beyond = granules - Math.floor(granules) + phase / granularity;
    return phase - (beyond - Math.floor(beyond)) * granularity;
  }

  /** Wall − counter at true time t, seconds. */
  private wallOver(t: number): number {
    const { wallStep, slewRate, reset } = this;
    return (slewRate === 0 ? wallStep : wallStep + slewRate * (t - this.slewSince)) - reset;
  }

  /** What timers go by: the counter without its resets, which an operating system hides from them. */
  counterAt(t: number): number {
    const base = this.pausedAt ?? t;
    return base + this.phaseAt(base);
  }

  frequencyAt(t: number): number {
    if (this.pausedAt !== undefined) return -1;
    const own = guarded('world.clock', () => this.model.frequency(t));
    if (!Number.isFinite(own)) throw new InputError('world.clock', `gave a frequency of ${own} at ${t} s`);
    let frequency = own + this.frequencyStep;
    for (const { disturbance, since } of this.running) frequency += disturbance.frequency(Math.max(0, t - since));
    return frequency;
  }

  stepWall(by: number): void {
    finite('a step of the wall clock', by);
    this.wallStep += by;
  }

  slewWall(rate: number): () => void {
    finite('a rate of slewing', rate);
    this.turnSlew(rate);
    return once(() => this.turnSlew(-rate));
  }

  private turnSlew(by: number): void {
    const now = this.truth.time;
    this.wallStep += this.slewRate * (now - this.slewSince);
    this.slewSince = now;
    this.slewRate += by;
    // What is left of sums that cancel is rounding, not a slew.
    if (Math.abs(this.slewRate) < 1e-15) this.slewRate = 0;
  }

  stepFrequency(by: number): void {
    finite('a step of the frequency', by);
    const now = this.truth.time;
    this.steppedPhase += this.frequencyStep * (now - this.steppedAt);
    this.steppedAt = now;
    this.frequencyStep += by;
    // A step of nothing changes nothing, not even when a timer is set again.
    if (by !== 0) this.rateStepped();
  }

  disturbFrequency(disturbance: FrequencyDisturbance): () => void {
    const entry: Running = { disturbance, since: this.truth.time };
    this.running.add(entry);
    this.rateStepped();
    return once(() => {
      this.running.delete(entry);
      this.steppedPhase += disturbance.phase(this.truth.time - entry.since);
      this.rateStepped();
    });
  }

  resetCounter(to: number): void {
    finite('a counter', to);
    this.reset += to - this.read().counter;
  }

  leapSecond(by: number): void {
    this.leap += by;
  }

  /** UTC − the uniform scale since the start, seconds. */
  get utcOffset(): number {
    return this.leap;
  }

  pause(kind: 'suspend' | 'freeze', wallError = 0): () => void {
    // A machine that stands still already cannot be stopped again.
    if (this.pausedAt !== undefined) return () => {};
    this.pausedPhase = this.phaseAt(this.truth.time);
    this.pausedAt = this.truth.time;
    this.stopped = kind;
    this.rateStepped();
    return once(() => {
      const from = this.pausedAt!;
      const before = this.pausedPhase!;
      this.pausedPhase = undefined;
      const now = this.truth.time;
      this.pausedAt = undefined;
      this.stopped = undefined;
      const missed = -(now - from) - (this.phaseAt(now) - before);
      this.missed += missed;
      // After a suspend the wall clock is set from one that ran on; a frozen guest knows nothing of the time it lost.
      if (kind === 'suspend') this.wallStep += -missed + wallError;
      this.rateStepped();
      for (const wake of this.waiting.splice(0)) wake();
    });
  }

  /** Hands over a packet: at once, or when a frozen machine goes on; one that is suspended never gets it. */
  receive(take: () => void): void {
    if (this.stopped === undefined) take();
    else if (this.stopped === 'freeze') this.waiting.push(take);
  }

  onRateStep(listener: () => void): void {
    this.listeners.push(listener);
  }

  private rateStepped(): void {
    for (const listener of this.listeners) listener();
  }

  /** What the model says, checked: a clock that reads NaN stops nothing, but makes everything meaningless. */
  private modelPhase(t: number): number {
    let phase: number;
    try {
      phase = this.model.phase(t);
    } catch (error) {
      throw thrownBy('world.clock', error);
    }
    if (!Number.isFinite(phase)) throw new InputError('world.clock', `gave a phase of ${phase} s at ${t} s`);
    return phase;
  }

  private phaseAt(t: number): number {
    if (this.pausedPhase !== undefined) return this.pausedPhase;
    let phase = this.modelPhase(t) + this.missed + this.steppedPhase + this.frequencyStep * (t - this.steppedAt);
    if (this.running.size > 0) {
      for (const { disturbance, since } of this.running) phase += disturbance.phase(Math.max(0, t - since));
    }
    return phase;
  }
}

function once(end: () => void): () => void {
  let ended = false;
  return () => {
    if (ended) return;
    ended = true;
    end();
  };
}

/** What a fault does to the clock, checked: a clock that reads NaN stops nothing, but makes everything meaningless. */
function finite(what: string, value: number): void {
  if (!Number.isFinite(value)) throw new Error(`${what} has to be a finite number, found ${value}`);
}
