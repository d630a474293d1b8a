import type { Clock, ClockControls, ClockModel, ClockReading } from '../contracts/index.js';
import type { CounterOfTruth } from './local-scheduler.js';
import type { VirtualScheduler } from './virtual-scheduler.js';

/** A reading with its errors, clock − true, in seconds. For metrics only. */
export interface TrueReading {
  readonly reading: ClockReading;
  readonly wallError: number;
  readonly counterError: number;
}

/** A clock whose error is known as a function of true time. */
export interface KnownClock {
  /** Before and after these it is not known any more; always, where they are left out. */
  readonly from?: number;
  readonly to?: number;
  sampleAt(t: number): TrueReading;
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

  constructor(
    private readonly model: ClockModel,
    private readonly truth: VirtualScheduler,
  ) {}

  read(): ClockReading {
    return this.readAt(this.truth.time);
  }

  private readAt(t: number): ClockReading {
    const counter = t + this.counterErrorAt(t);
    return { wall: counter + this.wallStep, counter };
  }

  /** The reading at true time t (now, or later with nothing happening in between) with its errors. */
  sampleAt(t: number): TrueReading {
    const counterError = this.counterErrorAt(t);
    const counter = t + counterError;
    const { wallStep } = this;
    return { reading: { wall: counter + wallStep, counter }, counterError, wallError: counterError + wallStep };
  }

  /** Counter − true at true time t, seconds, granularity included. */
  private counterErrorAt(t: number): number {
    const phase = this.phaseAt(t);
    const { granularity } = this.model;
    if (granularity === 0) return phase;
    // Only the remainder is taken of the instant, so that the error keeps its precision.
    const beyond = (t % granularity) + phase;
    return phase - (beyond - Math.floor(beyond / granularity) * granularity);
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
  }

  private phaseAt(t: number): number {
    return this.model.phase(t) + this.steppedPhase + this.frequencyStep * (t - this.steppedAt);
  }
}
