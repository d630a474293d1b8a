import { inject } from 'inversify';
import type { z } from 'zod';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory, Streams } from '../../core/plugin/tokens.js';
import { makeParts, OscillatorModel, presetOptions } from '../../core/world/oscillator-model.js';

const Options = presetOptions({
  frequencyError: '5e-11',
  granularity: '0 s',
  latency: '30 ns',
  latencyJitter: '10 ns',
  parts: [
    { use: 'white-fm', adev: 1e-11 },
    { use: 'flicker-fm', adev: 2e-13 },
    { use: 'random-walk-fm', adev: 1e-16 },
    { use: 'ageing', perDay: 1e-12 },
    { use: 'temperature', ambient: [{ shape: 'daily', amplitude: 3 }], linear: 3e-12 },
  ],
});

/**
 * A compact rubidium standard as in instruments and base stations, by typical data sheets: accuracy 5e-11 when shipped;
 * Allan deviation 1e-11/√τ to a flicker floor of 2e-13 (white FM is the shot noise of its light); ageing 5e-11 a month and
 * less once it has run for long, here 3e-11; 3e-10 over the range of temperature, so 3e-12/K. Its reading is not rounded:
 * its noise is smaller than a nanosecond. Random walk: our choice.
 */
@plugin({ kind: 'clock', name: 'rubidium', summary: 'Rubidium vapour frequency standard', options: Options })
export class Rubidium extends OscillatorModel {
  constructor(
    @inject(PluginOptions) options: z.output<typeof Options>,
    @inject(Streams) streams: Streams,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    super(options, makeParts(options.parts, make), streams('noise'));
  }
}
