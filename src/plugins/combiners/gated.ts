import { inject } from 'inversify';
import { z } from 'zod';
import type { Combination, Combiner, Measurement, Verdict } from '../../core/contracts/index.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory } from '../../core/plugin/tokens.js';
import { duration, formatTime } from '../../core/quantity.js';

const Options = z.strictObject({
  combiner: choice('combiner', 'Combines what passes.').prefault('median'),
  maxDelay: duration('Longest round trip.').prefault('100 ms'),
  maxUncertainty: duration('Largest standard deviation.').prefault('50 ms'),
  maxDistance: duration('Largest root distance.').prefault('200 ms'),
  least: z.int().min(1).default(1).meta({ description: 'Where fewer pass, the limits are relaxed.' }),
  relax: z.number().min(1).default(2).meta({ description: 'By this factor.' }),
});

/**
 * Strict gates, then relaxed ones: a measurement passes by its round trip, its deviation and its root distance; where
 * fewer than `least` of a round do, all limits are `relax` times as wide for that round. What passes is combined by
 * another combiner.
 */
@plugin({
  kind: 'combiner',
  name: 'gated',
  summary: 'Strict gates, then relaxed ones, before another combiner',
  options: Options,
})
export class GatedCombiner implements Combiner {
  private readonly inner: Combiner;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    this.inner = make('combiner', options.combiner);
  }

  combine(round: readonly Measurement[], others: readonly Measurement[]): Combination {
    const { least, relax } = this.options;
    const strict = round.filter(measurement => this.obstacle(measurement, 1) === undefined);
    const factor = strict.length >= least ? 1 : relax;
    const passed =
      factor === 1 ? strict : round.filter(measurement => this.obstacle(measurement, factor) === undefined);
    const stopped = round.flatMap((measurement): Verdict[] => {
      const obstacle = this.obstacle(measurement, factor);
      return obstacle === undefined ? [] : [{ source: measurement.source, used: false, reason: obstacle }];
    });
    if (passed.length === 0) return { measurements: [], verdicts: stopped };
    const beside = others.filter(measurement => this.obstacle(measurement, factor) === undefined);
    const combination = this.inner.combine(passed, beside);
    return { ...combination, verdicts: [...combination.verdicts, ...stopped] };
  }

  /** Why a measurement does not pass limits this many times as wide; undefined if it does. */
  private obstacle({ delay, uncertainty, rootDistance }: Measurement, factor: number): string | undefined {
    const { maxDelay, maxUncertainty, maxDistance } = this.options;
    const gates = [
      ['delay', delay, maxDelay],
      ['uncertainty', uncertainty, maxUncertainty],
      ['root distance', rootDistance, maxDistance],
    ] as const;
    for (const [name, found, limit] of gates) {
      if (!(found <= limit * factor)) {
        return `${name} ${formatTime(found)}, ${factor === 1 ? 'strict' : 'relaxed'} limit ${formatTime(limit * factor)}`;
      }
    }
    return undefined;
  }
}
