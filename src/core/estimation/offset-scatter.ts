import { insert, remove } from './sorted.js';

/**
 * Scatter of one source's offsets, delays ignored: each offset against the line through its two neighbours,
 *
 *   r_i = z_i − (1 − w)·z_{i−1} − w·z_{i+1},  var r = σ²·(1 + w² + (1 − w)²)
 *
 * taken robustly (median of |r|/0.6745) over the last `size`. It is the R of a filter that believes that delays say
 * nothing: true of coarse or late stamps, too pessimistic of queues.
 */
export class OffsetScatter {
  readonly #size: number;
  readonly #residuals: number[] = [];
  readonly #sorted: number[] = [];
  #points: number[] = [];

  constructor(size = 48) {
    this.#size = size;
  }

  add(at: number, offset: number): void {
    const p = this.#points;
    p.push(at, offset);
    if (p.length < 6) return;
    const [t0, z0, t1, z1, t2, z2] = p as [number, number, number, number, number, number];
    const w = t2 > t0 ? (t1 - t0) / (t2 - t0) : 0.5;
    const residual = Math.abs(z1 - (1 - w) * z0 - w * z2) / Math.sqrt(1 + w * w + (1 - w) ** 2);
    this.#residuals.push(residual);
    insert(this.#sorted, residual);
    if (this.#residuals.length > this.#size) remove(this.#sorted, this.#residuals.shift()!);
    this.#points = p.slice(2);
  }

  get count(): number {
    return this.#residuals.length;
  }

  /** Standard deviation of one offset, s; `fallback` until there are a few. */
  deviation(fallback: number): number {
    const n = this.#residuals.length;
    if (n < 4) return fallback;
    return this.#sorted[n >> 1]! / 0.6745;
  }

  snapshot(): { residuals: number[]; points: number[] } {
    return { residuals: [...this.#residuals], points: [...this.#points] };
  }

  restore(state: { residuals: readonly number[]; points: readonly number[] }): void {
    this.#residuals.splice(0, this.#residuals.length, ...state.residuals);
    this.#sorted.splice(0, this.#sorted.length, ...[...state.residuals].sort((a, b) => a - b));
    this.#points = [...state.points];
  }
}
