/**
 * What the sources' phases together say of the clock's offset, when some of their paths may be asymmetric.
 *
 * Source s sees x_s = x + b_s. Biases are sparse: with probability 1 − `share` a path is symmetric
 * (b_s ~ N(0, `narrow_s`²)), else b_s ~ N(0, `wide_s`²). Every hypothesis "these are biased, the others are not" is a
 * generalised least-squares problem with V = P + diag(τ²):
 *
 *   x̂ = 1ᵀV⁻¹x / 1ᵀV⁻¹1,  var = 1/1ᵀV⁻¹1,  evidence ∝ √(var/|V|)·exp(−½(xᵀV⁻¹x − x̂²/var))
 *
 * and the result is their average by evidence. At least one source is taken to be symmetric in each hypothesis: an
 * asymmetry common to all paths cannot be seen, and belongs to the maximum error.
 */
export interface Consensus {
  readonly offset: number;
  readonly variance: number;
  /** Linear form: d(offset)/d(x_s), to carry covariances with other states through. */
  readonly weights: number[];
  /** Probability that each source is biased. */
  readonly biased: number[];
  /** The same belief as two normal laws: the likeliest hypothesis, and all others together (none with one source). */
  readonly laws: readonly WeighedLaw[];
}

export interface WeighedLaw {
  readonly weight: number;
  readonly offset: number;
  readonly variance: number;
}

export function consensus(
  phases: readonly number[],
  covariance: (i: number, j: number) => number,
  narrow: readonly number[],
  wide: readonly number[],
  share: readonly number[],
): Consensus {
  const n = phases.length;
  if (n === 1) return certain(phases[0]!, covariance(0, 0), [1]);
  const centre = phases[0]!;
  const sets = hypotheses(n);
  const { p, v, ones, d } = scratch(n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) p[i * n + j] = covariance(i, j);
  let total = 0;
  let top = Number.NEGATIVE_INFINITY;
  let first = 0;
  let second = 0;
  let within = 0;
  let best = { offset: 0, variance: 0 };
  const weights = new Array<number>(n).fill(0);
  const biased = new Array<number>(n).fill(0);
  for (const set of sets) {
    let log = 0;
    v.set(p);
    for (let i = 0; i < n; i++) {
      const apart = (set >> i) & 1;
      log += Math.log(apart ? share[i]! : 1 - share[i]!);
      const tau = apart ? wide[i]! : narrow[i]!;
      v[i * n + i]! += tau * tau;
      ones[i] = 1;
      d[i] = phases[i]! - centre;
    }
    const logDet = cholesky(v, n);
    if (!Number.isFinite(logDet)) continue;
    solveLower(v, ones, n);
    solveLower(v, d, n);
    let information = 0;
    let cross = 0;
    let square = 0;
    for (let i = 0; i < n; i++) {
      information += ones[i]! * ones[i]!;
      cross += ones[i]! * d[i]!;
      square += d[i]! * d[i]!;
    }
    const offset = cross / information;
    log -= 0.5 * (logDet + Math.log(information) + square - cross * offset);
    if (log < top - 25) continue;
    solveUpper(v, ones, n);
    if (log > top) {
      // Sums are kept relative to the best hypothesis so far.
      const fade = Math.exp(top - log);
      total *= fade;
      first *= fade;
      second *= fade;
      within *= fade;
      for (let i = 0; i < n; i++) {
        weights[i]! *= fade;
        biased[i]! *= fade;
      }
      top = log;
      best = { offset, variance: 1 / information };
    }
    const w = Math.exp(log - top);
    total += w;
    first += w * offset;
    second += w * offset * offset;
    within += w / information;
    for (let i = 0; i < n; i++) {
      weights[i]! += (w * ones[i]!) / information;
      if ((set >> i) & 1) biased[i]! += w;
    }
  }
  if (!(total > 0)) return surest(phases, covariance);
  const offset = first / total;
  for (let i = 0; i < n; i++) {
    weights[i]! /= total;
    biased[i]! /= total;
  }
  // What the hypotheses differ by is a difference of squares, and may round to less than nothing.
  const between = Math.max(0, second / total - offset * offset);
  const variance = within / total + between;
  return { offset: centre + offset, variance, weights, biased, laws: split(offset, variance, best, 1 / total, centre) };
}

/** The likeliest of the hypotheses, of weight `share`, and what the whole is without it. */
function split(
  offset: number,
  variance: number,
  best: { readonly offset: number; readonly variance: number },
  share: number,
  centre: number,
): WeighedLaw[] {
  const top = { weight: share, offset: centre + best.offset, variance: best.variance };
  const rest = 1 - share;
  if (rest < 1e-6) return [{ ...top, weight: 1 }];
  const mean = (offset - share * best.offset) / rest;
  const square = (variance + offset * offset - share * (best.variance + best.offset * best.offset)) / rest;
  const left = Math.max(square - mean * mean, best.variance);
  return [top, { weight: rest, offset: centre + mean, variance: left }];
}

function certain(offset: number, variance: number, weights: number[]): Consensus {
  return { offset, variance, weights, biased: weights.map(() => 0), laws: [{ weight: 1, offset, variance }] };
}

/** Where no covariance can be factored (rounding has eaten it): the source that is surest of itself. */
function surest(phases: readonly number[], covariance: (i: number, j: number) => number): Consensus {
  let best = 0;
  phases.forEach((_, i) => {
    if (covariance(i, i) < covariance(best, best)) best = i;
  });
  return certain(
    phases[best]!,
    covariance(best, best),
    phases.map((_, i) => (i === best ? 1 : 0)),
  );
}

interface Scratch {
  readonly p: Float64Array;
  readonly v: Float64Array;
  readonly ones: Float64Array;
  readonly d: Float64Array;
}

const SCRATCH = new Map<number, Scratch>();

function scratch(n: number): Scratch {
  let known = SCRATCH.get(n);
  if (!known) {
    known = {
      p: new Float64Array(n * n),
      v: new Float64Array(n * n),
      ones: new Float64Array(n),
      d: new Float64Array(n),
    };
    SCRATCH.set(n, known);
  }
  return known;
}

const SETS = new Map<number, readonly number[]>();

/** Sets of biased sources that are considered: all but "everyone" for up to four, at most two of more. */
function hypotheses(n: number): readonly number[] {
  const known = SETS.get(n);
  if (known) return known;
  const most = n <= 4 ? n - 1 : 2;
  const sets: number[] = [];
  for (let set = 0; set < 1 << n; set++) if (bits(set) <= most) sets.push(set);
  SETS.set(n, sets);
  return sets;
}

function bits(set: number): number {
  let count = 0;
  for (let rest = set; rest; rest &= rest - 1) count++;
  return count;
}

/** In-place Cholesky factor (lower triangle); returns log det, NaN if not positive definite. */
function cholesky(m: Float64Array, n: number): number {
  let log = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = m[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= m[i * n + k]! * m[j * n + k]!;
      if (i === j) {
        if (!(sum > 0)) return Number.NaN;
        m[i * n + i] = Math.sqrt(sum);
        log += Math.log(sum);
      } else m[i * n + j] = sum / m[j * n + j]!;
    }
  }
  return log;
}

function solveLower(l: Float64Array, b: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    let sum = b[i]!;
    for (let k = 0; k < i; k++) sum -= l[i * n + k]! * b[k]!;
    b[i] = sum / l[i * n + i]!;
  }
}

function solveUpper(l: Float64Array, b: Float64Array, n: number): void {
  for (let i = n - 1; i >= 0; i--) {
    let sum = b[i]!;
    for (let k = i + 1; k < n; k++) sum -= l[k * n + i]! * b[k]!;
    b[i] = sum / l[i * n + i]!;
  }
}
