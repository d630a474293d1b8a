import { inject } from 'inversify';
import type { z } from 'zod';
import type { NoisePart } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Streams } from '../../core/plugin/tokens.js';
import { StationaryBridge } from '../../core/world/bridge.js';
import { FlickerSeries } from '../../core/world/flicker.js';
import { Lattice } from '../../core/world/lattice.js';
import { levelOf, noiseOptions } from '../../core/world/noise-level.js';
import { powerLawLevel } from '../../core/world/power-law.js';

const Options = noiseOptions(1, '1/Hz²');

/**
 * Flicker phase noise of the bandwidth f_h = 1/(2·step): σ_y(τ)² = h₁·(1.038 + 3·ln(2π·f_h·τ))/(4π²τ²). Between the
 * lattice's points the variance is the same.
 */
@plugin({
  kind: 'noise',
  name: 'flicker-pm',
  summary: 'Flicker phase noise, ADEV nearly ∝ 1/τ',
  options: Options,
  example: { adev: '1e-11' },
})
export class FlickerPm implements NoisePart {
  private readonly lattice: Lattice;
  private readonly bridge: StationaryBridge;

  constructor(@inject(PluginOptions) options: z.output<typeof Options>, @inject(Streams) streams: Streams) {
    const stream = streams('noise');
    const { step } = options;
    const h = levelOf(1, options);
    // τ²·ADEV² at τ = step is half the mean square of the second difference of neighbours.
    const meanSquare = (2 * step ** 2 * h) / powerLawLevel(1, 1, step, step);
    const series = new FlickerSeries(h / (4 * Math.PI ** 2), { order: 2, meanSquare }, () => stream.normal());
    const variance = series.covariance(0);
    this.bridge = new StationaryBridge(variance > 0 ? series.covariance(1) / variance : 0, step);
    this.lattice = new Lattice(step, stream.uint32(), (cell, before) => {
      cell.start = before?.end ?? series.next();
      cell.end = series.next();
    });
  }

  phase(t: number): number {
    const cell = this.lattice.at(t);
    const within = t - cell.k * this.lattice.step;
    return within <= 0 ? cell.start : this.bridge.at(within, cell.start, cell.end);
  }

  addPhases(first: number, sums: Float64Array): void {
    this.lattice.addPhases(this, first, sums);
  }

  frequency(): number {
    return 0;
  }
}
