/** Time constants per decade: the sum then differs from the integral by 0.3 %. */
const PER_DECADE = 1.5;
/** Decay per step of the slowest process: 3 years at steps of 1 s. */
const SLOWEST = 1e-8;
/** And of the fastest, of which nothing is left after a step. */
const FASTEST = 40;

/**
 * A stationary series whose spectrum is flicker, S(f) = h/f (one-sided), from a few years' period on: white noise
 * through the filter (1 − z⁻¹)^−½ of Kasdin (see `powerLawPhase`), whose taps are sums of exponentials,
 *
 *   Γ(k + ½)/(√π·k!) = (1/π)·∫₀¹ p^k·p^−½·(1 − p)^−½ dp,
 *
 * so that sixteen first-order recursions, their decays log-spaced and all driven by one draw a step, make it with
 * flat memory. (That a sum of relaxations is flicker is A. van der Ziel's, Physica 16 (1950).) Two neighbours are then
 * averaged, with the weight at which the series has the mean square difference asked for: sampled and summed flicker
 * would otherwise have up to a fifth too much of it between neighbours, and be right only from ten steps on.
 *
 * It starts in its stationary distribution: a series that starts at rest takes years to fill its slowest part.
 */
export class FlickerSeries {
  private readonly poles: Float64Array;
  private readonly gains: Float64Array;
  private readonly states: Float64Array;
  /** Weight of the value before. */
  private readonly blend: number;
  private last: number;

  /**
   * @param h coefficient of S(f) = h/f
   * @param difference mean square of the first (`order` 1) or second difference of neighbours, as it has to be
   * @param normal standard normal draws
   */
  constructor(
    h: number,
    difference: { readonly order: 1 | 2; readonly meanSquare: number },
    private readonly normal: () => number,
  ) {
    const spacing = Math.LN10 / PER_DECADE;
    const count = 2 * Math.ceil((Math.log10(FASTEST / SLOWEST) * PER_DECADE + 1) / 2);
    this.poles = new Float64Array(count);
    this.gains = new Float64Array(count);
    // Below the Nyquist frequency S = 2·σ²·step/|2 sin(πf·step)| tends to σ²/(πf).
    const scale = (Math.sqrt(Math.PI * h) * spacing) / Math.PI;
    for (let i = 0; i < count; i++) {
      const decay = FASTEST * 10 ** (-i / PER_DECADE);
      this.poles[i] = Math.exp(-decay);
      this.gains[i] = (scale * decay * Math.exp(-decay / 2)) / Math.sqrt(-Math.expm1(-decay));
    }
    const { order, meanSquare } = difference;
    const found = (blended: boolean): number => {
      const c = [0, 1, 2].map(lag =>
        blended ? this.raw(lag - 1) - 2 * this.raw(lag) + this.raw(lag + 1) : this.raw(lag),
      ) as [number, number, number];
      return order === 1 ? 2 * (c[0] - c[1]) : 6 * c[0] - 8 * c[1] + 2 * c[2];
    };
    const plain = found(false);
    const product = Math.min(0.25, (meanSquare - plain) / found(true));
    this.blend = plain > 0 ? (1 - Math.sqrt(1 - 4 * product)) / 2 : 0;
    this.states = this.stationary();
    this.last = this.output();
  }

  next(): number {
    const { poles, gains, states, blend } = this;
    const drive = this.normal();
    let value = 0;
    let odd = 0;
    // In pairs: two sums that do not wait for each other.
    for (let i = 0; i + 1 < states.length; i += 2) {
      const one = states[i]! * poles[i]! + drive;
      const two = states[i + 1]! * poles[i + 1]! + drive;
      states[i] = one;
      states[i + 1] = two;
      value += gains[i]! * one;
      odd += gains[i + 1]! * two;
    }
    value += odd;
    const blended = value + blend * (this.last - value);
    this.last = value;
    return blended;
  }

  /** Covariance of two values `lag` steps apart. */
  covariance(lag: number): number {
    const product = this.blend * (1 - this.blend);
    return this.raw(lag) * (1 - 2 * product) + product * (this.raw(lag - 1) + this.raw(lag + 1));
  }

  /** Covariance before neighbours are averaged. */
  private raw(lag: number): number {
    const { poles, gains } = this;
    let sum = 0;
    for (let i = 0; i < poles.length; i++) {
      const carried = gains[i]! * poles[i]! ** Math.abs(lag);
      for (let j = 0; j < poles.length; j++) sum += carried * gains[j]! * this.shared(i, j);
    }
    return sum;
  }

  /** Covariance 1/(1 − p_i·p_j) of two recursions that one unit noise drives. */
  private shared(i: number, j: number): number {
    return -1 / Math.expm1(Math.log(this.poles[i]!) + Math.log(this.poles[j]!));
  }

  private output(): number {
    return this.states.reduce((sum, state, i) => sum + this.gains[i]! * state, 0);
  }

  /** States drawn from their joint distribution, by the Cholesky factor of their covariance. */
  private stationary(): Float64Array {
    const n = this.poles.length;
    const rows: Float64Array[] = [];
    const states = new Float64Array(n);
    const draws = Float64Array.from({ length: n }, () => this.normal());
    for (let i = n - 1; i >= 0; i--) {
      const row = new Float64Array(n);
      for (let j = n - 1; j >= i; j--) {
        let sum = this.shared(i, j);
        const other = j === i ? row : rows[j]!;
        for (let k = n - 1; k > j; k--) sum -= row[k]! * other[k]!;
        // The fast ones follow from the slow ones but for rounding: what is left over is then none.
        row[j] = i === j ? Math.sqrt(Math.max(0, sum)) : other[j]! > 1e-12 ? sum / other[j]! : 0;
        states[i]! += row[j]! * draws[j]!;
      }
      rows[i] = row;
    }
    return states;
  }
}
