import '../../src/plugins/clocks/oscillator.js';
import type { ClockModel } from '../../src/core/contracts/index.js';
import { made } from './make-plugin.js';

/** An oscillator with the given options as a scenario would have them, drawing from streams of its own. */
export function oscillator(options: Readonly<Record<string, unknown>>, seed = '1'): ClockModel {
  return made('clock', { use: 'oscillator', ...options }, seed, 'clock') as ClockModel;
}
