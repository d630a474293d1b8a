import { findPlugin } from '../../src/core/plugin/registry.js';
import { randomStream } from '../../src/core/world/random.js';
import { Oscillator } from '../../src/plugins/clocks/oscillator.js';

type Options = ConstructorParameters<typeof Oscillator>[0];

/** An oscillator with the given options as a scenario would have them, drawing from streams of its own. */
export function oscillator(options: Readonly<Record<string, unknown>>, seed = '1'): Oscillator {
  const parsed = findPlugin('clock', 'oscillator', 'test').options.parse(options) as Options;
  return new Oscillator(parsed, name => randomStream(seed, `clock/${name}`));
}
