import { inject } from 'inversify';
import { z } from 'zod';
import {
  type Axis,
  type Corrector,
  type Declined,
  type Estimate,
  type History,
  type Measurement,
  type Snapshot,
  timeOn,
} from '../../core/contracts/index.js';
import { type Agreement, EnsembleEstimator, IDEAS } from '../../core/estimation/ensemble-estimator.js';
import { correctness } from '../../core/estimation/error-bound.js';
import type { ClockEstimate, Observation } from '../../core/estimation/observation.js';
import { intersect } from '../../core/estimation/selection.js';
import { DriftMemory } from '../../core/pipeline/drift-memory.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Report } from '../../core/plugin/tokens.js';

const Options = z.strictObject({
  without: z
    .array(z.enum(IDEAS))
    .default([])
    .meta({ description: 'Ideas to leave out, for the table of what each is worth.' }),
});

const VERSION = 2;
/** A drift that is known no better than this is not worth remembering, s/s. */
const KNOWN_DRIFT = 1e-5;
/** So often a drift must have crossed its mean before it is expected back there: a random walk does it a few times. */
const HABIT = 6;
/** Stamps are randomised below their precision, s. */
const STAMPS = 2.5e-7;

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
  private readonly memory = new DriftMemory(HABIT);
  private majority = true;

  constructor(
    @inject(PluginOptions) { without }: z.output<typeof Options>,
    @inject(Report) private readonly report: Report,
  ) {
    this.estimator = new EnsembleEstimator({ without });
  }

  correct(_prior: Estimate | undefined, measurement: Measurement, history: History): Estimate | Declined {
    const { axis, estimate } = history;
    const { at } = measurement;
    const told = this.estimator.observe(observationOf(measurement, axis));
    const agreement = estimate === undefined ? this.agreementAtFirst(history) : this.estimator.agreement;
    const { majority, agreeing, heard } = agreement;
    if (majority !== this.majority) {
      this.majority = majority;
      this.report(
        majority ? `a majority again: ${agreeing} of ${heard}` : `no majority: ${agreeing} of ${heard} agree`,
      );
    }
    if (!majority) return { declined: `no majority: ${agreeing} of ${heard} agree` };
    if (estimate !== undefined) this.remember(told, told.at - timeOn(axis, estimate.at));
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
      settling: this.memory.settling ?? { drift: told.meanDrift, relaxation: told.relaxation, variance: 0 },
      quantiles: { at68: told.scale68, at95: told.scale95 },
    };
  }

  /** A first round is taken source by source, but whether it has a majority is seen from all of it. */
  private agreementAtFirst({ axis, observed }: History): Agreement {
    const latest = new Map<string, Measurement>();
    for (const measurement of observed.last(observed.length)) latest.set(measurement.source, measurement);
    if (latest.size <= this.estimator.agreement.heard) return this.estimator.agreement;
    const intervals = [...latest.values()].map(each => correctness(observationOf(each, axis), STAMPS));
    const { majority, agreeing } = intersect(intervals);
    return { majority, agreeing, heard: latest.size };
  }

  /** Where the drift has been, once that is known better than how far it went. */
  private remember({ drift, p11 }: ClockEstimate, seconds: number): void {
    if (p11 < KNOWN_DRIFT ** 2) this.memory.add(drift, seconds);
  }

  leap(by: number): void {
    this.estimator.leap(by);
  }

  snapshot(): Snapshot {
    return { version: VERSION, state: { estimator: this.estimator.snapshot(), memory: this.memory.snapshot() } };
  }

  restore({ version, state }: Snapshot): void {
    if (version !== VERSION) throw new Error(`expected a snapshot of version ${VERSION}, found ${version}`);
    const saved = state as { estimator: unknown; memory: ReturnType<DriftMemory['snapshot']> };
    this.estimator.restore(saved.estimator);
    this.memory.restore(saved.memory);
  }
}

function observationOf({ source, at, offset, delay, exchange }: Measurement, axis: Axis): Observation {
  const { rootDelay, rootDispersion, precision, stratum } = exchange;
  return { source, at: timeOn(axis, at), offset, delay, rootDelay, rootDispersion, precision, stratum };
}
