import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  to: time('What the counter reads then.').prefault(0),
});

/** The counter starts again from another value: a guest that was moved to another host. The wall clock does not notice. */
@plugin({
  kind: 'fault',
  name: 'counter-reset',
  summary: 'The counter starts again from another value',
  options: Options,
  chaos: random => ({ to: Math.floor(1e5 * random.uniform()) }),
})
export class CounterReset implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject({ clock }: FaultTarget): undefined {
    clock.resetCounter(this.options.to);
    return undefined;
  }
}
