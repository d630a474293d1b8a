import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  second: z.enum(['inserted', 'deleted']).default('inserted').meta({ description: 'What happens to UTC.' }),
  notice: time(
    'From the announcement, which is when the fault strikes, to the end of the day that has it; left out: to the end of the UTC day.',
    {
      min: 0,
    },
  ).optional(),
});

/**
 * A leap second: UTC repeats a second (POSIX time has no name for 23:59:60) or skips one. Servers announce it for the
 * last day before it and then step, or smear it. Clients take it at the end of a UTC day, so strike in time for that.
 */
@plugin({
  kind: 'fault',
  name: 'leap-second',
  summary: 'UTC repeats or skips a second',
  options: Options,
  chaos: random => ({ second: random.uniform() < 0.5 ? 'inserted' : 'deleted' }),
})
export class LeapSecond implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): undefined {
    const { second, notice } = this.options;
    target.leapSecond(second === 'inserted' ? -1 : 1, notice);
    return undefined;
  }
}
