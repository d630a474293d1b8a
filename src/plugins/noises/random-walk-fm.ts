import { inject } from 'inversify';
import type { z } from 'zod';
import type { NoisePart } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Streams } from '../../core/plugin/tokens.js';
import { IntegratedBridge } from '../../core/world/bridge.js';
import { Lattice } from '../../core/world/lattice.js';
import { levelOf, noiseOptions } from '../../core/world/noise-level.js';

const Options = noiseOptions(-2, 'Hz');

/**
 * Random-walk frequency noise: dy = w·dW with w² = 2π²·h₋₂, so σ_y(τ) = w·√(τ/3). Per lattice step h the frequency
 * gains w·√h·N₁ and the phase y·h + w·h^(3/2)·(N₁/2 + N₂/√12), the exact covariance of a Wiener process and its
 * integral; between the lattice's points the bridge of such a pair: exact in distribution.
 */
@plugin({
  kind: 'noise',
  name: 'random-walk-fm',
  summary: 'Random-walk frequency noise, ADEV ∝ τ^½',
  options: Options,
  example: { adev: '1e-11' },
})
export class RandomWalkFm implements NoisePart {
  private readonly lattice: Lattice;
  private readonly bridge: IntegratedBridge;

  constructor(@inject(PluginOptions) options: z.output<typeof Options>, @inject(Streams) streams: Streams) {
    const stream = streams('noise');
    const { step } = options;
    const deviation = Math.PI * Math.sqrt(2 * levelOf(-2, options));
    const gain = deviation * Math.sqrt(step);
    this.bridge = new IntegratedBridge(deviation, step, options.negligible);
    this.lattice = new Lattice(step, stream.uint32(), (cell, before) => {
      cell.start = before?.end ?? 0;
      cell.frequency = before?.frequencyEnd ?? 0;
      const first = stream.normal();
      const second = stream.normal();
      cell.frequencyEnd = cell.frequency + gain * first;
      cell.end = cell.start + step * (cell.frequency + gain * (first / 2 + second / Math.sqrt(12)));
    });
  }

  phase(t: number): number {
    const cell = this.lattice.at(t);
    const within = t - cell.k * this.lattice.step;
    return within <= 0 ? cell.start : this.bridge.at(within, cell, cell.hash);
  }

  addPhases(first: number, sums: Float64Array): void {
    this.lattice.addPhases(this, first, sums);
  }

  frequency(t: number): number {
    return this.lattice.at(t).frequency;
  }
}
