import type { ClockReading } from './clock.js';
import type { CorrectedTime, Estimate } from './estimate.js';
import type { Stateful } from './state.js';

/**
 * A plugin of kind `timekeeper`: tells the time at a reading from the estimate in force.
 *
 * What an implementer owes: a pure function (scoring calls it at instants that no pipeline sees); bounds that never
 * shrink with age; without an estimate the bare wall clock with unknown bounds (see `bareTime`).
 */
export interface Timekeeper extends Stateful {
  tell(estimate: Estimate | undefined, reading: ClockReading, level: number): CorrectedTime;
  /**
   * An estimate comes into force at this reading, in the place of `previous`: also the one that a restart goes on from.
   * The only thing that a timekeeper with a memory may remember: between two of these `tell` is pure.
   */
  adopt?(estimate: Estimate, previous: Estimate | undefined, reading: ClockReading, level: number): void;
}
