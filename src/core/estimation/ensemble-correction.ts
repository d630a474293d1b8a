import {
  type Axis,
  type Corrector,
  type Declined,
  type Doubt,
  type Estimate,
  type History,
  type Measurement,
  type Passage,
  type Snapshot,
  timeOn,
} from '../contracts/index.js';
import { DriftMemory } from '../pipeline/drift-memory.js';
import { type Agreement, EnsembleEstimator, type Idea } from './ensemble-estimator.js';
import { correctness } from './error-bound.js';
import type { ClockEstimate, Observation } from './observation.js';
import { intersect } from './selection.js';

const VERSION = 3;
/** A drift that is known no better than this is not worth remembering, s/s. */
const KNOWN_DRIFT = 1e-5;
/** So often a drift must have crossed its mean before it is expected back there: a random walk does it a few times. */
const HABIT = 6;
/** Stamps are randomised below their precision, s. */
const STAMPS = 2.5e-7;

/**
 * The default estimator as a corrector: the plugin `ensemble` is this and its options, and the learned predictor stands
 * on it. A measurement without a majority behind it is declined; where the drift has come and gone, its mean is where it
 * is expected.
 */
export class EnsembleCorrection implements Corrector {
  private readonly estimator: EnsembleEstimator;
  private readonly memory = new DriftMemory(HABIT);
  private majority = true;

  constructor(
    without: readonly Idea[],
    private readonly report: (what: string) => void,
    /** Added to the maximum error: a step of the local clock that no exchange has shown yet, s. */
    private readonly unseenStep = 0,
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
      maxError: told.maxError + this.unseenStep,
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

  leap(by: number, deviation = 0): void {
    this.estimator.leap(by, deviation);
  }

  doubts(): readonly Doubt[] {
    return this.estimator
      .falsetickers()
      .map(source => ({ source, reason: 'falseticker: outside what the majority agrees on' }));
  }

  snapshot(): Snapshot {
    return { version: VERSION, state: { estimator: this.estimator.snapshot(), memory: this.memory.snapshot() } };
  }

  restore({ version, state }: Snapshot, { continues, elapsed }: Passage): void {
    if (version !== VERSION) throw new Error(`expected a snapshot of version ${VERSION}, found ${version}`);
    const saved = state as { estimator: unknown; memory: ReturnType<DriftMemory['snapshot']> };
    this.estimator.restore(saved.estimator, continues ? undefined : { elapsed });
    this.memory.restore(saved.memory);
  }
}

function observationOf({ source, at, offset, delay, exchange }: Measurement, axis: Axis): Observation {
  const { rootDelay, rootDispersion, precision, stratum } = exchange;
  return { source, at: timeOn(axis, at), offset, delay, rootDelay, rootDispersion, precision, stratum };
}
