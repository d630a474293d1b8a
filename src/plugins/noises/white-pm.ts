import { inject } from 'inversify';
import type { z } from 'zod';
import type { NoisePart } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Streams } from '../../core/plugin/tokens.js';
import { StationaryBridge } from '../../core/world/bridge.js';
import { Lattice } from '../../core/world/lattice.js';
import { levelOf, noiseOptions } from '../../core/world/noise-level.js';
import { powerLawStepVariance } from '../../core/world/power-law.js';

const Options = noiseOptions(2, '1/Hz³');

/**
 * White phase noise of the bandwidth f_h = 1/(2·step): independent values on the lattice, σ_x² = h₂·f_h/(4π²), and
 * σ_y(τ) = √3·σ_x/τ. Between the lattice's points the variance is the same.
 */
@plugin({
  kind: 'noise',
  name: 'white-pm',
  summary: 'White phase noise, ADEV ∝ 1/τ',
  options: Options,
  example: { adev: '1e-11' },
})
export class WhitePm implements NoisePart {
  private readonly lattice: Lattice;
  private readonly bridge: StationaryBridge;

  constructor(@inject(PluginOptions) options: z.output<typeof Options>, @inject(Streams) streams: Streams) {
    const stream = streams('noise');
    const { step } = options;
    const deviation = Math.sqrt(powerLawStepVariance(2, levelOf(2, options), step));
    this.bridge = new StationaryBridge(0, step);
    this.lattice = new Lattice(step, stream.uint32(), (cell, before) => {
      cell.start = before?.end ?? deviation * stream.normal();
      cell.end = deviation * stream.normal();
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
