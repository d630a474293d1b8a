import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { signed } from '../../core/plugin/chaos-draws.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { ratio } from '../../core/quantity.js';

const Options = z.strictObject({
  rate: ratio('What the wall clock gains: positive, forward.').prefault('500 ppm'),
});

/** Another daemon slews the wall clock, at a constant rate for as long as the fault lasts; the counter does not notice. */
@plugin({
  kind: 'fault',
  name: 'slew-episode',
  summary: 'Another daemon slews the wall clock',
  options: Options,
  chaos: random => ({ rate: signed(random, 1e-6, 5e-4) }),
})
export class SlewEpisode implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject({ clock }: FaultTarget): () => void {
    return clock.slewWall(this.options.rate);
  }
}
