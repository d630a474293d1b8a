import { type Axis, type Estimate, type Measurement, timeOn } from '../contracts/index.js';
import type { EnsembleEstimator } from './ensemble-estimator.js';

/** Shows a measurement to the estimator; the posterior at its instant. */
export function observeMeasurement(estimator: EnsembleEstimator, measurement: Measurement, axis: Axis): Estimate {
  const { source, at, offset, delay, exchange } = measurement;
  const { rootDelay, rootDispersion, precision, stratum } = exchange;
  const local = timeOn(axis, at);
  const told = estimator.observe({ source, at: local, offset, delay, rootDelay, rootDispersion, precision, stratum });
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
