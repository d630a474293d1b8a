import { inject } from 'inversify';
import type { z } from 'zod';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory, Streams } from '../../core/plugin/tokens.js';
import { makeParts, OscillatorModel, presetOptions } from '../../core/world/oscillator-model.js';

const Options = presetOptions({
  frequencyError: '25 ppm',
  granularity: '1 ns',
  latency: '30 ns',
  latencyJitter: '20 ns',
  parts: [
    { use: 'flicker-fm', adev: 1e-10 },
    { use: 'random-walk-fm', adev: 1e-10 },
    { use: 'ageing', perDay: 5e-9 },
    {
      use: 'temperature',
      base: 40,
      ambient: [{ shape: 'daily', amplitude: 3 }],
      load: { heating: 15, busy: '5 min', idle: '20 min', lag: '3 min' },
      reference: 27,
      linear: '-0.05 ppm',
      cubic: 1e-10,
    },
  ],
});

/**
 * The uncompensated AT-cut crystal of a laptop. Figures, all typical rather than of one part:
 *
 * - frequency: ±20 to ±50 ppm at 25 °C on data sheets of such crystals; the median of 20,000 hosts was 78 ppm (D. L. Mills,
 *   "Computer Network Time Synchronization", 2nd ed., 2010, chapter on computer clock modelling);
 * - temperature: cubic of an AT cut (R. Bechmann, Proc. IRE 44 (1956)) with a slope of 0.05 ppm/K about 40 °C; load heats the
 *   inside of a case by tens of kelvins, much more than the room does (W. Unruh, NTP questions list, 24 February 2012);
 *   15 K at full load and a few ppm in a day are our choice within that;
 * - random-walk FM: with the crossing of Mills's Allan plots near 2000 s and 0.01 ppm it would be 4e-10 at 1 s, most of
 *   which is temperature: a quarter of it is left to the crystal;
 * - flicker floor 1e-10: our choice, below what a computer can measure of itself;
 * - ageing: ±2 to ±3 ppm a year (typical data sheet);
 * - reading: clock_gettime without a system call, tens of nanoseconds (our choice).
 */
@plugin({
  kind: 'clock',
  name: 'laptop-crystal',
  summary: 'Crystal of a laptop: tens of ppm, heated by its load',
  options: Options,
})
export class LaptopCrystal extends OscillatorModel {
  constructor(
    @inject(PluginOptions) options: z.output<typeof Options>,
    @inject(Streams) streams: Streams,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    super(options, makeParts(options.parts, make), streams('noise'));
  }
}
