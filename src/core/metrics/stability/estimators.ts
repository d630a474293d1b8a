/**
 * The stability estimators, as NIST SP 1065 (W. J. Riley, "Handbook of Frequency Stability Analysis", 2008) defines
 * them in section 5.2, from time error (phase) x in seconds at N equally spaced instants, τ0 apart. All take τ = mτ0:
 *
 * - `adev`: Allan deviation from adjoining averages; `oadev`: the same from all, overlapping ones;
 * - `mdev`: modified Allan deviation, of x averaged over m samples; `tdev`: time deviation, τ·mdev/√3, in seconds;
 * - `hdev`, `ohdev`: Hadamard deviation, plain and overlapping, blind to a steady drift of frequency;
 * - `totdev`: total deviation, from x continued by odd reflection at both ends;
 * - `tie`: root mean square time interval error, in seconds;
 * - `mtie`: maximum time interval error, the largest range of x in any window of m + 1 samples, in seconds.
 *
 * The others are dimensionless.
 */
export const ESTIMATORS = ['adev', 'oadev', 'mdev', 'tdev', 'hdev', 'ohdev', 'totdev', 'tie', 'mtie'] as const;

export type Estimator = (typeof ESTIMATORS)[number];

/** The estimators whose square is an average of squares of a noise, so that a chi-squared interval holds it. */
export type VarianceEstimator = Exclude<Estimator, 'tie' | 'mtie'>;

/** Samples of phase that a term of an estimator spans at averaging factor m. `totdev` stops at half of the series. */
export function termSpan(estimator: Estimator, m: number): number {
  switch (estimator) {
    case 'adev':
    case 'oadev':
    case 'totdev':
      return 2 * m + 1;
    case 'mdev':
    case 'tdev':
      return 3 * m;
    case 'hdev':
    case 'ohdev':
      return 3 * m + 1;
    case 'tie':
    case 'mtie':
      return m + 1;
  }
}

/**
 * How many terms an estimator averages (`mtie`: takes the largest of) at averaging factor m, given N samples of phase;
 * 0 where the series is too short.
 */
export function termCount(estimator: Estimator, samples: number, m: number): number {
  const spare = samples - termSpan(estimator, m);
  if (spare < 0) return 0;
  if (estimator === 'totdev') return samples - 2;
  return Math.floor(spare / termStride(estimator, m)) + 1;
}

/** Samples from one term of an estimator to the next. */
export function termStride(estimator: Estimator, m: number): number {
  return estimator === 'adev' || estimator === 'hdev' ? m : 1;
}

/** The deviations of `phase` (seconds) at the averaging factors `ms`, which ascend and leave every one a term. */
export function deviations(
  estimator: Estimator,
  phase: Float64Array,
  tau0: number,
  ms: readonly number[],
): readonly number[] {
  if (estimator === 'mtie') return maximumTimeIntervalErrors(phase, ms);
  // A frequency offset has no part in the differences of second and third order, but would cost them digits.
  const x = estimator === 'tie' ? phase : levelled(phase);
  return ms.map(m => deviationOf(estimator, x, m * tau0, m));
}

/** One deviation of a phase (seconds) that no line needs to be taken from first. */
export function deviationOf(estimator: Exclude<Estimator, 'mtie'>, x: Float64Array, tau: number, m: number): number {
  switch (estimator) {
    case 'adev':
      return Math.sqrt(meanSquareOfSecond(x, m, m) / 2) / tau;
    case 'oadev':
      return Math.sqrt(meanSquareOfSecond(x, m, 1) / 2) / tau;
    case 'mdev':
      return Math.sqrt(meanSquareOfSmoothed(x, m) / 2) / tau;
    case 'tdev':
      return Math.sqrt(meanSquareOfSmoothed(x, m) / 6);
    case 'hdev':
      return Math.sqrt(meanSquareOfThird(x, m, m) / 6) / tau;
    case 'ohdev':
      return Math.sqrt(meanSquareOfThird(x, m, 1) / 6) / tau;
    case 'totdev':
      return Math.sqrt(meanSquareOfReflected(x, m) / 2) / tau;
    case 'tie':
      return Math.sqrt(meanSquareOfFirst(x, m));
  }
}

/** `phase` less the line through its ends. */
export function levelled(phase: Float64Array): Float64Array {
  const first = phase[0]!;
  const slope = (phase[phase.length - 1]! - first) / (phase.length - 1);
  const rest = new Float64Array(phase.length);
  for (let i = 0; i < phase.length; i++) rest[i] = phase[i]! - first - slope * i;
  return rest;
}

function meanSquareOfFirst(x: Float64Array, m: number): number {
  const count = x.length - m;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += (x[i + m]! - x[i]!) ** 2;
  return sum / count;
}

function meanSquareOfSecond(x: Float64Array, m: number, stride: number): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i + 2 * m < x.length; i += stride, count++) {
    sum += (x[i + 2 * m]! - 2 * x[i + m]! + x[i]!) ** 2;
  }
  return sum / count;
}

function meanSquareOfThird(x: Float64Array, m: number, stride: number): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i + 3 * m < x.length; i += stride, count++) {
    sum += (x[i + 3 * m]! - 3 * x[i + 2 * m]! + 3 * x[i + m]! - x[i]!) ** 2;
  }
  return sum / count;
}

/** Mean square of the second differences of the phase averaged over m samples: each is the one before, and one step. */
function meanSquareOfSmoothed(x: Float64Array, m: number): number {
  const count = x.length - 3 * m + 1;
  let window = 0;
  for (let i = 0; i < m; i++) window += x[i + 2 * m]! - 2 * x[i + m]! + x[i]!;
  let sum = window * window;
  for (let i = 0; i + 1 < count; i++) {
    window += x[i + 3 * m]! - 3 * x[i + 2 * m]! + 3 * x[i + m]! - x[i]!;
    sum += window * window;
  }
  return sum / (count * m * m);
}

function meanSquareOfReflected(x: Float64Array, m: number): number {
  const last = x.length - 1;
  let sum = 0;
  for (let i = 1; i < last; i++) {
    const before = i >= m ? x[i - m]! : 2 * x[0]! - x[m - i]!;
    const after = i + m <= last ? x[i + m]! : 2 * x[last]! - x[2 * last - i - m]!;
    sum += (before - 2 * x[i]! + after) ** 2;
  }
  return sum / (last - 1);
}

/**
 * MTIE by binary decomposition (S. Bregni and S. Maccabruni, "Fast computation of maximum time interval error by binary
 * decomposition", IEEE Trans. Instrum. Meas. 49 (2000)): the extremes of all windows of 2^k samples give those of twice
 * that width, and two overlapping ones those of any width between. O(N log N) in all, plus O(N) for each of `ms`.
 */
function maximumTimeIntervalErrors(x: Float64Array, ms: readonly number[]): readonly number[] {
  const high = x.slice();
  const low = x.slice();
  let width = 1;
  return ms.map(m => {
    while (2 * width <= m + 1) {
      for (let i = 0; i + 2 * width <= x.length; i++) {
        if (high[i + width]! > high[i]!) high[i] = high[i + width]!;
        if (low[i + width]! < low[i]!) low[i] = low[i + width]!;
      }
      width *= 2;
    }
    const shift = m + 1 - width;
    let largest = 0;
    for (let i = 0; i + m < x.length; i++) {
      const range = Math.max(high[i]!, high[i + shift]!) - Math.min(low[i]!, low[i + shift]!);
      if (range > largest) largest = range;
    }
    return largest;
  });
}
