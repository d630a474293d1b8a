import { inject } from 'inversify';
import { z } from 'zod';
import type { NoisePart } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { ratio } from '../../core/quantity.js';

const Options = z.strictObject({ by: ratio('Fractional frequency error: positive, fast.') });

/** A constant frequency error, y = by. */
@plugin({
  kind: 'noise',
  name: 'frequency-offset',
  summary: 'Constant frequency error',
  options: Options,
  example: { by: '1 ppm' },
})
export class FrequencyOffset implements NoisePart {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  phase(t: number): number {
    return this.options.by * t;
  }

  addPhases(first: number, sums: Float64Array): void {
    for (let i = 0; i < sums.length; i++) sums[i]! += this.phase(first + i);
  }

  frequency(): number {
    return this.options.by;
  }
}
