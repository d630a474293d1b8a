/**
 * A wall clock that can be steered as adjtimex(2) and clock_settime(2) steer one. Each pipeline has its own: what one
 * does to its wall clock no other pipeline sees.
 */
export interface SteerableClock {
  /** Steps it at once, seconds: positive, forward. */
  step(by: number): void;
  /** Gains `by` seconds gradually, `rate` seconds a second at most; what was left of an earlier slew is given up. */
  slew(by: number, rate: number): void;
  /** From now on it gains this much, s/s, over the undisciplined clock. */
  setFrequency(rate: number): void;
}

/** How far the steered clock is from what the pipeline tells. */
export interface SteeringError {
  /** Told time − steered wall clock, seconds: positive, the clock is behind. */
  readonly offset: number;
  /** How fast the undisciplined wall clock falls behind what is told, s/s: what cancels it as a frequency. */
  readonly drift: number;
  /** The first time, or after a leap second. */
  readonly cause: 'first' | 'update' | 'leap';
}

/**
 * A plugin of kind `discipline`: makes a wall clock follow what a pipeline tells.
 *
 * What an implementer owes: it is asked whenever the pipeline has a new estimate, and only steers.
 */
export interface Discipline {
  steer(error: SteeringError, clock: SteerableClock): void;
}
