import { inject } from 'inversify';
import { z } from 'zod';
import type { DelayLaw, RandomStream } from '../../core/contracts/index.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory } from '../../core/plugin/tokens.js';

const Options = z.strictObject({
  of: z
    .array(
      z.strictObject({
        weight: z.number().gt(0).meta({ description: 'How often, beside the other weights.' }),
        law: choice('delay', 'What these packets wait.'),
      }),
    )
    .min(1)
    .meta({ description: 'Laws, each with its `weight`: every packet follows one of them.' }),
});

/**
 * Every packet follows one of several laws, drawn by weight. All of them are drawn from for each packet, so that the
 * packets that follow one law do not move when the weights change.
 */
@plugin({
  kind: 'delay',
  name: 'mixture',
  summary: 'Every packet follows one of several laws',
  options: Options,
  example: {
    of: [
      { weight: 9, law: 'normal' },
      { weight: 1, law: 'exponential' },
    ],
  },
})
export class MixtureDelay implements DelayLaw {
  private readonly laws: readonly { readonly upTo: number; readonly law: DelayLaw }[];

  constructor(@inject(PluginOptions) { of }: z.output<typeof Options>, @inject(PluginFactory) make: PluginFactory) {
    const total = of.reduce((sum, { weight }) => sum + weight, 0);
    let upTo = 0;
    this.laws = of.map(({ weight, law }, index) => {
      upTo += weight / total;
      return { upTo, law: make('delay', law, `law-${index}`) };
    });
  }

  draw(random: RandomStream, at: number): number {
    const u = random.uniform();
    const { laws } = this;
    let drawn: number | undefined;
    for (let i = 0; i < laws.length; i++) {
      const delay = laws[i]!.law.draw(random, at);
      // The last law takes what rounding leaves over.
      if (drawn === undefined && (u < laws[i]!.upTo || i === laws.length - 1)) drawn = delay;
    }
    return drawn ?? 0;
  }
}
