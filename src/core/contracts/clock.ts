import type { Snapshot } from './state.js';

/**
 * The two clocks of a machine, read at one instant. Seconds since the run's epoch, as each of them believes.
 *
 * `wall` is what programs ask for the time (CLOCK_REALTIME): an operator, a leap second or another daemon may step it.
 * `counter` is monotonic (CLOCK_MONOTONIC_RAW): it drifts, but nobody ever steps it. When a run starts the two are
 * aligned, so both start with the same offset from true time.
 */
export interface ClockReading {
  readonly wall: number;
  readonly counter: number;
}

/** Which of the two clocks a pipeline estimates. The other follows from the reading. */
export type Axis = 'counter' | 'wall';

/** A clock as a pipeline sees it. */
export interface Clock {
  read(): ClockReading;
  /** True: there is no counter beside the wall clock, or nobody says which of the two this is. What it reads may be stepped. */
  readonly oneClock?: boolean | undefined;
}

/** The time that a reading shows on one axis, in seconds since the run's epoch. */
export function timeOn(axis: Axis, reading: ClockReading): number {
  return axis === 'counter' ? reading.counter : reading.wall;
}

/**
 * A plugin of kind `clock` for simulated worlds: the physics of one oscillator.
 *
 * What an implementer owes: `phase` and `frequency` are functions of the realisation and of `t` alone, never of who
 * asked before; `t` runs forward but for readings inside the noise cell that the last reading was in (1 s unless the
 * model says otherwise). Steps and frequency steps by faults are added by the world, outside the model.
 */
export interface ClockModel {
  readonly world: 'simulated';
  /** Phase error x(t) = clock − true, in seconds, at true time t (seconds since the run's epoch). */
  phase(t: number): number;
  /** Fractional frequency error y(t) = dx/dt, in s/s; noise that has no derivative is left out. */
  frequency(t: number): number;
  /** Smallest difference between two readings, in seconds; 0 for none. */
  readonly granularity: number;
  /** Seconds, ≥ 0, from asking for the time at t to the instant that is read: a function of t. Left out: none. */
  latency?(t: number): number;
  /** What a host does to the wall clock of its guest. Left out: nothing. */
  readonly hostSync?: HostSync | undefined;
}

/** A host that looks at its guest's wall clock from time to time. */
export interface HostSync {
  /** Seconds of true time from look to look. */
  readonly every: number;
  /** What it adds to the wall clock, given its error (wall − true) in seconds; 0 leaves it alone. Asked once a look. */
  correction(wallError: number): number;
}

/**
 * A plugin of kind `clock` for the real world: this machine's own clock, aligned when it is made: the first reading
 * has `counter` equal to `wall`, and `epoch` is the Unix time in nanoseconds at which both axes read 0.
 */
export interface MachineClock extends Clock {
  readonly world: 'real';
  readonly epoch: bigint;
  /** What is read, for the manifest and for people: e.g. "CLOCK_REALTIME and CLOCK_MONOTONIC_RAW through koffi". */
  readonly description: string;
  /** Seconds that this machine has slept since it was started, in which its counter stood still; undefined if unknown. */
  slept?(): number | undefined;
  /** Whether the kernel says that somebody synchronises the system clock; undefined if unknown. */
  disciplined?(): boolean | undefined;
  /** What another process needs to go on with the same counter and epoch. */
  snapshot?(): Snapshot | undefined;
  /**
   * Goes on counting from a snapshot, if the counter has not been interrupted since; else it says why not, and starts as
   * if it had not been asked. Before the first reading.
   */
  resume?(snapshot: Snapshot): string | undefined;
  /**
   * What CLOCK_MONOTONIC_RAW read, in nanoseconds, when `counter` read 0: so that other processes can say the same instant.
   * Undefined where the counter is another clock, and before the first reading.
   */
  readonly counterOrigin?: bigint | undefined;
}

export type ClockPlugin = ClockModel | MachineClock;
