import { mix } from './random.js';

/** One step of a lattice: what happens between k and k + 1 steps. */
export interface Cell {
  k: number;
  /** Differs from cell to cell: what the places within it draw from. */
  hash: number;
}

/**
 * Cells of equal length on the axis of true time, drawn strictly in order, so that a realisation is a function of time
 * and not of who asks. It remembers one cell and the one before it.
 */
export class Lattice<C extends Cell> {
  private cell: C;
  private previous: C;

  /**
   * @param step length of a cell, seconds
   * @param salt of this noise's own stream
   * @param make an empty cell
   * @param fill draws a cell: `before` is the cell before it, undefined for the first
   * @param start the first cell
   */
  constructor(
    readonly step: number,
    private readonly salt: number,
    make: () => C,
    private readonly fill: (cell: C, before: C | undefined) => void,
    private readonly start = 0,
  ) {
    this.cell = make();
    this.previous = make();
    this.enter(this.cell, start, undefined);
  }

  /** The cell that holds t. */
  at(t: number): C {
    const k = Math.floor(t / this.step);
    while (k > this.cell.k) {
      const next = this.previous;
      this.previous = this.cell;
      this.cell = next;
      this.enter(next, this.previous.k + 1, this.previous);
    }
    if (k === this.cell.k) return this.cell;
    if (k === this.previous.k && this.cell.k > this.start) return this.previous;
    throw new RangeError(`a noise was asked for ${t} s, but has gone on to ${this.cell.k * this.step} s`);
  }

  private enter(cell: C, k: number, before: C | undefined): void {
    cell.k = k;
    cell.hash = (this.salt + Math.imul(k, 0x9e3779b1)) >>> 0;
    this.fill(cell, before);
  }
}

/** Uniform and exponential draws that are a function of a seed and their number: cheap to start anywhere. */
export class CountedDraws {
  private n = 0;

  constructor(private seed: number) {}

  restart(seed: number): void {
    this.seed = seed;
    this.n = 0;
  }

  /** Uniform on (0, 1), 32 bits. */
  uniform(): number {
    return (mix(this.seed, ++this.n) + 0.5) / 4294967296;
  }

  /** Exponential with mean 1. */
  exponential(): number {
    return -Math.log(this.uniform());
  }
}
