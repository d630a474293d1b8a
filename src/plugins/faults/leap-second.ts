import { inject } from 'inversify';
import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  second: z.enum(['inserted', 'deleted']).default('inserted').meta({ description: 'What happens to UTC.' }),
  notice: time('From the announcement, which is when the fault strikes, to the end of the UTC day that has it.', {
    min: 0,
  }).prefault('1 d'),
});

/**
 * A leap second: UTC repeats a second (POSIX time has no name for 23:59:60) or skips one. Servers announce it for the
 * last day before it and then step, or smear it. Clients take it at the end of a UTC day, so strike in time for that.
 */
@plugin({ kind: 'fault', name: 'leap-second', summary: 'UTC repeats or skips a second', options: Options })
export class LeapSecond implements Fault {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  inject(target: FaultTarget): undefined {
    const { second, notice } = this.options;
    // A deleted second is the last of its day: UTC jumps where it would begin.
    if (second === 'inserted') target.leapSecond(-1, notice);
    else target.leapSecond(1, Math.max(0, notice - 1));
    return undefined;
  }
}
