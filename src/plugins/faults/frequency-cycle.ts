import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { logUniform } from '../../core/plugin/chaos-draws.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { duration, ratio } from '../../core/quantity.js';

const Options = z.strictObject({
  amplitude: ratio("Largest change of the oscillator's fractional frequency.").prefault('1 ppm'),
  period: duration('From one crest to the next.').prefault('30 min'),
});

/** The frequency goes up and down, y = A·sin(2πt/T): an air conditioner, a load that comes and goes. */
@plugin({
  kind: 'fault',
  name: 'frequency-cycle',
  summary: 'The frequency goes up and down',
  options: Options,
  chaos: random => ({ amplitude: logUniform(random, 1e-8, 1e-5), period: logUniform(random, 300, 86400) }),
})
export class FrequencyCycle implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject({ clock }: FaultTarget): () => void {
    const { amplitude, period } = this.options;
    const omega = (2 * Math.PI) / period;
    return clock.disturbFrequency({
      frequency: elapsed => amplitude * Math.sin(omega * elapsed),
      phase: elapsed => (amplitude / omega) * (1 - Math.cos(omega * elapsed)),
    });
  }
}
