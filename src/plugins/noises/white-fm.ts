import { inject } from 'inversify';
import type { z } from 'zod';
import type { NoisePart } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Streams } from '../../core/plugin/tokens.js';
import { BrownianBridge } from '../../core/world/bridge.js';
import { Lattice } from '../../core/world/lattice.js';
import { levelOf, noiseOptions } from '../../core/world/noise-level.js';

const Options = noiseOptions(0, '1/Hz');

/**
 * White frequency noise: the phase is a Wiener process, σ_y(τ) = √(h₀/2τ). Between the lattice's points a Brownian
 * bridge: exact in distribution.
 */
@plugin({
  kind: 'noise',
  name: 'white-fm',
  summary: 'White frequency noise, ADEV ∝ τ^−½',
  options: Options,
  example: { adev: '1e-11' },
})
export class WhiteFm implements NoisePart {
  private readonly lattice: Lattice;
  private readonly bridge: BrownianBridge;

  constructor(@inject(PluginOptions) options: z.output<typeof Options>, @inject(Streams) streams: Streams) {
    const stream = streams('noise');
    const { step } = options;
    const deviation = Math.sqrt(levelOf(0, options) / 2);
    this.bridge = new BrownianBridge(deviation, step, options.negligible);
    this.lattice = new Lattice(step, stream.uint32(), (cell, before) => {
      cell.start = before?.end ?? 0;
      cell.end = cell.start + deviation * Math.sqrt(step) * stream.normal();
    });
  }

  phase(t: number): number {
    const cell = this.lattice.at(t);
    const within = t - cell.k * this.lattice.step;
    return within <= 0 ? cell.start : this.bridge.at(within, cell.start, cell.end, cell.hash);
  }

  addPhases(first: number, sums: Float64Array): void {
    this.lattice.addPhases(this, first, sums);
  }

  frequency(): number {
    return 0;
  }
}
