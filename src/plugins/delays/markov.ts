import { inject } from 'inversify';
import { z } from 'zod';
import type { DelayLaw, RandomStream } from '../../core/contracts/index.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory, Streams } from '../../core/plugin/tokens.js';
import { duration } from '../../core/quantity.js';

const Options = z.strictObject({
  states: z
    .array(
      z.strictObject({
        lasts: duration('Mean of the exponential time that the path stays in this state.'),
        weight: z
          .number()
          .gt(0)
          .default(1)
          .meta({ description: 'How often it is the next, beside the others (where there are more than two).' }),
        law: choice('delay', 'What packets wait in this state.'),
      }),
    )
    .min(2)
    .meta({ description: 'States of the path, each with `lasts` and its `law`.' }),
});

/**
 * Congestion that comes and goes: a Markov chain in continuous time, whose state decides by which law packets wait. The
 * chain runs on true time from streams of its own and starts in its stationary distribution, so every packet meets the
 * same weather, whoever sends it.
 */
@plugin({
  kind: 'delay',
  name: 'markov',
  summary: 'Congestion that comes and goes: the law changes with the state of a Markov chain',
  options: Options,
  example: {
    states: [
      { lasts: '60 s', law: 'normal' },
      { lasts: '10 s', law: { use: 'exponential', mean: '20 ms' } },
    ],
  },
})
export class MarkovDelay implements DelayLaw {
  private readonly states: readonly { readonly lasts: number; readonly weight: number; readonly law: DelayLaw }[];
  private readonly chain: RandomStream;
  private state: number;
  private until: number;

  constructor(
    @inject(PluginOptions) { states }: z.output<typeof Options>,
    @inject(Streams) streams: Streams,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    this.states = states.map((state, index) => ({ ...state, law: make('delay', state.law, `state-${index}`) }));
    this.chain = streams('chain');
    // The next state is drawn by weight among the others: visits go by w·(W − w), time by visits and dwell.
    const total = states.reduce((sum, { weight }) => sum + weight, 0);
    this.state = this.pick(states.map(({ weight, lasts }) => weight * (total - weight) * lasts));
    this.until = this.dwell();
  }

  draw(random: RandomStream, at: number): number {
    while (this.until <= at) {
      const here = this.state;
      this.state = this.pick(this.states.map(({ weight }, index) => (index === here ? 0 : weight)));
      this.until += this.dwell();
    }
    return this.states[this.state]!.law.draw(random, at);
  }

  private dwell(): number {
    return this.states[this.state]!.lasts * this.chain.exponential();
  }

  private pick(weights: readonly number[]): number {
    let rest = this.chain.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
    for (let i = 0; i < weights.length; i++) {
      if (rest < weights[i]!) return i;
      rest -= weights[i]!;
    }
    return weights.findLastIndex(weight => weight > 0);
  }
}
