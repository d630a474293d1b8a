import { inject } from 'inversify';
import { z } from 'zod';
import type { ClockModel } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Streams } from '../../core/plugin/tokens.js';
import { ratio, time } from '../../core/quantity.js';
import { hashedNormal, hashedNormalPair } from '../../core/world/random.js';

const Options = z.strictObject({
  timeError: time('Clock − true at the start: positive, ahead.').prefault(0),
  frequencyError: ratio('Constant fractional frequency error: positive, fast.').prefault('10 ppm'),
  whiteFm: ratio('White frequency noise: Allan deviation at 1 s.', { min: 0 }).prefault(0),
  wander: ratio('Random-walk frequency noise: what the frequency changes by in √1 s, one standard deviation.', {
    min: 0,
  }).prefault(0),
  granularity: time('Smallest difference between two readings.', { min: 0 }).prefault('1 ns'),
});

/** Bridges are refined until what is left is under a hundredth of the granularity, twelve halvings at most. */
const NEGLIGIBLE_SHARE = 0.01;
const DEEPEST = 12;

/**
 * A quartz oscillator: x(t) = x₀ + y₀·t + white FM + random-walk FM.
 *
 * The noise lives on a lattice of 1 s, drawn in order: per cell the phase gains σ_w·N (white FM), and the walking
 * frequency y gains w·N₁ while the phase it carries gains y + w·(N₁/2 + N₂/√12), the exact covariance of a Wiener
 * process and its integral. Between lattice points a Brownian bridge (white FM) and the bridge of an integrated Wiener
 * process are refined by halves, with normal values that are functions of the cell and the place in it: exact in
 * distribution, and the same whoever reads, in whatever order.
 */
@plugin({
  kind: 'clock',
  name: 'oscillator',
  summary: 'Simulated quartz: offset, frequency error, white and random-walk FM',
  options: Options,
})
export class Oscillator implements ClockModel {
  readonly world = 'simulated';
  readonly granularity: number;

  private readonly noiseless: boolean;
  private readonly whiteDepth: number;
  private readonly wanderDepth: number;
  private readonly normal: () => number;
  private readonly salt: number;
  private lastTime = Number.NaN;
  private lastNoise = 0;
  /** The cell [k, k + 1) and the one before it. */
  private cell: Cell = { k: 0, hash: 0, white: 0, whiteEnd: 0, phase: 0, frequency: 0, phaseEnd: 0, frequencyEnd: 0 };
  private previous: Cell = this.cell;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Streams) streams: Streams,
  ) {
    const stream = streams('noise');
    this.normal = () => stream.normal();
    this.granularity = options.granularity;
    this.noiseless = options.whiteFm === 0 && options.wander === 0;
    const negligible = Math.max(options.granularity, 1e-12) * NEGLIGIBLE_SHARE;
    // Standard deviations of a bridge's middle: σ√h/2 for white FM, w·√(h³/192) for the integral of a random walk.
    this.whiteDepth = depthFor(negligible, level => (options.whiteFm * Math.sqrt(2 ** -level)) / 2);
    this.wanderDepth = depthFor(negligible, level => options.wander * Math.sqrt(2 ** (-3 * level) / 192));
    this.salt = stream.uint32();
    this.fill(this.cell);
  }

  phase(t: number): number {
    const { timeError, frequencyError } = this.options;
    const linear = timeError + frequencyError * t;
    if (this.noiseless) return linear;
    // One event reads the clock several times.
    if (t !== this.lastTime) {
      this.lastNoise = this.noise(t);
      this.lastTime = t;
    }
    return linear + this.lastNoise;
  }

  frequency(t: number): number {
    return this.options.frequencyError + (this.noiseless ? 0 : this.cellAt(t).frequency);
  }

  private noise(t: number): number {
    const cell = this.cellAt(t);
    const within = t - cell.k;
    if (within === 0) return cell.white + cell.phase;
    return this.whiteWithin(cell, within) + this.wanderWithin(cell, within);
  }

  private cellAt(t: number): Cell {
    const k = Math.floor(t);
    while (k > this.cell.k) this.step();
    if (k === this.cell.k) return this.cell;
    if (k === this.previous.k) return this.previous;
    throw new RangeError(`the oscillator was asked for ${t} s, but has gone on to ${this.cell.k} s`);
  }

  private step(): void {
    const { k, whiteEnd, phaseEnd, frequencyEnd } = this.cell;
    const next = this.previous;
    this.previous = this.cell;
    this.cell =
      next === this.previous
        ? {
            k: k + 1,
            hash: 0,
            white: whiteEnd,
            whiteEnd: 0,
            phase: phaseEnd,
            frequency: frequencyEnd,
            phaseEnd: 0,
            frequencyEnd: 0,
          }
        : next;
    const { cell } = this;
    cell.k = k + 1;
    cell.white = whiteEnd;
    cell.phase = phaseEnd;
    cell.frequency = frequencyEnd;
    this.fill(cell);
  }

  /** Draws where the cell ends. */
  private fill(cell: Cell): void {
    const { whiteFm, wander } = this.options;
    cell.hash = (this.salt + Math.imul(cell.k, 0x9e3779b1)) >>> 0;
    cell.whiteEnd = whiteFm === 0 ? 0 : cell.white + whiteFm * this.normal();
    if (wander === 0) return;
    const first = this.normal();
    const second = this.normal();
    cell.frequencyEnd = cell.frequency + wander * first;
    cell.phaseEnd = cell.phase + cell.frequency + wander * (first / 2 + second / Math.sqrt(12));
  }

  private whiteWithin(cell: Cell, within: number): number {
    let low = cell.white;
    let high = cell.whiteEnd;
    let size = 1;
    let at = within;
    let node = 1;
    for (let depth = 0; depth < this.whiteDepth && at > 0; depth++) {
      const middle = (low + high) / 2 + this.options.whiteFm * Math.sqrt(size / 4) * hashedNormal(cell.hash, node);
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

  private wanderWithin(cell: Cell, within: number): number {
    let { phase: x0, frequency: y0, phaseEnd: x1, frequencyEnd: y1 } = cell;
    let size = 1;
    let at = within;
    let node = 1;
    const { wander } = this.options;
    for (let depth = 0; depth < this.wanderDepth && at > 0; depth++) {
      const [first, second] = hashedNormalPair(cell.hash ^ 0x2545f491, node);
      const x = (x0 + x1) / 2 + (size * (y0 - y1)) / 8 + wander * Math.sqrt(size ** 3 / 192) * first;
      const y = (1.5 * (x1 - x0)) / size - (y0 + y1) / 4 + wander * Math.sqrt(size / 16) * second;
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

/** State at both ends of one second: white-FM phase, and phase and frequency of the random walk. */
interface Cell {
  k: number;
  hash: number;
  white: number;
  whiteEnd: number;
  phase: number;
  frequency: number;
  phaseEnd: number;
  frequencyEnd: number;
}

function depthFor(negligible: number, deviation: (level: number) => number): number {
  let depth = 0;
  while (depth < DEEPEST && deviation(depth) > negligible) depth++;
  return depth;
}
