import type { RandomStream } from './world.js';

/**
 * A plugin of kind `delay`: the law of a packet's queueing delay, on top of the path's base delay.
 *
 * What an implementer owes: a non-negative number of seconds, drawn from the given stream only, the same number of
 * draws whatever they turn out to be where that is possible. A law with a state (congestion) keeps it as a function of
 * true time, drawn from streams of its own, so that it does not depend on who asks. `at` never runs backwards.
 */
export interface DelayLaw {
  /** `at`: true time of the packet's departure, seconds, for laws that change with it. */
  draw(random: RandomStream, at: number): number;
}
