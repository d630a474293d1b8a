import { inject } from 'inversify';
import type { z } from 'zod';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory, Streams } from '../../core/plugin/tokens.js';
import { makeParts, OscillatorModel, presetOptions } from '../../core/world/oscillator-model.js';

const Options = presetOptions({
  frequencyError: '-12 ppm',
  granularity: '1 ns',
  latency: '30 ns',
  latencyJitter: '10 ns',
  parts: [
    { use: 'flicker-fm', adev: 5e-11 },
    { use: 'random-walk-fm', adev: 5e-11 },
    { use: 'ageing', perDay: 3e-9 },
    {
      use: 'temperature',
      base: 35,
      ambient: [
        { shape: 'sinusoid', amplitude: 0.5, period: '20 min' },
        { shape: 'daily', amplitude: 1 },
      ],
      load: { heating: 3, busy: '30 min', idle: '1 h', lag: '10 min' },
      reference: 27,
      linear: '-0.05 ppm',
      cubic: 1e-10,
    },
  ],
});

/**
 * The uncompensated crystal of a server. As the laptop's, but for what the room does: an air conditioner that swings by
 * half a kelvin in 20 minutes, a day that swings by one, and a load that heats by a few kelvins. Well-kept PCs moved by
 * 0.01 to 0.7 ppm about their mean (D. J. Taylor, quoted on the NTP questions list, 24 February 2012); D. L. Mills
 * measured in rooms that vary by less than a kelvin (same list, 10 September 2010). Offset, ageing (±1 ppm a year) and
 * floor are typical of data sheets; the room's figures are our choice.
 */
@plugin({
  kind: 'clock',
  name: 'server-crystal',
  summary: 'Crystal of a server in an air-conditioned room',
  options: Options,
})
export class ServerCrystal extends OscillatorModel {
  constructor(
    @inject(PluginOptions) options: z.output<typeof Options>,
    @inject(Streams) streams: Streams,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    super(options, makeParts(options.parts, make), streams('noise'));
  }
}
