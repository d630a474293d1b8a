/**
 * A bank of clocks that differ only in how much the oscillator wanders (interacting multiple models; Blom and
 * Bar-Shalom 1988), each a Kalman filter over
 *
 *   [drift y (s/s), ageing a (1/s), phase x_1 … x_n (s)]
 *
 * with one phase per source: x_s is the clock's offset as that source sees it, x_s = x + b_s, where b_s is the source's
 * constant bias. Sources share the drift and every disturbance of the clock, so each teaches the drift to all and
 * carries the others' phases along, and nothing here decides whose phase is right.
 *
 * Between measurements, with τ the ageing's time constant and E = e^(−dt/τ):
 *
 *   a ← a·E,  y ← y + a·τ(1 − E),  x ← x + y·dt + a·τ²(dt/τ − 1 + E)
 *
 * with process noise of white FM (w s²/s), random-walk FM (q 1/s) and random-walk ageing (g 1/s³):
 * Q_xx = w·dt + q·dt³/3 + g·dt⁵/20, Q_xy = q·dt²/2 + g·dt⁴/8, Q_yy = q·dt + g·dt³/3, Q_xa = g·dt³/6, Q_ya = g·dt²/2, Q_aa = g·dt.
 */
export interface WanderHypothesis {
  /** Random-walk FM, (s/s)/√s. */
  readonly wander: number;
  /** Random-walk ageing, (1/s)/√s; 0: the drift has no trend. */
  readonly ageing: number;
  /** Standard deviation of the drift before the first measurement, s/s. */
  readonly initialDrift: number;
  /** Weight before the first measurement. */
  readonly weight: number;
  /** False: delays say nothing about offsets (coarse or late stamps). */
  readonly delaysTell?: boolean;
}

export interface BankOptions {
  readonly hypotheses: readonly WanderHypothesis[];
  /** White FM of the local counter, s²/s. */
  readonly whiteFm: number;
  /** Time constant of the ageing, s. */
  readonly ageingTime: number;
  /** Mean time between changes of the wander, s. */
  readonly switchTime: number;
}

const Y = 0;
const A = 1;
const X = 2;

interface Member {
  weight: number;
  mean: Float64Array;
  cov: Float64Array;
}

/** One member's belief about a linear form of the phases and about the drift. */
export interface MemberBelief {
  readonly weight: number;
  readonly mean: number;
  readonly variance: number;
  /** With the drift. */
  readonly covariance: number;
  readonly drift: number;
  readonly driftVariance: number;
  readonly randomWalkFm: number;
}

/** What a scalar measurement makes of one member's phase. */
export type PhaseUpdate = (
  mean: number,
  variance: number,
  weight: number,
  member: number,
) => { mean: number; variance: number; logEvidence: number };

export class ClockBank {
  readonly #options: BankOptions;
  #members: Member[];
  #spare: Member[];
  #dim = X;
  #unmixed = 0;
  readonly #transition: Float64Array;

  constructor(options: BankOptions) {
    this.#options = options;
    const total = options.hypotheses.reduce((sum, h) => sum + h.weight, 0);
    const make = (h: WanderHypothesis): Member => {
      const cov = new Float64Array(X * X);
      cov[Y * X + Y] = h.initialDrift ** 2;
      cov[A * X + A] = h.ageing > 0 ? h.ageing ** 2 * (options.ageingTime / 2) : 0;
      return { weight: h.weight / total, mean: new Float64Array(X), cov };
    };
    this.#members = options.hypotheses.map(make);
    this.#spare = options.hypotheses.map(make);
    this.#transition = transitionMatrix(options.hypotheses);
  }

  get phases(): number {
    return this.#dim - X;
  }

  get weights(): readonly number[] {
    return this.#members.map(m => m.weight);
  }

  /** Adds a phase, at `offset` ± `deviation`, and returns its index. */
  addPhase(offset: number, deviation: number): number {
    const n = this.#dim;
    for (const m of [...this.#members, ...this.#spare]) {
      const cov = new Float64Array((n + 1) * (n + 1));
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) cov[i * (n + 1) + j] = m.cov[i * n + j]!;
      cov[n * (n + 1) + n] = deviation * deviation;
      const mean = new Float64Array(n + 1);
      mean.set(m.mean);
      mean[n] = offset;
      m.cov = cov;
      m.mean = mean;
    }
    this.#dim = n + 1;
    return n - X;
  }

  /** Adds a phase that is, so far, the same as phase `index`. */
  clonePhase(index: number): void {
    this.copyPhase(index, this.addPhase(0, 0));
  }

  /** Makes phase `to` the same as phase `from`. */
  copyPhase(from: number, to: number): void {
    const s = X + from;
    const n = X + to;
    const dim = this.#dim;
    for (const m of this.#members) {
      m.mean[n] = m.mean[s]!;
      for (let i = 0; i < dim; i++) {
        if (i === n) continue;
        m.cov[i * dim + n] = m.cov[i * dim + s]!;
        m.cov[n * dim + i] = m.cov[s * dim + i]!;
      }
      m.cov[n * dim + n] = m.cov[s * dim + s]!;
    }
  }

  /** Removes phase `index`; later ones move down. */
  removePhase(index: number): void {
    const n = this.#dim;
    const gone = X + index;
    const kept = [...Array(n).keys()].filter(i => i !== gone);
    for (const m of [...this.#members, ...this.#spare]) {
      const cov = new Float64Array((n - 1) * (n - 1));
      kept.forEach((i, ni) => {
        kept.forEach((j, nj) => {
          cov[ni * (n - 1) + nj] = m.cov[i * n + j]!;
        });
      });
      m.mean = Float64Array.from(kept, i => m.mean[i]!);
      m.cov = cov;
    }
    this.#dim = n - 1;
  }

  /** Starts phase `index` anew, at `offset` ± `deviation`, knowing nothing of its old value. */
  resetPhase(index: number, offset: number, deviation: number): void {
    const n = this.#dim;
    const s = X + index;
    for (const m of this.#members) {
      for (let i = 0; i < n; i++) {
        m.cov[i * n + s] = 0;
        m.cov[s * n + i] = 0;
      }
      m.cov[s * n + s] = deviation * deviation;
      m.mean[s] = offset;
    }
  }

  /** Adds independent variance to phase `index` (a bias that wanders, a route that changed). */
  inflatePhase(index: number, variance: number): void {
    const at = (X + index) * this.#dim + X + index;
    for (const m of this.#members) m.cov[at]! += variance;
  }

  /** Moves every phase alike by `step` ± `deviation`: the clock itself was stepped. */
  step(step: number, deviation: number): void {
    const n = this.#dim;
    for (const m of this.#members) {
      for (let i = X; i < n; i++) {
        m.mean[i]! += step;
        for (let j = X; j < n; j++) m.cov[i * n + j]! += deviation * deviation;
      }
    }
  }

  /** Adds variance to the drift of every member. */
  loosenDrift(variance: number): void {
    for (const m of this.#members) m.cov[Y * this.#dim + Y]! += variance;
  }

  /** Mixes the members and moves them `dt` seconds of local counter ahead. */
  predict(dt: number): void {
    if (!(dt > 0)) return;
    // Changes of wander are rare: mixing more often than this costs time and changes nothing.
    this.#unmixed += dt;
    if (this.#unmixed >= 30) {
      this.#mix(this.#unmixed);
      this.#unmixed = 0;
    }
    const { hypotheses, whiteFm, ageingTime } = this.#options;
    const n = this.#dim;
    const decay = Math.exp(-dt / ageingTime);
    const ya = -ageingTime * Math.expm1(-dt / ageingTime);
    const xa = ageingTime * (dt - ya);
    const noise = ageingNoise(dt, ageingTime);
    for (let h = 0; h < this.#members.length; h++) {
      const { mean, cov } = this.#members[h]!;
      const { wander, ageing } = hypotheses[h]!;
      const y = mean[Y]!;
      const a = mean[A]!;
      for (let i = X; i < n; i++) mean[i]! += y * dt + a * xa;
      mean[Y] = y + a * ya;
      mean[A] = a * decay;
      // P ← F·P·Fᵀ + Q, written out: every phase takes the same share of drift and ageing.
      const pyy = cov[0]!;
      const pya = cov[1]!;
      const paa = cov[n + 1]!;
      const q = wander * wander;
      const g = ageing * ageing;
      const common =
        dt * dt * pyy + 2 * dt * xa * pya + xa * xa * paa + whiteFm * dt + (q * dt ** 3) / 3 + g * noise.xx;
      const crossY = dt * (pyy + ya * pya) + xa * (pya + ya * paa) + (q * dt * dt) / 2 + g * noise.xy;
      const crossA = decay * (dt * pya + xa * paa) + g * noise.xa;
      for (let i = X; i < n; i++) GAIN[i] = dt * cov[i * n]! + xa * cov[i * n + 1]!;
      for (let i = X; i < n; i++) {
        const row = i * n;
        for (let j = X; j <= i; j++) {
          const value = cov[row + j]! + GAIN[i]! + GAIN[j]! + common;
          cov[row + j] = value;
          cov[j * n + i] = value;
        }
        const py = cov[row]!;
        const pa = cov[row + 1]!;
        cov[row] = py + ya * pa + crossY;
        cov[i] = cov[row]!;
        cov[row + 1] = decay * pa + crossA;
        cov[n + i] = cov[row + 1]!;
      }
      cov[0] = pyy + 2 * ya * pya + ya * ya * paa + q * dt + g * noise.yy;
      cov[1] = decay * (pya + ya * paa) + g * noise.ya;
      cov[n] = cov[1]!;
      cov[n + 1] = decay * decay * paa + g * noise.aa;
    }
  }

  /**
   * Replaces each member's belief about phase `index` by what `update` makes of it (a Gaussian projection of any
   * likelihood), carries the change over to everything correlated with it, and re-weights the members by the evidence.
   * With `alone`, only that phase is changed and the weights stay: what an untrusted source gets.
   *
   *   k = P[:, s]/P_ss,  m ← m + k·(μ − m_s),  P ← P − k·kᵀ·(P_ss − σ²)
   */
  updatePhase(index: number, update: PhaseUpdate, alone = false): void {
    const n = this.#dim;
    const s = X + index;
    let best = Number.NEGATIVE_INFINITY;
    const logs: number[] = [];
    for (let h = 0; h < this.#members.length; h++) {
      const m = this.#members[h]!;
      const prior = m.mean[s]!;
      const variance = m.cov[s * n + s]!;
      const result = update(prior, variance, m.weight, h);
      const move = result.mean - prior;
      const drop = variance - result.variance;
      const log = Math.log(Math.max(m.weight, 1e-300)) + result.logEvidence;
      logs.push(log);
      if (log > best) best = log;
      if (alone) {
        const ratio = result.variance / variance;
        // Consider update (Schmidt 1966): the phase moves, what it is correlated with does not.
        for (let i = 0; i < n; i++) {
          if (i === s) continue;
          m.cov[i * n + s]! *= ratio;
          m.cov[s * n + i]! *= ratio;
        }
        m.cov[s * n + s] = result.variance;
        m.mean[s] = result.mean;
        continue;
      }
      const gain = GAIN;
      for (let i = 0; i < n; i++) gain[i] = m.cov[i * n + s]! / variance;
      for (let i = 0; i < n; i++) {
        m.mean[i]! += gain[i]! * move;
        const scaled = gain[i]! * drop;
        // What rounding leaves uncertain: a difference of variances has no more digits than they have.
        const least = ROUNDING * m.cov[i * n + i]!;
        for (let j = 0; j <= i; j++) {
          const value = m.cov[i * n + j]! - scaled * gain[j]!;
          m.cov[i * n + j] = value;
          m.cov[j * n + i] = value;
        }
        if (m.cov[i * n + i]! < least) m.cov[i * n + i] = least;
      }
      m.cov[s * n + s] = Math.max(result.variance, ROUNDING * variance);
    }
    if (alone) return;
    let total = 0;
    this.#members.forEach((m, h) => {
      m.weight = Math.exp(logs[h]! - best);
      total += m.weight;
    });
    for (const m of this.#members) m.weight = Math.max(m.weight / total, 1e-12);
  }

  /** log Σ weight·evidence that `update` would give, without updating. */
  logEvidence(index: number, update: PhaseUpdate): number {
    const s = X + index;
    let sum = 0;
    this.#members.forEach((m, h) => {
      sum += m.weight * Math.exp(update(m.mean[s]!, m.cov[s * this.#dim + s]!, 0, h).logEvidence);
    });
    return Math.log(sum);
  }

  /** Mean and covariance of the whole mixture, as one Gaussian. Arrays are the caller's to keep. */
  collapse(): { mean: Float64Array; cov: Float64Array } {
    const n = this.#dim;
    const mean = new Float64Array(n);
    const cov = new Float64Array(n * n);
    for (const m of this.#members) for (let i = 0; i < n; i++) mean[i]! += m.weight * m.mean[i]!;
    for (const m of this.#members) accumulate(cov, m, mean, m.weight, n);
    return { mean, cov };
  }

  /** Mean and variance of phase `index` over the mixture. */
  phase(index: number): { mean: number; variance: number } {
    const n = this.#dim;
    const s = X + index;
    let mean = 0;
    for (const m of this.#members) mean += m.weight * m.mean[s]!;
    let variance = 0;
    for (const m of this.#members) variance += m.weight * (m.cov[s * n + s]! + (m.mean[s]! - mean) ** 2);
    return { mean, variance };
  }

  /** What each member that matters believes of Σ form_s·x_s and of the drift. */
  marginals(form: Float64Array): MemberBelief[] {
    const n = this.#dim;
    const out: MemberBelief[] = [];
    this.#members.forEach((m, h) => {
      if (m.weight < 3e-3) return;
      let mean = 0;
      let variance = 0;
      let covariance = 0;
      for (let i = X; i < n; i++) {
        const f = form[i - X]!;
        if (f === 0) continue;
        mean += f * m.mean[i]!;
        covariance += f * m.cov[i * n]!;
        for (let j = X; j < n; j++) variance += f * form[j - X]! * m.cov[i * n + j]!;
      }
      const { wander } = this.#options.hypotheses[h]!;
      out.push({
        weight: m.weight,
        mean,
        variance,
        covariance,
        drift: m.mean[Y]!,
        driftVariance: m.cov[0]!,
        randomWalkFm: wander * wander,
      });
    });
    return out;
  }

  /** Mean random-walk FM in force, 1/s. */
  get randomWalkFm(): number {
    let sum = 0;
    this.#members.forEach((m, h) => {
      sum += m.weight * this.#options.hypotheses[h]!.wander ** 2;
    });
    return sum;
  }

  /** Interaction step: each member takes over part of the others' state, in proportion to the chance of a change. */
  #mix(dt: number): void {
    const n = this.#dim;
    const members = this.#members;
    const count = members.length;
    const change = -Math.expm1(-dt / this.#options.switchTime);
    const transition = this.#transition;
    for (let to = 0; to < count; to++) {
      const target = this.#spare[to]!;
      const { mean, cov } = target;
      mean.fill(0);
      cov.fill(0);
      let total = 0;
      for (let from = 0; from < count; from++) {
        const stay = from === to ? 1 - change : 0;
        SHARE[from] = members[from]!.weight * (stay + change * transition[from * count + to]!);
        total += SHARE[from]!;
      }
      target.weight = total;
      for (let from = 0; from < count; from++) {
        const share = SHARE[from]! / total;
        SHARE[from] = share;
        if (share < NEGLIGIBLE) continue;
        const other = members[from]!.mean;
        for (let i = 0; i < n; i++) mean[i]! += share * other[i]!;
      }
      for (let from = 0; from < count; from++) {
        if (SHARE[from]! >= NEGLIGIBLE) accumulate(cov, members[from]!, mean, SHARE[from]!, n);
      }
      if (this.#options.hypotheses[to]!.ageing === 0) {
        mean[A] = 0;
        for (let i = 0; i < n; i++) {
          cov[A * n + i] = 0;
          cov[i * n + A] = 0;
        }
      }
    }
    this.#members = this.#spare;
    this.#spare = members;
  }

  snapshot(): unknown {
    return {
      dim: this.#dim,
      unmixed: this.#unmixed,
      members: this.#members.map(m => ({ weight: m.weight, mean: [...m.mean], cov: [...m.cov] })),
    };
  }

  restore(state: unknown): void {
    const { dim, unmixed, members } = state as {
      dim: number;
      unmixed: number;
      members: { weight: number; mean: number[]; cov: number[] }[];
    };
    if (members.length !== this.#members.length) throw new Error('the saved bank has other hypotheses');
    this.#dim = dim;
    this.#unmixed = unmixed;
    const load = () =>
      members.map(m => ({ weight: m.weight, mean: Float64Array.from(m.mean), cov: Float64Array.from(m.cov) }));
    this.#members = load();
    this.#spare = load();
  }
}

/** Covariance that unit random-walk ageing builds up in `dt`; positive semi-definite for any dt. */
function ageingNoise(dt: number, time: number) {
  if (dt < time / 2) {
    const dt2 = dt * dt;
    const dt3 = dt2 * dt;
    return { xx: (dt3 * dt2) / 20, xy: (dt2 * dt2) / 8, xa: dt3 / 6, yy: dt3 / 3, ya: dt2 / 2, aa: dt };
  }
  // Long gaps: as if all of what is remembered had come at once, half a memory before the end of its span.
  const span = Math.min(dt, time / 2);
  const rest = dt - span / 2;
  const aa = Math.exp(-rest / time);
  const ya = time * (1 - aa);
  const xa = time * (rest - ya);
  return {
    xx: span * xa * xa,
    xy: span * xa * ya,
    xa: span * xa * aa,
    yy: span * ya * ya,
    ya: span * ya * aa,
    aa: span * aa * aa,
  };
}

const GAIN = new Float64Array(64);
const SHARE = new Float64Array(64);
const ROUNDING = 1e-13;
/** Shares below this are left out of the mixing. */
const NEGLIGIBLE = 1e-7;

function accumulate(cov: Float64Array, member: Member, mean: Float64Array, weight: number, n: number): void {
  const other = member.cov;
  for (let i = 0; i < n; i++) DIFFERENCE[i] = member.mean[i]! - mean[i]!;
  for (let i = 0; i < n; i++) {
    const di = DIFFERENCE[i]!;
    for (let j = 0; j <= i; j++) {
      const value = cov[i * n + j]! + weight * (other[i * n + j]! + di * DIFFERENCE[j]!);
      cov[i * n + j] = value;
      cov[j * n + i] = value;
    }
  }
}

const DIFFERENCE = new Float64Array(64);

/** Where a change of wander leads: mostly to a neighbour in log wander of the same kind, sometimes anywhere. */
function transitionMatrix(hypotheses: readonly WanderHypothesis[]): Float64Array {
  const count = hypotheses.length;
  const matrix = new Float64Array(count * count);
  for (let from = 0; from < count; from++) {
    const closeness = hypotheses.map((h, to) => {
      if (to === from) return 0;
      const f = hypotheses[from]!;
      const apart = Math.abs(Math.log10(h.wander / f.wander)) + (h.ageing > 0 === f.ageing > 0 ? 0 : 1);
      if (h.delaysTell !== f.delaysTell) return 0.01;
      return (Math.exp(-2 * apart) + 0.03) * h.weight;
    });
    const total = closeness.reduce((a, b) => a + b, 0);
    closeness.forEach((c, to) => {
      matrix[from * count + to] = total > 0 ? c / total : 1;
    });
  }
  return matrix;
}
