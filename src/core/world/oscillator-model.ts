import { z } from 'zod';
import type { ClockModel, NoisePart, RandomStream } from '../contracts/index.js';
import { choice } from '../plugin/choice.js';
import type { PluginChoice } from '../plugin/registry.js';
import type { PluginFactory } from '../plugin/tokens.js';
import { ratio, time } from '../quantity.js';
import { BrownianBridge, IntegratedBridge } from './bridge.js';
import { AHEAD, type Cell, Lattice } from './lattice.js';
import { mix } from './random.js';

/** Options that every simulated clock has. */
export const ReadingOptions = {
  granularity: time('Smallest difference between two readings.', { min: 0, max: 1 }).prefault('1 ns'),
  latency: time('From asking for the time to the instant that is read, at least.', { min: 0, max: 0.05 }).prefault(0),
  latencyJitter: time('Mean of an exponential part on top of `latency` (both together: 50 ms at most).', {
    min: 0,
    max: 0.05,
  }).prefault(0),
};

/** Options of a clock that is an oscillator of parts with figures of its own. */
export function presetOptions(figures: {
  readonly frequencyError: string;
  readonly granularity: string;
  readonly latency: string;
  readonly latencyJitter: string;
  readonly parts: readonly ({ readonly use: string } & Readonly<Record<string, unknown>>)[];
}) {
  return z.strictObject({
    timeError: time('Clock − true at the start: positive, ahead.').prefault(0),
    frequencyError: ratio('Constant fractional frequency error: positive, fast.').prefault(figures.frequencyError),
    parts: PartsOption.prefault(figures.parts.map(part => ({ ...part }))),
    granularity: ReadingOptions.granularity.prefault(figures.granularity),
    latency: ReadingOptions.latency.prefault(figures.latency),
    latencyJitter: ReadingOptions.latencyJitter.prefault(figures.latencyJitter),
  });
}

/** A program waits no longer than this for a reading: the noises' lattices look back no further. */
const LONGEST_LATENCY = 0.05;

/** Parts of a clock's error, each a plugin of kind `noise`. */
export const PartsOption = z
  .array(choice('noise', 'A part of the clock’s error.'))
  .meta({ description: 'Further parts of its error: noises, ageing, temperature. They add up.' });

/** What makes an oscillator. SI units. */
export interface OscillatorSettings {
  /** Clock − true at the start, seconds. */
  readonly timeError: number;
  readonly frequencyError: number;
  /** Allan deviation at 1 s of white FM. */
  readonly whiteFm?: number;
  /** Deviation of the frequency's random walk after 1 s. */
  readonly wander?: number;
  readonly granularity: number;
  readonly latency: number;
  readonly latencyJitter: number;
}

/** The parts of a clock as plugins, named by what they are: another part before one leaves its draws alone. */
export function makeParts(choices: readonly PluginChoice[], make: PluginFactory): NoisePart[] {
  const seen = new Map<string, number>();
  return choices.map(chosen => {
    const twins = seen.get(chosen.use) ?? 0;
    seen.set(chosen.use, twins + 1);
    return make('noise', chosen, twins === 0 ? chosen.use : `${chosen.use}#${twins}`);
  });
}

/** Bridges are refined until what is left is under a hundredth of the granularity. */
const NEGLIGIBLE_SHARE = 0.01;

const bits = new Float64Array(1);
const halves = new Uint32Array(bits.buffer);

/**
 * An oscillator: x(t) = x₀ + y₀·t + white FM + random-walk FM + its parts.
 *
 * The noise of its own lives on a lattice of 1 s, drawn in order: per cell the phase gains σ_w·N (white FM), and the
 * walking frequency y gains w·N₁ while the phase it carries gains y + w·(N₁/2 + N₂/√12), the exact covariance of a
 * Wiener process and its integral. Between lattice points stand the bridges of both: exact in distribution.
 *
 * Reading it takes `latency` and an exponential time on top, a function of the instant and not of who asks.
 */
export class OscillatorModel implements ClockModel {
  readonly world = 'simulated';
  readonly granularity: number;

  private readonly lattice: Lattice | undefined;
  private readonly white: BrownianBridge;
  private readonly walk: IntegratedBridge;
  private readonly salt: number;
  /** Noise at the whole seconds from `sumsFrom` on; undefined where a part cannot say it ahead. */
  private readonly sums: Float64Array | undefined;
  private sumsFrom = Number.NEGATIVE_INFINITY;
  private lastTime = Number.NaN;
  private lastNoise = 0;

  constructor(
    private readonly settings: OscillatorSettings,
    private readonly parts: readonly NoisePart[],
    stream: RandomStream,
  ) {
    const { whiteFm = 0, wander = 0, granularity } = settings;
    this.granularity = granularity;
    const negligible = Math.max(granularity, 1e-12) * NEGLIGIBLE_SHARE;
    this.white = new BrownianBridge(whiteFm, 1, negligible);
    this.walk = new IntegratedBridge(wander, 1, negligible);
    this.salt = stream.uint32();
    if (parts.every(part => part.addPhases !== undefined)) this.sums = new Float64Array(AHEAD);
    if (whiteFm === 0 && wander === 0) return;
    this.lattice = new Lattice(1, this.salt, (cell, before) => {
      cell.white = before?.whiteEnd ?? 0;
      cell.start = before?.end ?? 0;
      cell.frequency = before?.frequencyEnd ?? 0;
      cell.whiteEnd = whiteFm === 0 ? 0 : cell.white + whiteFm * stream.normal();
      if (wander === 0) {
        cell.end = 0;
        cell.frequencyEnd = 0;
        return;
      }
      const first = stream.normal();
      const second = stream.normal();
      cell.frequencyEnd = cell.frequency + wander * first;
      cell.end = cell.start + cell.frequency + wander * (first / 2 + second / Math.sqrt(12));
    });
  }

  phase(t: number): number {
    const { timeError, frequencyError } = this.settings;
    const linear = timeError + frequencyError * t;
    // One event reads the clock several times.
    if (t !== this.lastTime) {
      this.lastNoise = this.noise(t);
      this.lastTime = t;
    }
    return linear + this.lastNoise;
  }

  frequency(t: number): number {
    let frequency = this.settings.frequencyError;
    if (this.lattice !== undefined) frequency += this.lattice.at(t).frequency;
    for (const part of this.parts) frequency += part.frequency(t);
    return frequency;
  }

  latency(t: number): number {
    const { latency, latencyJitter } = this.settings;
    if (latencyJitter === 0) return latency;
    // A draw that is a function of the instant.
    bits[0] = t;
    const draw = (mix(mix(this.salt ^ 0x6c617465, halves[0]!), halves[1]!) + 0.5) / 4294967296;
    return Math.min(LONGEST_LATENCY, latency - latencyJitter * Math.log(draw));
  }

  private noise(t: number): number {
    const { sums } = this;
    if (sums !== undefined && t >= this.sumsFrom && Number.isInteger(t)) {
      if (t >= this.sumsFrom + AHEAD) this.sumUp(sums, t);
      return sums[t - this.sumsFrom]!;
    }
    let noise = this.lattice === undefined ? 0 : this.own(this.lattice.at(t), t);
    const { parts } = this;
    for (let i = 0; i < parts.length; i++) noise += parts[i]!.phase(t);
    return noise;
  }

  /** Most readings are at whole seconds, where truth is sampled: one part after another makes a minute of them. */
  private sumUp(sums: Float64Array, from: number): void {
    this.sumsFrom = from;
    sums.fill(0);
    if (this.lattice !== undefined) {
      for (let i = 0; i < AHEAD; i++) sums[i] = this.own(this.lattice.at(from + i), from + i);
    }
    for (const part of this.parts) part.addPhases!(from, sums);
  }

  private own(cell: Cell, t: number): number {
    const within = t - cell.k;
    if (within === 0) return cell.white + cell.start;
    return (
      this.white.at(within, cell.white, cell.whiteEnd, cell.hash) + this.walk.at(within, cell, cell.hash ^ 0x2545f491)
    );
  }
}
