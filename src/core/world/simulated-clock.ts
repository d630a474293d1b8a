import type { Clock, ClockControls, ClockModel, ClockReading, HostSync } from '../contracts/index.js';
import type { CounterOfTruth } from './local-scheduler.js';
import type { VirtualScheduler } from './virtual-scheduler.js';

/** A reading with its errors, clock − true, in seconds. For metrics only. */
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
  /** The reading at true time t. One object for all calls: take what you need before the next. */
  sampleAt(t: number): Readonly<TrueReading>;
  /** Fractional frequency error of the counter at true time t, s/s. */
  frequencyAt?(t: number): number;
}

/**
 * The simulated machine's clock: an oscillator model, and on top of it what faults do to its two axes. Its error is
 * kept as a number of its own, never as the difference of two instants.
 */
export class SimulatedClock implements Clock, ClockControls, KnownClock, CounterOfTruth {
  private wallStep = 0;
  private frequencyStep = 0;
  private steppedPhase = 0;
  private steppedAt = 0;
  private readonly listeners: (() => void)[] = [];
  private readonly sample: TrueReading = { reading: { wall: 0, counter: 0 }, wallError: 0.5, counterError: 0.5 };

  constructor(
    private readonly model: ClockModel,
    private readonly truth: VirtualScheduler,
  ) {
    if (model.hostSync !== undefined) this.keepInStep(model.hostSync, 1);
  }

  read(): ClockReading {
    return this.readAt(this.truth.time + this.latency);
  }

  /** Seconds that a program waits now for a reading, which is then that much younger. */
  get latency(): number {
    return this.model.latency?.(this.truth.time) ?? 0;
  }

  /** The host's k-th look at the wall clock, and those after it. */
  private keepInStep(host: HostSync, k: number): void {
    const at = k * host.every;
    this.truth.at(at, () => {
      const by = host.correction(this.sampleAt(at).wallError);
      if (by !== 0) this.stepWall(by);
      this.keepInStep(host, k + 1);
    });
  }

  private readAt(t: number): ClockReading {
    const counter = t + this.counterErrorAt(t);
    return { wall: counter + this.wallStep, counter };
  }

  /** The reading at true time t (now, or later with nothing happening in between) with its errors. */
  sampleAt(t: number): Readonly<TrueReading> {
    this.truth.glide(t);
    const counterError = this.counterErrorAt(t);
    const counter = t + counterError;
    const { wallStep, sample } = this;
    sample.reading = { wall: counter + wallStep, counter };
    sample.counterError = counterError;
    sample.wallError = counterError + wallStep;
    return sample;
  }

  /** Counter − true at true time t, seconds, granularity included. */
  private counterErrorAt(t: number): number {
    const phase = this.phaseAt(t);
    const { granularity } = this.model;
    if (granularity === 0) return phase;
    // Only the fraction of a granule is taken of the instant, so that the error keeps its precision.
    const granules = t / granularity;
    const beyond = granules - Math.floor(granules) + phase / granularity;
    return phase - (beyond - Math.floor(beyond)) * granularity;
  }

  counterAt(t: number): number {
    return t + this.phaseAt(t);
  }

  frequencyAt(t: number): number {
    return this.model.frequency(t) + this.frequencyStep;
  }

  stepWall(by: number): void {
    this.wallStep += by;
  }

  stepFrequency(by: number): void {
    const now = this.truth.time;
    this.steppedPhase += this.frequencyStep * (now - this.steppedAt);
    this.steppedAt = now;
    this.frequencyStep += by;
    // A step of nothing changes nothing, not even when a timer is set again.
    if (by !== 0) for (const listener of this.listeners) listener();
  }

  onRateStep(listener: () => void): void {
    this.listeners.push(listener);
  }

  private phaseAt(t: number): number {
    return this.model.phase(t) + this.steppedPhase + this.frequencyStep * (t - this.steppedAt);
  }
}
