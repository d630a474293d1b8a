import { inject } from 'inversify';
import type { z } from 'zod';
import type { NoisePart } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Streams } from '../../core/plugin/tokens.js';
import { FlickerSeries } from '../../core/world/flicker.js';
import { Lattice } from '../../core/world/lattice.js';
import { levelOf, noiseOptions } from '../../core/world/noise-level.js';

const Options = noiseOptions(-1, 'dimensionless');

/**
 * Flicker frequency noise: σ_y(τ) = √(2 ln 2·h₋₁), the same at every τ from the lattice's step on. The series holds the
 * mean frequency of each step; within a step the frequency is constant, so at τ under a step the noise fades out.
 */
@plugin({
  kind: 'noise',
  name: 'flicker-fm',
  summary: 'Flicker frequency noise, ADEV the same at all τ',
  options: Options,
  example: { adev: '1e-11' },
})
export class FlickerFm implements NoisePart {
  private readonly lattice: Lattice;

  constructor(@inject(PluginOptions) options: z.output<typeof Options>, @inject(Streams) streams: Streams) {
    const stream = streams('noise');
    const { step } = options;
    const h = levelOf(-1, options);
    // ADEV² is half the mean square of the difference of neighbouring means.
    const series = new FlickerSeries(h, { order: 1, meanSquare: 4 * Math.LN2 * h }, () => stream.normal());
    this.lattice = new Lattice(step, stream.uint32(), (cell, before) => {
      cell.start = before === undefined ? 0 : before.start + before.frequency * step;
      cell.frequency = series.next();
    });
  }

  phase(t: number): number {
    const cell = this.lattice.at(t);
    return cell.start + cell.frequency * (t - cell.k * this.lattice.step);
  }

  addPhases(first: number, sums: Float64Array): void {
    this.lattice.addPhases(this, first, sums);
  }

  frequency(t: number): number {
    return this.lattice.at(t).frequency;
  }
}
