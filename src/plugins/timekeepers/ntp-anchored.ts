import { inject } from 'inversify';
import { z } from 'zod';
import {
  type ClockReading,
  type CorrectedTime,
  type Estimate,
  type Timekeeper,
  timeOn,
} from '../../core/contracts/index.js';
import { bareTime, timeWith } from '../../core/pipeline/telling.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({
  elapsed: z.enum(['counter', 'wall']).default('counter').meta({
    description: 'Which clock counts the time since the anchor; `wall`, as the original did, walks into steps of it.',
  }),
});

/**
 * Walks from the last measurement: a_true + e·(1 + drift), with e the time that the counter has counted since
 * (ChronoTick's Fix 2; `elapsed: wall` counts it as the original's script did). Steps of the wall clock do not reach it; the noise of that one measurement does, in full. Until
 * there is a measurement to walk from it equals `drift`.
 */
@plugin({
  kind: 'timekeeper',
  name: 'ntp-anchored',
  summary: 'Walks from the last measurement on the counter (Fix 2)',
  options: Options,
})
export class NtpAnchoredTimekeeper implements Timekeeper {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  tell(estimate: Estimate | undefined, reading: ClockReading, level: number): CorrectedTime {
    if (estimate === undefined) return bareTime(reading, level);
    const { anchor, axis, at, drift } = estimate;
    if (anchor === undefined) {
      const walked = estimate.offset + drift * (timeOn(axis, reading) - timeOn(axis, at));
      return timeWith(estimate, reading, axis, walked, level);
    }
    const walkedOn = this.options.elapsed;
    const elapsed = timeOn(walkedOn, reading) - timeOn(walkedOn, anchor.at);
    const offset = anchor.time - timeOn(walkedOn, anchor.at) + drift * elapsed;
    const told = timeWith(estimate, reading, walkedOn, offset, level);
    // The estimate's bounds are about the estimate's own time: they widen by how far the walk is from that.
    const believed = timeOn(axis, reading) + estimate.offset + drift * (timeOn(axis, reading) - timeOn(axis, at));
    const apart = Math.abs(told.time - believed);
    return { ...told, uncertainty: (told.uncertainty ?? 0) + apart, maxError: (told.maxError ?? 0) + apart };
  }
}
