/**
 * A plugin of kind `noise`: one part of an oscillator's error. An oscillator is the sum of its parts.
 *
 * What an implementer owes: functions of the realisation and of `t` alone, never of who asked before; flat memory
 * however long the run; `t` runs forward but for readings a minute back at most.
 */
export interface NoisePart {
  /** What the part adds to clock − true, in seconds, at true time t (seconds since the run's epoch). */
  phase(t: number): number;
  /** What it adds to the fractional frequency error, s/s; noise that has no derivative is left out. */
  frequency(t: number): number;
  /**
   * Adds `phase(first + i)` to each `sums[i]`: a minute of whole seconds, of which earlier instants may be asked for
   * afterwards. Only for speed: the same numbers as from `phase`, without a call through the interface for each.
   */
  addPhases?(first: number, sums: Float64Array): void;
}
