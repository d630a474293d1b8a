import { inject } from 'inversify';
import { z } from 'zod';
import type { Estimate, Supervisor } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { ratio } from '../../core/quantity.js';

const Options = z.strictObject({
  form: z.enum(['text', 'oscillator']).default('oscillator').meta({
    description: '`text`: no noise but what the estimate is unsure of. `oscillator`: with the noise given here.',
  }),
  whiteFm: ratio('White frequency noise: Allan deviation at 1 s.', { min: 0 }).prefault('1e-9'),
  wander: ratio('Random walk of the frequency in √1 s.', { min: 0 }).prefault('3e-9'),
});

/**
 * How uncertainty grows with the age t of an estimate. The text's form is σ²(t) = σ_o² + 2t·cov + (σ_d·t)²; the other
 * adds what the oscillator itself does meanwhile, q_white·t + q_rw·t³/3.
 */
@plugin({
  kind: 'supervisor',
  name: 'uncertainty-growth',
  summary: 'How uncertainty grows: as the text has it, or with the oscillator’s own noise',
  options: Options,
})
export class UncertaintyGrowthSupervisor implements Supervisor {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  supervise(estimate: Estimate): Estimate {
    const { form, whiteFm, wander } = this.options;
    return form === 'text'
      ? { ...estimate, whiteFm: 0, randomWalkFm: 0 }
      : { ...estimate, whiteFm: whiteFm ** 2, randomWalkFm: wander ** 2 };
  }
}
