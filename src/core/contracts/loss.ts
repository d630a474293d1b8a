import type { RandomStream } from './world.js';

/**
 * A plugin of kind `loss`: which packets of one direction of a path are lost.
 *
 * What an implementer owes: the packet's own draws come from the given stream, the same number whatever they turn out to
 * be; a state of the path is drawn from streams of its own and is a function of time, never of who asks.
 */
export interface LossLaw {
  /**
   * `at`: true time of the packet's departure, seconds, never falling. `number` counts the packets of this association
   * in this direction, from 1.
   */
  lost(random: RandomStream, at: number, number: number): boolean;
}
