import type { RandomStream } from '../contracts/index.js';
import { fft } from '../world/fft.js';

/** Fewer independent stretches than this say nothing of a spread. */
export const LEAST_BLOCKS = 10;
const RESAMPLES = 2000;

/**
 * Autocorrelation ρ(k) = Σ (xᵢ − x̄)(xᵢ₊ₖ − x̄)/Σ (xᵢ − x̄)² for all lags k under n, by the Fourier transform. A series that
 * does not vary has ρ(0) = 1 and no other.
 */
export function autocorrelation(values: ArrayLike<number>): Float64Array {
  const n = values.length;
  let mean = 0;
  for (let i = 0; i < n; i++) mean += values[i]! / n;
  const size = 2 ** Math.ceil(Math.log2(Math.max(2, 2 * n)));
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  for (let i = 0; i < n; i++) re[i] = values[i]! - mean;
  fft(re, im);
  for (let i = 0; i < size; i++) {
    re[i] = re[i]! ** 2 + im[i]! ** 2;
    im[i] = 0;
  }
  fft(re, im, true);
  const variance = re[0]!;
  const rho = new Float64Array(n);
  rho[0] = 1;
  if (variance > 0) for (let k = 1; k < n; k++) rho[k] = re[k]! / variance;
  return rho;
}

/**
 * Mean block length of the stationary bootstrap, from the autocorrelation: the length that is best for the AR(1) process
 * of the same integrated autocorrelation time τ = 1 + 2Σρ(k), b = ((τ² − 1)/2τ)^⅔·n^⅓ (Politis and White 2004; there
 * ρ = (τ − 1)/(τ + 1)). The sum ends where a pair ρ(2k) + ρ(2k + 1) is no longer positive (Geyer's initial positive
 * sequence, 1992), so that a regular swing, which cancels out, makes no long blocks. At least 1, at most n.
 */
export function blockLength(values: ArrayLike<number>): number {
  const n = values.length;
  if (n < 4) return n;
  const rho = autocorrelation(values);
  let tau = -1;
  for (let k = 0; k + 1 < n; k += 2) {
    const pair = rho[k]! + rho[k + 1]!;
    if (pair <= 0) break;
    tau += 2 * pair;
  }
  if (tau <= 1) return 1;
  return Math.min(n, Math.max(1, ((tau ** 2 - 1) / (2 * tau)) ** (2 / 3) * n ** (1 / 3)));
}

/** Two series at the same instants: what is compared is a statistic of both. One such pair for each seed. */
export interface Pair {
  readonly a: ArrayLike<number>;
  readonly b: ArrayLike<number>;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
  readonly level: number;
}

export interface PairedInterval {
  /** Of mean(a) − mean(b). */
  readonly difference: Interval;
  /** Of 100·(1 − mean(a)/mean(b)). */
  readonly improvement: Interval;
  /** Mean length of a block in samples, and how many of them the series have. */
  readonly block: number;
  readonly blocks: number;
}

/**
 * Intervals for the difference and the ratio of two means by the paired stationary block bootstrap (Politis and Romano
 * 1994): blocks of geometric length, at random places, wrapped at the end, the same for both series. The block length is
 * that of the differences. Of 10 pairs (seeds) or more, whole pairs are drawn as well; each pair by itself otherwise.
 *
 * Undefined where there are fewer than 10 blocks in all: then the data do not say how far the difference may be off.
 */
export function pairedBootstrap(
  pairs: readonly Pair[],
  level: number,
  random: RandomStream,
): PairedInterval | undefined {
  const resampled = pairs.filter(({ a }) => a.length > 0).map(pair => new Resampled(pair));
  const blocks = resampled.reduce((sum, { n, block }) => sum + n / block, 0);
  const samples = resampled.reduce((sum, { n }) => sum + n, 0);
  const bySeed = resampled.length >= LEAST_BLOCKS;
  if (!bySeed && Math.floor(blocks) < LEAST_BLOCKS) return undefined;
  const differences = new Float64Array(RESAMPLES);
  const improvements = new Float64Array(RESAMPLES);
  for (let i = 0; i < RESAMPLES; i++) {
    let a = 0;
    let b = 0;
    let n = 0;
    for (const own of resampled) {
      const drawn = bySeed ? resampled[Math.floor(random.uniform() * resampled.length)]! : own;
      const sums = drawn.draw(random);
      a += sums.a;
      b += sums.b;
      n += drawn.n;
    }
    differences[i] = (a - b) / n;
    improvements[i] = b === 0 ? 0 : 100 * (1 - a / b);
  }
  return {
    difference: intervalOf(differences, level),
    improvement: intervalOf(improvements, level),
    block: samples / Math.max(blocks, 1),
    blocks: Math.floor(blocks),
  };
}

/**
 * The same for two statistics that share nothing, as of runs on different machines: the blocks of a and b are drawn
 * apart, each with a length of its own. Undefined where either has fewer than 10 blocks.
 */
export function independentBootstrap(
  a: readonly ArrayLike<number>[],
  b: readonly ArrayLike<number>[],
  level: number,
  random: RandomStream,
): PairedInterval | undefined {
  const zero = (values: ArrayLike<number>): Pair => ({ a: values, b: new Float64Array(values.length) });
  const [ofA, ofB] = [a, b].map(series => series.filter(({ length }) => length > 0).map(v => new Resampled(zero(v))));
  const blocksOf = (all: readonly Resampled[]): number => all.reduce((sum, { n, block }) => sum + n / block, 0);
  const blocks = Math.floor(Math.min(blocksOf(ofA!), blocksOf(ofB!)));
  if (blocks < LEAST_BLOCKS) return undefined;
  const meanOf = (all: readonly Resampled[]): number => {
    const n = all.reduce((sum, one) => sum + one.n, 0);
    return all.reduce((sum, one) => sum + one.draw(random).a, 0) / n;
  };
  const differences = new Float64Array(RESAMPLES);
  const improvements = new Float64Array(RESAMPLES);
  for (let i = 0; i < RESAMPLES; i++) {
    const [meanA, meanB] = [meanOf(ofA!), meanOf(ofB!)];
    differences[i] = meanA - meanB;
    improvements[i] = meanB === 0 ? 0 : 100 * (1 - meanA / meanB);
  }
  return {
    difference: intervalOf(differences, level),
    improvement: intervalOf(improvements, level),
    block: Math.max(...[...ofA!, ...ofB!].map(({ block }) => block)),
    blocks,
  };
}

/** One pair, with running sums so that a block costs nothing to add up. */
class Resampled {
  readonly n: number;
  readonly block: number;
  private readonly sumA: Float64Array;
  private readonly sumB: Float64Array;

  constructor({ a, b }: Pair) {
    this.n = a.length;
    const difference = new Float64Array(this.n);
    this.sumA = new Float64Array(this.n + 1);
    this.sumB = new Float64Array(this.n + 1);
    for (let i = 0; i < this.n; i++) {
      difference[i] = a[i]! - b[i]!;
      this.sumA[i + 1] = this.sumA[i]! + a[i]!;
      this.sumB[i + 1] = this.sumB[i]! + b[i]!;
    }
    this.block = blockLength(difference);
  }

  /** Sums over one resample of the same length. */
  draw(random: RandomStream): { readonly a: number; readonly b: number } {
    const { n, block, sumA, sumB } = this;
    let a = 0;
    let b = 0;
    const log = Math.log(1 - 1 / block);
    for (let left = n; left > 0; ) {
      const wanted = block <= 1 ? 1 : 1 + Math.floor(Math.log(1 - random.uniform()) / log);
      const length = Math.min(left, wanted);
      const start = Math.floor(random.uniform() * n);
      const end = start + length;
      const wrapped = Math.max(0, end - n);
      a += sumA[Math.min(end, n)]! - sumA[start]! + sumA[wrapped]!;
      b += sumB[Math.min(end, n)]! - sumB[start]! + sumB[wrapped]!;
      left -= length;
    }
    return { a, b };
  }
}

function intervalOf(values: Float64Array, level: number): Interval {
  const sorted = values.slice().sort();
  const at = (p: number): number => {
    const position = p * (sorted.length - 1);
    const below = Math.floor(position);
    const above = Math.min(sorted.length - 1, below + 1);
    return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!);
  };
  return { low: at((1 - level) / 2), high: at((1 + level) / 2), level };
}
