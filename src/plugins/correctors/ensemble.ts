import { inject } from 'inversify';
import { z } from 'zod';
import {
  type Corrector,
  type Doubt,
  type Estimate,
  type History,
  type Measurement,
  type Passage,
  type Snapshot,
  timeOn,
} from '../../core/contracts/index.js';
import { EnsembleEstimator, IDEAS } from '../../core/estimation/ensemble-estimator.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({
  without: z
    .array(z.enum(IDEAS))
    .default([])
    .meta({ description: 'Ideas to leave out, for the table of what each is worth.' }),
});

const VERSION = 1;

/**
 * The default estimator. It takes every source's measurements itself (no filter or combiner before it): how much of a
 * delay was queueing says how far the offset can be wrong (a likelihood that is flat inside and steep outside); a bank of
 * clocks, from very good to very bad oscillators, is weighted by how well each predicts; what no member can explain is a
 * step; falsetickers are left out by intersection; and the sources' constant biases are weighed against each other.
 * The parts and their equations stand in src/core/estimation; docs/estimator.md tells what each is worth.
 */
@plugin({
  kind: 'corrector',
  name: 'ensemble',
  summary: 'The default estimator: a bank of clocks over all sources, noise read from delays',
  options: Options,
})
export class EnsembleCorrector implements Corrector {
  private readonly estimator: EnsembleEstimator;

  constructor(@inject(PluginOptions) { without }: z.output<typeof Options>) {
    this.estimator = new EnsembleEstimator({ without });
  }

  correct(_prior: Estimate | undefined, measurement: Measurement, { axis }: History): Estimate {
    const { source, at, offset, delay, exchange } = measurement;
    const { rootDelay, rootDispersion, precision, stratum } = exchange;
    const local = timeOn(axis, at);
    const told = this.estimator.observe({
      source,
      at: local,
      offset,
      delay,
      rootDelay,
      rootDispersion,
      precision,
      stratum,
    });
    return {
      at,
      axis,
      offset: told.offset,
      drift: told.drift,
      p00: told.p00,
      p01: told.p01,
      p11: told.p11,
      whiteFm: told.whiteFm,
      randomWalkFm: told.randomWalkFm,
      maxError: told.maxError,
      maxErrorRate: told.maxErrorRate,
      by: 'ensemble',
      settling: { drift: told.meanDrift, relaxation: told.relaxation, variance: 0 },
      quantiles: { at68: told.scale68, at95: told.scale95 },
    };
  }

  leap(by: number, deviation = 0): void {
    this.estimator.shift(by, deviation);
  }

  doubts(): readonly Doubt[] {
    return this.estimator
      .falsetickers()
      .map(source => ({ source, reason: 'falseticker: outside what the majority agrees on' }));
  }

  snapshot(): Snapshot {
    return { version: VERSION, state: this.estimator.snapshot() };
  }

  restore({ version, state }: Snapshot, { continues, elapsed }: Passage): void {
    if (version !== VERSION) throw new Error(`expected a snapshot of version ${VERSION}, found ${version}`);
    this.estimator.restore(state, continues ? undefined : { elapsed });
  }
}
