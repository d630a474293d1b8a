/** Random walks of the frequency that are tried, (s/s)/√s: from a good crystal to a bad one on a hot day. */
const WANDERS = [1e-9, 3e-9, 1e-8, 3e-8, 1e-7, 3e-7, 1e-6] as const;
/** How often clocks are so: most are good. */
const PRIOR = [1, 0.3, 0.1, 0.07, 0.05, 0.03, 0.02] as const;
/** Evidence fades over about so many measurements: a clock's wander changes. */
const MEMORY = 100;
/** No single innovation counts for more than one of so many deviations: outliers are not wander. */
const CLIP = 4;

interface Shadow {
  x: number;
  y: number;
  p00: number;
  p01: number;
  p11: number;
  /** Faded log likelihood. */
  log: number;
}

/**
 * How much a clock's frequency wanders, from how well it can be predicted: two-state Kalman filters that differ in
 * their random-walk FM alone run side by side, and each is believed as far as it foresaw the innovations ν of late,
 *
 *   log w_h ← (1 − 1/100)·log w_h − ½·ln S_h − ½·min(ν_h²/S_h, 16)
 *
 * (multiple-model adaptive estimation; Magill 1965). The answer is the mean of their wander, weighted so (in their logarithms), with a prior for good clocks.
 */
export class WanderWatch {
  private shadows: Shadow[] = [];
  private at = Number.NaN;

  /** `drift`: deviation of the frequency before anything is known, s/s. */
  constructor(private readonly drift: number) {}

  /** Takes an offset measured at local time `at` with variance `r`; `whiteFm` in s²/s. */
  observe(at: number, offset: number, r: number, whiteFm: number): void {
    if (this.shadows.length === 0) {
      this.shadows = WANDERS.map(() => ({ x: offset, y: 0, p00: r, p01: 0, p11: this.drift ** 2, log: 0 }));
      this.at = at;
      return;
    }
    const dt = Math.max(0, at - this.at);
    this.at = at;
    this.shadows.forEach((s, h) => {
      const q = WANDERS[h]! ** 2;
      s.x += s.y * dt;
      s.p00 += dt * (2 * s.p01 + dt * s.p11 + whiteFm + (q * dt * dt) / 3);
      s.p01 += dt * (s.p11 + (q * dt) / 2);
      s.p11 += q * dt;
      const innovation = offset - s.x;
      const variance = s.p00 + r;
      s.log = (1 - 1 / MEMORY) * s.log - 0.5 * (Math.log(variance) + Math.min(innovation ** 2 / variance, CLIP ** 2));
      const k0 = s.p00 / variance;
      const k1 = s.p01 / variance;
      s.x += k0 * innovation;
      s.y += k1 * innovation;
      s.p11 = Math.max(0, s.p11 - k1 * s.p01);
      s.p01 *= 1 - k0;
      s.p00 = k0 * r;
    });
  }

  /** Random-walk FM in force, 1/s; undefined before there is anything to tell it from. */
  get randomWalkFm(): number | undefined {
    if (this.shadows.length === 0) return undefined;
    const best = Math.max(...this.shadows.map(s => s.log));
    let total = 0;
    let sum = 0;
    this.shadows.forEach((s, h) => {
      const weight = PRIOR[h]! * Math.exp(s.log - best);
      total += weight;
      sum += weight * Math.log(WANDERS[h]!);
    });
    return Math.exp((2 * sum) / total);
  }

  /** The clock was stepped by as much, or UTC leapt. */
  step(by: number): void {
    for (const s of this.shadows) s.x += by;
  }

  /** The phase and the frequency are not what they were: only the wander is still believed. */
  restart(at: number, offset: number, drift: number, r: number): void {
    this.at = at;
    for (const s of this.shadows) Object.assign(s, { x: offset, y: drift, p00: r, p01: 0, p11: this.drift ** 2 });
  }

  snapshot(): { readonly at: number | null; readonly shadows: readonly Readonly<Shadow>[] } {
    return { at: Number.isNaN(this.at) ? null : this.at, shadows: this.shadows.map(s => ({ ...s })) };
  }

  restore({ at, shadows }: ReturnType<WanderWatch['snapshot']>): void {
    this.at = at ?? Number.NaN;
    this.shadows = shadows.map(s => ({ ...s }));
  }
}
