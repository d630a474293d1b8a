import { hashedNormal, hashedNormalPair } from './random.js';

/** Bridges are refined by twelve halvings at most. */
const DEEPEST = 12;

/** How often a cell is halved until the deviation of what is left is negligible. */
function depthFor(negligible: number, deviation: (level: number) => number): number {
  let depth = 0;
  while (depth < DEEPEST && deviation(depth) > negligible) depth++;
  return depth;
}

/**
 * The Brownian bridge between two points of a Wiener process (the phase of white FM), refined by halves with normal
 * values that are functions of the cell and the place in it: exact in distribution, and the same whoever reads, in
 * whatever order.
 */
export class BrownianBridge {
  /** Standard deviation of the middle of what is left, halving by halving. */
  private readonly spreads: Float64Array;

  /**
   * @param deviation of the process after 1 s
   * @param step length of a cell, seconds
   * @param negligible what may be left out, in the unit of the process
   */
  constructor(
    deviation: number,
    private readonly step: number,
    negligible: number,
  ) {
    // The standard deviation of a bridge's middle is σ√h/2.
    const depth = depthFor(negligible, level => (deviation * Math.sqrt(step * 2 ** -level)) / 2);
    this.spreads = Float64Array.from({ length: depth }, (_, level) => deviation * Math.sqrt((step * 2 ** -level) / 4));
  }

  /** The process at `within` seconds after the cell's start, where it goes from `low` to `high`. */
  at(within: number, low: number, high: number, hash: number): number {
    let size = this.step;
    let at = within;
    let node = 1;
    const { spreads } = this;
    for (let depth = 0; depth < spreads.length && at > 0; depth++) {
      const middle = (low + high) / 2 + spreads[depth]! * hashedNormal(hash, node);
      size /= 2;
      node *= 2;
      if (at < size) high = middle;
      else {
        low = middle;
        at -= size;
        node += 1;
      }
    }
    return low + ((high - low) * at) / size;
  }
}

/** Where an integrated Wiener process (the phase) is at both ends of a cell. */
export interface WalkEnds {
  readonly start: number;
  readonly frequency: number;
  readonly end: number;
  readonly frequencyEnd: number;
}

/** The bridge of an integrated Wiener process (the phase of random-walk FM), refined as the Brownian bridge is. */
export class IntegratedBridge {
  private readonly depth: number;

  /**
   * @param deviation of the Wiener process (the frequency) after 1 s
   * @param step length of a cell, seconds
   * @param negligible what may be left out of the integral
   */
  constructor(
    private readonly deviation: number,
    private readonly step: number,
    negligible: number,
  ) {
    // The standard deviation of a bridge's middle is w·√(h³/192).
    this.depth = depthFor(negligible, level => deviation * Math.sqrt((step * 2 ** -level) ** 3 / 192));
  }

  /** The integral at `within` seconds after the cell's start. */
  at(within: number, ends: WalkEnds, hash: number): number {
    let { start: x0, frequency: y0, end: x1, frequencyEnd: y1 } = ends;
    let size = this.step;
    let at = within;
    let node = 1;
    const { deviation } = this;
    for (let depth = 0; depth < this.depth && at > 0; depth++) {
      const [first, second] = hashedNormalPair(hash, node);
      const x = (x0 + x1) / 2 + (size * (y0 - y1)) / 8 + deviation * Math.sqrt(size ** 3 / 192) * first;
      const y = (1.5 * (x1 - x0)) / size - (y0 + y1) / 4 + deviation * Math.sqrt(size / 16) * second;
      size /= 2;
      node *= 2;
      if (at < size) [x1, y1] = [x, y];
      else {
        [x0, y0] = [x, y];
        at -= size;
        node += 1;
      }
    }
    // The mean of what is left of the bridge: Hermite's cubic.
    const s = at / size;
    const s2 = s * s;
    const s3 = s2 * s;
    return (2 * s3 - 3 * s2 + 1) * x0 + (s3 - 2 * s2 + s) * size * y0 + (3 * s2 - 2 * s3) * x1 + (s3 - s2) * size * y1;
  }
}

/**
 * Between two values of a stationary noise whose neighbours correlate by `cosine`: on the great circle through them, so
 * that the variance is the same everywhere and no reading between the lattice's points is quieter than one on them.
 */
export class StationaryBridge {
  private readonly angle: number;
  private readonly sine: number;

  constructor(
    cosine: number,
    private readonly step: number,
  ) {
    this.angle = Math.acos(cosine);
    this.sine = Math.sin(this.angle);
  }

  at(within: number, low: number, high: number): number {
    const part = (within / this.step) * this.angle;
    return (Math.sin(this.angle - part) * low + Math.sin(part) * high) / this.sine;
  }
}
