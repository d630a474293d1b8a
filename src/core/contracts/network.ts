import type { Clock } from './clock.js';
import type { Network } from './world.js';

/**
 * A plugin of kind `network`: datagrams of the real world. (The simulated network is the simulated world's own.)
 *
 * What an implementer owes: datagrams stamped with the given clock as close to the wire as the platform allows; a fresh
 * socket on a random port for each `open`; errors of one send never end the process.
 */
export interface NetworkPlugin {
  connect(clock: Clock): Network;
}
