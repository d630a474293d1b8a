export { ESTIMATORS, type Estimator, type VarianceEstimator } from './estimators.js';
export { theoreticalDeviation } from './fractional-noise.js';
export { confidenceInterval, equivalentDegreesOfFreedom } from './interval.js';
export {
  identifyNoise,
  ONE_SIGMA,
  phaseFromFrequency,
  type Spacing,
  type StabilityOptions,
  type StabilityRow,
  stability,
  stabilityAt,
} from './stability.js';
