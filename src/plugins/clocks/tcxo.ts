import { inject } from 'inversify';
import type { z } from 'zod';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory, Streams } from '../../core/plugin/tokens.js';
import { makeParts, OscillatorModel, presetOptions } from '../../core/world/oscillator-model.js';

const Options = presetOptions({
  frequencyError: '0.5 ppm',
  granularity: '1 ns',
  latency: '30 ns',
  latencyJitter: '10 ns',
  parts: [
    { use: 'white-fm', adev: 1e-10 },
    { use: 'flicker-fm', adev: 1e-10 },
    { use: 'random-walk-fm', adev: 3e-12 },
    { use: 'ageing', perDay: 1.5e-9 },
    { use: 'temperature', ambient: [{ shape: 'daily', amplitude: 3 }], linear: '10 ppb' },
  ],
});

/**
 * A TCXO, by typical data sheets and J. R. Vig's tutorial "Quartz Crystal Resonators and Oscillators": ±0.5 ppm over
 * temperature, of which a slope of 0.01 ppm/K is left locally; ageing 0.5 ppm a year; Allan deviation from 1e-10 to 1e-9 at
 * 1 s (the better end is taken) with a flicker floor of the same size. Random walk of frequency: our choice, so that it
 * shows from an hour on.
 */
@plugin({ kind: 'clock', name: 'tcxo', summary: 'Temperature-compensated crystal oscillator', options: Options })
export class Tcxo extends OscillatorModel {
  constructor(
    @inject(PluginOptions) options: z.output<typeof Options>,
    @inject(Streams) streams: Streams,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    super(options, makeParts(options.parts, make), streams('noise'));
  }
}
