import { z } from 'zod';
import {
  type ClockReading,
  type CorrectedTime,
  type Estimate,
  offsetAfter,
  type Timekeeper,
  timeOn,
} from '../../core/contracts/index.js';
import { bareTime, timeWith } from '../../core/pipeline/telling.js';
import { plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({});

/**
 * Clock + offset + drift × time since the estimate (ChronoTick's Fix 1). Where the estimate says that its drift settles
 * elsewhere, the drift goes there.
 */
@plugin({
  kind: 'timekeeper',
  name: 'drift',
  summary: 'Clock + offset + drift × time since the estimate (Fix 1)',
  options: Options,
})
export class DriftTimekeeper implements Timekeeper {
  tell(estimate: Estimate | undefined, reading: ClockReading, level: number): CorrectedTime {
    if (estimate === undefined) return bareTime(reading, level);
    const { axis, at } = estimate;
    return timeWith(estimate, reading, axis, offsetAfter(estimate, timeOn(axis, reading) - timeOn(axis, at)), level);
  }
}
