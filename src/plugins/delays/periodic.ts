import { inject } from 'inversify';
import { z } from 'zod';
import type { DelayLaw, RandomStream } from '../../core/contracts/index.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory } from '../../core/plugin/tokens.js';
import { duration, ratio, time } from '../../core/quantity.js';

const Options = z.strictObject({
  law: choice('delay', 'What packets wait on average over a period.').prefault('exponential'),
  period: duration('How long until it is the same again.').prefault('1 d'),
  peak: time('When packets wait longest, in true time from the start of the run.').prefault('20 h'),
  amplitude: ratio('By how much of itself the delay grows at the peak, and shrinks half a period later.', {
    min: 0,
    max: 1,
  }).prefault('80 %'),
});

/** Traffic that follows the day: the delays of a law, times 1 + a·cos(2π(t − peak)/period). */
@plugin({ kind: 'delay', name: 'periodic', summary: 'Congestion that follows the day', options: Options })
export class PeriodicDelay implements DelayLaw {
  private readonly law: DelayLaw;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    this.law = make('delay', options.law, 'law');
  }

  draw(random: RandomStream, at: number): number {
    const { period, peak, amplitude } = this.options;
    return this.law.draw(random, at) * (1 + amplitude * Math.cos((2 * Math.PI * (at - peak)) / period));
  }
}
