import { POWER_LAWS, type PowerLaw } from '../../world/power-law.js';
import { deviations, ESTIMATORS, type Estimator, termCount, termSpan } from './estimators.js';
import { noiseIdentifier } from './identify.js';
import { confidenceInterval, equivalentDegreesOfFreedom, totalVarianceBias } from './interval.js';

/** The probability that a normal variable is within one standard deviation: the customary "68 %" interval. */
export const ONE_SIGMA = 0.6826894921370859;

/** One point of a stability plot. */
export interface StabilityRow {
  readonly estimator: Estimator;
  /** averaging factor: τ in samples */
  readonly m: number;
  /** averaging time in seconds */
  readonly tau: number;
  /** dimensionless; `tdev`, `tie` and `mtie` in seconds */
  readonly deviation: number;
  /** terms that the estimate averages (`mtie`: is the largest of) */
  readonly n: number;
  /**
   * The noise at this τ: exponent of S_y(f), +2 white PM to −2 random walk FM. Undefined, and with it all that follows,
   * for `tie` and `mtie`, and where there is too little to tell.
   */
  readonly alpha: PowerLaw | undefined;
  /** equivalent degrees of freedom of the deviation's square */
  readonly edf: number | undefined;
  /** lower end of the confidence interval, in the unit of `deviation` */
  readonly low: number | undefined;
  /** upper end of the confidence interval, in the unit of `deviation` */
  readonly high: number | undefined;
}

/**
 * Which averaging factors: 1, 2, 4, 8 … (`octave`), 1, 2, 5, 10 … (`decade`), 1, 2, 3, 4 … (`all`, whose cost grows
 * with the square of the length), each as far as the estimator has a term; or the ones listed.
 */
export type Spacing = 'octave' | 'decade' | 'all' | readonly number[];

export interface StabilityOptions {
  /** default: all */
  readonly estimators?: readonly Estimator[];
  /** default: octave */
  readonly factors?: Spacing;
  /** probability of the confidence interval, within (0, 1); default 0.683 (one sigma) */
  readonly level?: number;
  /** the noise, where it is known and need not be identified */
  readonly alpha?: PowerLaw;
}

/**
 * Stability of a clock from its time error at equally spaced instants. What each estimator is stands at `ESTIMATORS`,
 * how the noise is told at `noiseIdentifier`, how the interval is made at `equivalentDegreesOfFreedom` and
 * `confidenceInterval`. The deviation of `totdev` is as defined; its interval is that of the estimate freed from its
 * bias (low on flicker and random walk FM, high on phase noises), and on phase noises holds more than it says once τ is
 * an eighth of the series.
 *
 * @param phase time error in seconds, finite, tau0 apart (for frequency see `phaseFromFrequency`)
 * @param tau0 seconds between samples
 * @returns rows by estimator, in the order asked for, and by ascending m
 * @throws RangeError naming the place, for values that are not finite, a factor that is no integer from 1 or leaves an
 * estimator no term, or an option out of range
 */
export function stability(
  phase: Float64Array,
  tau0: number,
  { estimators = ESTIMATORS, factors = 'octave', level = ONE_SIGMA, alpha }: StabilityOptions = {},
): readonly StabilityRow[] {
  checkSeries('stability.phase', 'seconds', phase);
  if (!(tau0 > 0 && tau0 < Infinity)) {
    throw new RangeError(`stability.tau0: expected a positive number of seconds, found ${tau0}`);
  }
  if (!(level > 0 && level < 1)) {
    throw new RangeError(`stability.level: expected a probability within (0, 1), found ${level}`);
  }
  if (alpha !== undefined && !POWER_LAWS.includes(alpha)) {
    throw new RangeError(`stability.alpha: expected one of ${POWER_LAWS.join(', ')}, found ${alpha}`);
  }
  const noiseAt = alpha === undefined ? noiseIdentifier(phase) : () => alpha;
  return estimators.flatMap(estimator => {
    const ms = factorsFor(estimator, phase.length, factors);
    const values = deviations(estimator, phase, tau0, ms);
    return ms.map((m, i) => {
      const deviation = values[i]!;
      const row = { estimator, m, tau: m * tau0, deviation, n: termCount(estimator, phase.length, m) };
      const none = { ...row, alpha: undefined, edf: undefined, low: undefined, high: undefined };
      if (estimator === 'tie' || estimator === 'mtie' || deviation === 0) return none;
      const noise = noiseAt(m);
      if (noise === undefined) return none;
      const edf = equivalentDegreesOfFreedom(estimator, noise, phase.length, m);
      const bias = estimator === 'totdev' ? totalVarianceBias(noise, phase.length, m) : 0;
      return { ...row, alpha: noise, edf, ...confidenceInterval(deviation / Math.sqrt(1 + bias), edf, level) };
    });
  });
}

/**
 * One stability value: `stability` with one estimator and one averaging factor.
 *
 * @param phase time error in seconds, finite, tau0 apart
 */
export function stabilityAt(
  estimator: Estimator,
  phase: Float64Array,
  tau0: number,
  m: number,
  options: Pick<StabilityOptions, 'level' | 'alpha'> = {},
): StabilityRow {
  return stability(phase, tau0, { ...options, estimators: [estimator], factors: [m] })[0]!;
}

/**
 * Time error from fractional frequency: its running sum times tau0, from 0, so one value longer.
 *
 * @param frequency mean fractional frequency of adjoining intervals of tau0, finite
 * @param tau0 seconds
 * @returns seconds
 */
export function phaseFromFrequency(frequency: Float64Array, tau0: number): Float64Array {
  checkSeries('phaseFromFrequency.frequency', 'fractional frequency', frequency);
  if (!(tau0 > 0 && tau0 < Infinity)) {
    throw new RangeError(`phaseFromFrequency.tau0: expected a positive number of seconds, found ${tau0}`);
  }
  const phase = new Float64Array(frequency.length + 1);
  let sum = 0;
  for (let i = 0; i < frequency.length; i++) {
    sum += frequency[i]!;
    phase[i + 1] = sum * tau0;
  }
  return phase;
}

/**
 * The power-law noise that dominates a clock's time error at τ = mτ0, by the methods that `noiseIdentifier` names;
 * undefined where there is too little to tell.
 *
 * @param phase time error in seconds, finite, equally spaced
 * @param m averaging factor, from 1
 * @throws RangeError for values that are not finite, or an m that is no integer from 1
 */
export function identifyNoise(phase: Float64Array, m = 1): PowerLaw | undefined {
  checkSeries('identifyNoise.phase', 'seconds', phase);
  if (!Number.isInteger(m) || m < 1) throw new RangeError(`identifyNoise.m: expected an integer from 1, found ${m}`);
  return noiseIdentifier(phase)(m);
}

function checkSeries(place: string, unit: string, series: Float64Array): void {
  const bad = series.findIndex(value => !Number.isFinite(value));
  if (bad >= 0) throw new RangeError(`${place}[${bad}]: expected a finite value in ${unit}, found ${series[bad]}`);
}

function factorsFor(estimator: Estimator, samples: number, factors: Spacing): readonly number[] {
  const check = (m: number, place: string): void => {
    const needed = termSpan(estimator, m);
    if (samples < needed) {
      throw new RangeError(
        `${place}: expected at least ${needed} samples of phase for ${estimator} at m = ${m}, found ${samples}`,
      );
    }
  };
  if (typeof factors !== 'string') {
    factors.forEach((m, i) => {
      const place = `stability.factors[${i}]`;
      if (!Number.isInteger(m) || m < 1) throw new RangeError(`${place}: expected an integer from 1, found ${m}`);
      check(m, place);
    });
    return [...new Set(factors)].sort((a, b) => a - b);
  }
  check(1, 'stability.phase');
  const ms: number[] = [];
  for (let i = 0; ; i++) {
    const m = factorAt(factors, i);
    if (samples < termSpan(estimator, m)) return ms;
    ms.push(m);
  }
}

function factorAt(spacing: 'octave' | 'decade' | 'all', i: number): number {
  if (spacing === 'octave') return 2 ** i;
  return spacing === 'all' ? i + 1 : [1, 2, 5][i % 3]! * 10 ** Math.floor(i / 3);
}
