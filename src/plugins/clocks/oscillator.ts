import { inject } from 'inversify';
import { z } from 'zod';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory, Streams } from '../../core/plugin/tokens.js';
import { ratio, time } from '../../core/quantity.js';
import { makeParts, OscillatorModel, PartsOption, ReadingOptions } from '../../core/world/oscillator-model.js';

const Options = z.strictObject({
  timeError: time('Clock − true at the start: positive, ahead.').prefault(0),
  frequencyError: ratio('Constant fractional frequency error: positive, fast.', { above: -1 }).prefault('10 ppm'),
  whiteFm: ratio('White frequency noise: Allan deviation at 1 s.', { min: 0 }).prefault(0),
  wander: ratio('Random-walk frequency noise: what the frequency changes by in √1 s, one standard deviation.', {
    min: 0,
  }).prefault(0),
  parts: PartsOption.prefault([]),
  ...ReadingOptions,
});

/** An oscillator of which everything can be set: see `OscillatorModel`. */
@plugin({
  kind: 'clock',
  name: 'oscillator',
  summary: 'Simulated oscillator: offset, frequency error, white and random-walk FM, and parts that compose',
  options: Options,
})
export class Oscillator extends OscillatorModel {
  constructor(
    @inject(PluginOptions) options: z.output<typeof Options>,
    @inject(Streams) streams: Streams,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    super(options, makeParts(options.parts, make), streams('noise'));
  }
}
