import { hashedExponential, mix } from './random.js';

/**
 * One step of a lattice: what happens between k and k + 1 steps. One shape for every noise, each of which uses what it
 * needs, so that what reads cells always has the same kind of object before it.
 */
export class Cell {
  k = 0;
  /** Differs from cell to cell: what the places within it draw from. */
  hash = 0;
  /** Phase and frequency at both ends. */
  start = 0.5;
  end = 0.5;
  frequency = 0.5;
  frequencyEnd = 0.5;
  /** Phase of a second process beside that. */
  white = 0.5;
  whiteEnd = 0.5;
  /** What an oscillator's temperature has come to, by what is around it and by its load. */
  ambient = 0.5;
  heat = 0.5;
}

/** Cells are drawn so much ahead, seconds, and remembered for as long. */
export const AHEAD = 64;

/**
 * Cells of equal length on the axis of true time, drawn strictly in order, so that a realisation is a function of time
 * and not of who asks. They are drawn in blocks: it remembers one block and the one before it.
 */
export class Lattice {
  private readonly size: number;
  private block: Cell[];
  private previous: Cell[];
  /** Number of the block's first cell. */
  private first: number;

  /**
   * @param step length of a cell, seconds
   * @param salt of this noise's own stream
   * @param fill draws a cell: `before` is the cell before it, undefined for the first
   * @param start the first cell
   */
  constructor(
    readonly step: number,
    private readonly salt: number,
    private readonly fill: (cell: Cell, before: Cell | undefined) => void,
    private readonly start = 0,
  ) {
    this.size = Math.ceil(AHEAD / step);
    this.block = Array.from({ length: this.size }, () => new Cell());
    this.previous = Array.from({ length: this.size }, () => new Cell());
    this.first = start;
    this.enter(undefined);
  }

  /** The cell that holds t. */
  at(t: number): Cell {
    const k = Math.floor(t / this.step);
    const i = k - this.first;
    return i >= 0 && i < this.size ? this.block[i]! : this.beyond(k, t);
  }

  /** `NoisePart.addPhases` of a part on this lattice: where every whole second begins a cell, the phase is at its start. */
  addPhases(part: { phase(t: number): number }, first: number, sums: Float64Array): void {
    if (this.step === 1) for (let i = 0; i < sums.length; i++) sums[i]! += this.at(first + i).start;
    else for (let i = 0; i < sums.length; i++) sums[i]! += part.phase(first + i);
  }

  private beyond(k: number, t: number): Cell {
    while (k >= this.first + this.size) {
      [this.block, this.previous] = [this.previous, this.block];
      this.first += this.size;
      this.enter(this.previous[this.size - 1]);
    }
    const i = k - this.first;
    if (i >= 0) return this.block[i]!;
    if (i >= -this.size && this.first > this.start) return this.previous[i + this.size]!;
    throw new RangeError(`a noise was asked for ${t} s, but has gone on to ${this.first * this.step} s`);
  }

  private enter(last: Cell | undefined): void {
    const { block, first, salt } = this;
    let before = last;
    for (let i = 0; i < block.length; i++) {
      const cell = block[i]!;
      cell.k = first + i;
      cell.hash = (salt + Math.imul(first + i, 0x9e3779b1)) >>> 0;
      this.fill(cell, before);
      before = cell;
    }
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
    return hashedExponential(this.seed, ++this.n);
  }
}
