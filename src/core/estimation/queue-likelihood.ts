import { normalDensity, normalTailFrom } from './normal.js';

/** Edges of the pieces, as distances from the nearer end of the interval, in half-widths. */
const DEPTHS = [0, 1 / 64, 1 / 16, 1 / 4, 1] as const;
const PIECES = 2 * (DEPTHS.length - 1);
/** Scales of the queueing laws that are mixed, relative to the path's own scale. */
export const QUEUE_SCALES = [1, 5, 25] as const;
const LAWS = QUEUE_SCALES.length;
/** Prior weights of (way there, way back): mostly quiet, else one direction or both at once. */
const PRIOR = [0.84, 0.035, 0.01, 0.035, 0.02, 0.005, 0.01, 0.005, 0.04] as const;

/** Moments of a scalar after a measurement, with the evidence for what was predicted. */
export interface ScalarUpdate {
  mean: number;
  variance: number;
  logEvidence: number;
}

/**
 * Joint law of the two queueing delays (u there, d back) of one path: a mixture over pairs of exponentials
 *
 *   f(u, d) = Σ_kl w_kl · exp(−u/s_k)/s_k · exp(−d/s_l)/s_l,  s_k = QUEUE_SCALES_k · scale
 *
 * Joint, because congestion comes in one direction or in both at once, and a long delay says quite different things
 * about the offset in the two cases: near an end of its interval, or anywhere in it. The weights follow the exchanges
 * by a decaying expectation-maximisation with a Dirichlet prior, so one-way congestion is learned as such.
 */
export class QueueLaw {
  readonly #weights = Float64Array.from(PRIOR);
  readonly #counts = new Float64Array(LAWS * LAWS);
  readonly #memory: number;
  readonly #strength: number;

  /** `memory` and `strength` (of the prior) in exchanges. */
  constructor(memory = 64, strength = 4) {
    this.#memory = memory;
    this.#strength = strength;
  }

  /** Density f(there, back), 1/s². */
  density(there: number, back: number, scale: number): number {
    terms(there, back, scale);
    let sum = 0;
    for (let k = 0; k < LAWS; k++) {
      let row = 0;
      for (let l = 0; l < LAWS; l++) row += this.#weights[k * LAWS + l]! * BACK[l]!;
      sum += row * THERE[k]!;
    }
    return sum;
  }

  /** Adds `mass` of evidence for a pair of queueing delays (call {@link renew} once per exchange). */
  learn(there: number, back: number, scale: number, mass: number): void {
    const total = this.density(there, back, scale);
    if (!(total > 0)) return;
    for (let k = 0; k < LAWS; k++) {
      for (let l = 0; l < LAWS; l++) {
        this.#counts[k * LAWS + l]! += (mass * this.#weights[k * LAWS + l]! * THERE[k]! * BACK[l]!) / total;
      }
    }
  }

  /** A law that knows of no congestion and learns none. */
  static quiet(): QueueLaw {
    const law = new QueueLaw();
    law.#weights.fill(0);
    law.#weights[0] = 1;
    return law;
  }

  /** Share of exchanges that meet no congestion. */
  get quiet(): number {
    return this.#weights[0]!;
  }

  /** Renews the weights and lets the old evidence fade. */
  renew(): void {
    let total = this.#strength;
    for (const count of this.#counts) total += count;
    for (let i = 0; i < PRIOR.length; i++) {
      this.#weights[i] = (this.#counts[i]! + this.#strength * PRIOR[i]!) / total;
      this.#counts[i]! *= 1 - 1 / this.#memory;
    }
  }

  snapshot(): { weights: number[]; counts: number[] } {
    return { weights: [...this.#weights], counts: [...this.#counts] };
  }

  restore(state: { weights: readonly number[]; counts: readonly number[] }): void {
    this.#weights.set(state.weights);
    this.#counts.set(state.counts);
  }
}

const THERE = new Float64Array(LAWS);
const BACK = new Float64Array(LAWS);

function terms(there: number, back: number, scale: number): void {
  for (let k = 0; k < LAWS; k++) {
    const s = QUEUE_SCALES[k]! * scale;
    THERE[k] = Math.exp(-there / s) / s;
    BACK[k] = Math.exp(-back / s) / s;
  }
}

/**
 * Likelihood of the clock's offset given one exchange.
 *
 * With r = measured − true offset, the queues were u = e/2 + r (way there) and d = e/2 − r (way back), both ≥ 0, so
 *
 *   L(r) = f(e/2 + r, e/2 − r),  |r| ≤ e/2
 *
 * flat for equal exponential queues, with weight at the ends when one queue alone was long, zero outside. It is kept
 * as a histogram of {@link PIECES} pieces, finest at the ends, blurred by a normal `noise` (stamps, unknown base). A small share
 * `outlier` is normal with deviation e: what a wrong model would produce.
 */
export class QueueLikelihood {
  readonly #edges = new Float64Array(PIECES + 1);
  readonly #heights = new Float64Array(PIECES);
  /** Posterior mass of each piece, accumulated by {@link update} with the weight given to it. */
  readonly masses = new Float64Array(PIECES);
  #offset = 0;
  #noise = 0;
  #half = 0;
  #area = 0;
  #outlier = 0.003;
  #outlierVariance = 0;
  readonly result: ScalarUpdate = { mean: 0, variance: 0, logEvidence: 0 };

  /** Prepares the likelihood of one exchange: `excess` over the path's base, queueing `scale`, stamp and base `noise`. */
  prepare(offset: number, excess: number, scale: number, law: QueueLaw, noise: number, outlier: number): void {
    const half = Math.max(excess / 2, 1e-12);
    this.#offset = offset;
    this.#half = half;
    this.#outlier = outlier;
    this.blur(noise);
    const n = DEPTHS.length - 1;
    // The state is v = offset − r, so that v grows as r falls.
    for (let i = 0; i <= n; i++) {
      this.#edges[i] = -half + DEPTHS[i]! * half;
      this.#edges[PIECES - i] = half - DEPTHS[i]! * half;
    }
    let area = 0;
    for (let j = 0; j < PIECES; j++) {
      const a = this.#edges[j]!;
      const b = this.#edges[j + 1]!;
      const r = -(a + b) / 2;
      // A delay far beyond every law: flat.
      const height = Math.max(law.density(half + r, half - r, scale), 1e-250);
      this.#heights[j] = height;
      area += height * (b - a);
    }
    this.#area = area;
    this.masses.fill(0);
  }

  /** Sets the normal noise, s: stamps, and the unknown base of the path. */
  blur(noise: number): void {
    this.#noise = noise * noise;
    const spread = 2 * this.#half + 2 * noise;
    this.#outlierVariance = spread * spread;
  }

  /** Probability density of this excess, whatever the offset: the common factor of every hypothesis' evidence. */
  get area(): number {
    return this.#area;
  }

  get half(): number {
    return this.#half;
  }

  /** log of ε·N(residual; 0, variance + outlier variance), without the area. */
  update(mean: number, variance: number, weight: number): ScalarUpdate {
    const total = variance + this.#noise;
    const sd = Math.sqrt(total);
    const centre = this.#offset - mean;
    const result = this.result;
    const area = this.#area;
    let z = 0;
    let m1 = 0;
    let m2 = 0;
    let aPrev = (centre + this.#edges[0]!) / sd;
    const reach = Math.max(0, Math.abs(centre) - this.#half) / sd;
    const scratch = MASS_SCRATCH;
    if (reach < 8) {
      let kernel = Math.exp(-0.5 * aPrev * aPrev);
      let pdfPrev = kernel * INV_ROOT_2PI;
      // Tail beyond |a|: differences of these keep their precision on either side.
      let tailPrev = normalTailFrom(Math.abs(aPrev), kernel);
      for (let j = 0; j < PIECES; j++) {
        const b = (centre + this.#edges[j + 1]!) / sd;
        kernel = Math.exp(-0.5 * b * b);
        const pdf = kernel * INV_ROOT_2PI;
        const tail = normalTailFrom(Math.abs(b), kernel);
        const h = (this.#heights[j]! / area) * (1 - this.#outlier);
        const width = b - aPrev;
        let zj: number;
        if (width < 0.02) {
          const middle = (aPrev + b) / 2;
          zj = h * normalDensity(middle) * width;
          m1 += zj * middle;
          m2 += zj * (middle * middle + (width * width) / 12);
        } else {
          const probability = aPrev >= 0 ? tailPrev - tail : b <= 0 ? tail - tailPrev : 1 - tail - tailPrev;
          zj = h * probability;
          m1 += h * (pdfPrev - pdf);
          m2 += h * (probability + aPrev * pdfPrev - b * pdf);
        }
        z += zj;
        scratch[j] = zj;
        aPrev = b;
        pdfPrev = pdf;
        tailPrev = tail;
      }
    } else scratch.fill(0);
    // Pieces are integrated in standard units, heights per second: the evidence of the pieces is z as it stands.
    const so = total + this.#outlierVariance;
    const logOutlier = Math.log(this.#outlier) - 0.5 * Math.log(2 * Math.PI * so) - (0.5 * centre * centre) / so;
    const zo = Math.exp(logOutlier);
    const shrink = total / so;
    const oMean = (centre * shrink) / sd;
    const oVariance = 1 - shrink;
    const sum = z + zo;
    if (!(sum > 1e-300)) {
      const k = variance / so;
      result.mean = mean + k * centre;
      result.variance = variance * (1 - k);
      result.logEvidence = logOutlier;
      return result;
    }
    const mu = (m1 + zo * oMean) / sum;
    const second = (m2 + zo * (oVariance + oMean * oMean)) / sum;
    const varianceT = Math.max(second - mu * mu, 1e-9);
    const gain = variance / total;
    result.mean = mean + gain * mu * sd;
    result.variance = Math.max(variance - gain * variance + gain * gain * varianceT * total, variance * 1e-12);
    result.logEvidence = Math.log(sum);
    const share = weight / sum;
    for (let j = 0; j < PIECES; j++) this.masses[j]! += share * scratch[j]!;
    return result;
  }

  /** The same for a likelihood that ignores the delay: normal, of the given deviation, with a share of wide outliers. */
  updateNormal(mean: number, variance: number, deviation: number, usable: boolean): ScalarUpdate {
    const result = this.result;
    const centre = this.#offset - mean;
    const narrow = variance + deviation * deviation;
    const wide = variance + 100 * deviation * deviation;
    const zn = ((1 - this.#outlier) / Math.sqrt(2 * Math.PI * narrow)) * Math.exp((-0.5 * centre * centre) / narrow);
    const zw = (this.#outlier / Math.sqrt(2 * Math.PI * wide)) * Math.exp((-0.5 * centre * centre) / wide);
    const share = zn + zw > 0 ? zn / (zn + zw) : 0;
    const kn = variance / narrow;
    const kw = variance / wide;
    const gain = share * kn + (1 - share) * kw;
    result.mean = mean + gain * centre;
    // v·R/(v + R), not v·(1 − k): the same, and more than nothing where the prior is 10¹⁶ times as wide.
    const left = share * kn * deviation * deviation + (1 - share) * kw * 100 * deviation * deviation;
    result.variance = left + share * (1 - share) * ((kn - kw) * centre) ** 2;
    result.logEvidence = usable ? Math.log(Math.max(zn + zw, 1e-300)) : -30;
    return result;
  }

  /** Teaches the law where in the interval the exchange turned out to lie. */
  teach(law: QueueLaw, scale: number): void {
    for (let j = 0; j < PIECES; j++) {
      const mass = this.masses[j]!;
      if (mass < 1e-6) continue;
      const r = -(this.#edges[j]! + this.#edges[j + 1]!) / 2;
      law.learn(this.#half + r, this.#half - r, scale, mass);
    }
    law.renew();
  }
}

const INV_ROOT_2PI = 0.3989422804014327;
const MASS_SCRATCH = new Float64Array(PIECES);
