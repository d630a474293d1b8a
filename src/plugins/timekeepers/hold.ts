import { z } from 'zod';
import {
  type ClockReading,
  type CorrectedTime,
  type Estimate,
  type Timekeeper,
  timeOn,
} from '../../core/contracts/index.js';
import { bareTime, timeWith } from '../../core/pipeline/telling.js';
import { plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({});

/** Clock + offset: the last offset held until the next estimate (ChronoTick's V2). Drift goes uncorrected. */
@plugin({ kind: 'timekeeper', name: 'hold', summary: 'Clock + offset (V2)', options: Options })
export class HoldTimekeeper implements Timekeeper {
  tell(estimate: Estimate | undefined, reading: ClockReading, level: number): CorrectedTime {
    if (estimate === undefined) return bareTime(reading, level);
    const told = timeWith(estimate, reading, estimate.axis, estimate.offset, level);
    // What holding leaves out is known: the bounds widen by it.
    const left = Math.abs(estimate.drift * (timeOn(estimate.axis, reading) - timeOn(estimate.axis, estimate.at)));
    return { ...told, uncertainty: (told.uncertainty ?? 0) + left, maxError: (told.maxError ?? 0) + left };
  }
}
