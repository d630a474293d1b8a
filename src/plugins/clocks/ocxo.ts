import { inject } from 'inversify';
import type { z } from 'zod';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory, Streams } from '../../core/plugin/tokens.js';
import { makeParts, OscillatorModel, presetOptions } from '../../core/world/oscillator-model.js';

const Options = presetOptions({
  frequencyError: '5 ppb',
  granularity: '1 ns',
  latency: '30 ns',
  latencyJitter: '10 ns',
  parts: [
    { use: 'white-pm', adev: 2e-12, step: '1 s' },
    { use: 'flicker-fm', adev: 2e-12 },
    { use: 'random-walk-fm', adev: 3e-14 },
    { use: 'ageing', perDay: 2e-10, stabilising: '30 d', age: '30 d' },
    { use: 'temperature', ambient: [{ shape: 'daily', amplitude: 3 }], linear: '0.02 ppb', lag: '1 h' },
  ],
});

/**
 * An OCXO of middling quality. Allan deviation 1e-12 at 1 s is the order of J. R. Vig's tutorial "Quartz Crystal Resonators
 * and Oscillators" and of data sheets (1e-12 to 5e-12), with a flicker floor of the same size; ageing: 5e-10 a day is the
 * specification of the HP 10811A, and free-running Trimble Thunderbolts showed from almost nothing to 2e-10 a day (T. Van
 * Baak, time-nuts list, 12 November 2016), of which the larger is taken; ±1 ppb over the whole range of temperature, so
 * 0.02 ppb/K. Random walk: our choice.
 */
@plugin({ kind: 'clock', name: 'ocxo', summary: 'Oven-controlled crystal oscillator', options: Options })
export class Ocxo extends OscillatorModel {
  constructor(
    @inject(PluginOptions) options: z.output<typeof Options>,
    @inject(Streams) streams: Streams,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    super(options, makeParts(options.parts, make), streams('noise'));
  }
}
