import { inject } from 'inversify';
import { z } from 'zod';
import type { LossLaw, RandomStream } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Streams } from '../../core/plugin/tokens.js';
import { duration, probability } from '../../core/quantity.js';

const Options = z.strictObject({
  good: duration('Mean length of a good spell, exponential.').prefault('10 min'),
  bad: duration('Mean length of a bad spell, exponential.').prefault('30 s'),
  lossInGood: probability('That a packet is lost in a good spell.').prefault(0),
  lossInBad: probability('That a packet is lost in a bad spell.').prefault('80 %'),
});

/**
 * Losses in bursts (Gilbert 1960, Elliott 1963): a path that is now good, now bad, and loses packets independently with
 * one probability or the other. The two states alternate in time, not from packet to packet, so that packets of
 * different clients meet the same bursts; in the long run a share bad / (good + bad) of the time is bad.
 */
@plugin({ kind: 'loss', name: 'gilbert-elliott', summary: 'Loses packets in bursts', options: Options })
export class GilbertElliottLoss implements LossLaw {
  private bad = false;
  private until: number;
  private readonly spells: RandomStream;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Streams) streams: Streams,
  ) {
    this.spells = streams('spells');
    const { good, bad } = options;
    this.bad = this.spells.uniform() < bad / (good + bad);
    this.until = this.spell();
  }

  lost(random: RandomStream, at: number): boolean {
    while (this.until <= at) {
      this.bad = !this.bad;
      this.until += this.spell();
    }
    return random.uniform() < (this.bad ? this.options.lossInBad : this.options.lossInGood);
  }

  private spell(): number {
    return (this.bad ? this.options.bad : this.options.good) * this.spells.exponential();
  }
}
