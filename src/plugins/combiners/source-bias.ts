import { inject } from 'inversify';
import { z } from 'zod';
import type { Combination, Combiner, Measurement, Snapshot } from '../../core/contracts/index.js';
import { median } from '../../core/estimation/lines.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';
import { PluginFactory } from '../../core/plugin/tokens.js';
import { formatTime } from '../../core/quantity.js';

const Options = z.strictObject({
  combiner: choice('combiner', 'Combines what is left.').prefault('median'),
  window: z.number().min(2).default(32).meta({ description: 'Rounds that a bias is averaged over.' }),
  least: z.int().min(1).default(4).meta({ description: 'A bias is taken off after this many.' }),
});

interface Bias {
  n: number;
  mean: number;
  square: number;
}

const State = z.strictObject({
  biases: z.record(z.string(), z.strictObject({ n: z.int().min(0), mean: z.number(), square: z.number() })),
});
const VERSION = 1;

/**
 * Tracks how far each source is from the others, as asymmetric paths put it there for good, and takes it off before
 * another combiner sees the round. In a round with others (those that answered in earlier ones count, brought forward) the
 * difference of a source is θᵢ − median θ; its bias is their exponential average over about `window` rounds. What all have
 * in common nobody can see.
 *
 * So a pipeline that hears now one, now another source sees a switch of sources as what it is, and not as a step or drift
 * of its clock. State: a bias for each source that was ever heard.
 */
@plugin({
  kind: 'combiner',
  name: 'source-bias',
  summary: 'Takes each source’s bias against the others off, before another combiner',
  options: Options,
})
export class SourceBiasCombiner implements Combiner {
  private readonly inner: Combiner;
  private readonly biases = new Map<string, Bias>();

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    this.inner = make('combiner', options.combiner);
  }

  combine(round: readonly Measurement[], others: readonly Measurement[]): Combination {
    const before = [...round, ...others].map(measurement => this.unbiased(measurement));
    if (before.length > 1) this.learn([...round, ...others], round.length);
    const combination = this.inner.combine(
      round.map(measurement => this.unbiased(measurement)),
      before.slice(round.length),
    );
    const verdicts = combination.verdicts.map(verdict => {
      const bias = this.biasOf(verdict.source);
      return bias === 0
        ? verdict
        : { ...verdict, reason: `${verdict.reason}, bias ${formatTime(bias, true)} taken off` };
    });
    return { ...combination, verdicts };
  }

  /** The first `heard` of these are new. */
  private learn(measurements: readonly Measurement[], heard: number): void {
    const middle = median(measurements.map(({ offset }) => offset));
    for (const { source, offset } of measurements.slice(0, heard)) {
      const bias = this.biases.get(source) ?? { n: 0, mean: 0, square: 0 };
      this.biases.set(source, bias);
      bias.n += 1;
      const weight = Math.max(1 / bias.n, 1 / this.options.window);
      const difference = offset - middle - bias.mean;
      bias.mean += weight * difference;
      bias.square += weight * ((1 - weight) * difference ** 2 - bias.square);
    }
  }

  private biasOf(source: string): number {
    const bias = this.biases.get(source);
    return bias === undefined || bias.n < this.options.least ? 0 : bias.mean;
  }

  /** A bias is known to its scatter over the root of how many differences it is the mean of. */
  private unbiased(measurement: Measurement): Measurement {
    const bias = this.biasOf(measurement.source);
    if (bias === 0) return measurement;
    const { n, square } = this.biases.get(measurement.source)!;
    const variance = square / Math.min(n, this.options.window);
    return {
      ...measurement,
      offset: measurement.offset - bias,
      uncertainty: Math.sqrt(measurement.uncertainty ** 2 + variance),
      rootDistance: measurement.rootDistance + Math.abs(bias),
    };
  }

  snapshot(): Snapshot {
    return { version: VERSION, state: { biases: Object.fromEntries(this.biases) } };
  }

  restore(snapshot: Snapshot): void {
    for (const [source, bias] of Object.entries(stateIn(snapshot, VERSION, State).biases))
      this.biases.set(source, bias);
  }
}
