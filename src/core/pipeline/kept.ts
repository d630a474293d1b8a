import type { Axis, Estimate, Measurement, Passage } from '../contracts/index.js';
import { maxErrorRate } from './estimates.js';

/** What a pipeline itself needs to go on after its process has ended; its plugins keep what is theirs. */
export interface PipelineState {
  readonly axis: Axis;
  readonly posterior: Estimate | undefined;
  readonly inForce: Estimate | undefined;
  /** The last of the history, the oldest first. */
  readonly measurements: readonly Measurement[];
  readonly observed: readonly Measurement[];
  readonly latest: readonly Measurement[];
}

/**
 * A crystal that was cold, and a kernel that may scale its counter otherwise from one boot to the next: how differently
 * a clock may drift after a reboot, s/s.
 */
const REBOOT_DRIFT = 5e-6;
/** A prior offset that is known this many times worse than the first measurement's has no say in it. */
const UNKNOWN = 100;

/** A drift that has outlived its counter. */
export interface RememberedDrift {
  readonly drift: number;
  readonly p11: number;
  readonly whiteFm: number;
  readonly randomWalkFm: number;
}

/** What an estimate's drift is worth after a reboot, `elapsed` seconds later. */
export function rememberedDrift(estimate: Estimate | undefined, { elapsed }: Passage): RememberedDrift | undefined {
  if (estimate === undefined) return undefined;
  const { drift, p11, whiteFm, randomWalkFm } = estimate;
  return { drift, p11: p11 + randomWalkFm * elapsed + REBOOT_DRIFT ** 2, whiteFm, randomWalkFm };
}

/** The prior at a first measurement: its own offset, as good as unknown, and the drift that is remembered. */
export function priorFrom(
  { drift, p11, whiteFm, randomWalkFm }: RememberedDrift,
  axis: Axis,
  first: Measurement,
): Estimate {
  return {
    at: first.at,
    axis,
    offset: first.offset,
    drift,
    p00: (UNKNOWN * first.uncertainty) ** 2,
    p01: 0,
    p11,
    whiteFm,
    randomWalkFm,
    maxError: first.rootDistance,
    maxErrorRate: maxErrorRate(p11),
    by: 'remembered',
  };
}
