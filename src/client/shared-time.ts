import { type BoundedTime, type TimeRecord, timeAt } from '../core/serving/record.js';
import { SharedRecordReader } from '../platform/shared-record.js';
import type { TimeTeller } from './teller.js';
import { TimeUnknownError } from './time-unknown.js';

/** Two clocks are never read at quite the same instant; a machine that was suspended was so for longer. Nanoseconds. */
const SUSPENDED = 5_000_000n;

/** A record of no use may have been left behind: so often it is looked whether the file is another one, milliseconds. */
const RENEWAL = 200;

/** The time from the shared record of a service on this machine. */
export class SharedTime implements TimeTeller {
  private readonly reader: SharedRecordReader;
  private renewed = Number.NEGATIVE_INFINITY;

  constructor(private readonly path: string) {
    this.reader = new SharedRecordReader(path);
  }

  now(): BoundedTime {
    const found = this.find();
    if (typeof found !== 'string') return found;
    // Another service may have made another file.
    if (performance.now() - this.renewed > RENEWAL) {
      this.renewed = performance.now();
      if (this.reader.renew()) {
        const again = this.find();
        if (typeof again !== 'string') return again;
        throw new TimeUnknownError(`${this.path} ${again}`);
      }
    }
    throw new TimeUnknownError(`${this.path} ${found}`);
  }

  growth(seconds: number): { readonly maxError: number; readonly uncertainty: number } {
    const { maxErrorRate, uncertaintyRate } = this.reader.read() as TimeRecord;
    return { maxError: seconds * maxErrorRate, uncertainty: seconds * uncertaintyRate };
  }

  close(): void {
    this.reader.close();
  }

  /** The time, or why there is none. */
  private find(): BoundedTime | string {
    const record = this.reader.read();
    if ('problem' in record) return record.problem;
    if (!record.known)
      return `says that the time is not known: process ${record.writer} has no measurement, or has ended`;
    const counter = this.reader.counter();
    const gone = counter - record.counter;
    if (gone > record.validFor) {
      return `is stale: process ${record.writer} wrote it ${seconds(gone)} s ago, good for ${seconds(record.validFor)} s`;
    }
    if (gone < -record.validFor) return 'is from another start of this machine: its counter is ahead';
    const asleep = this.reader.suspended() - record.suspended;
    if (asleep > SUSPENDED || asleep < -SUSPENDED) {
      return `is from before this machine was suspended for ${seconds(asleep)} s, and nothing was written since`;
    }
    return timeAt(record, counter);
  }
}

function seconds(nanoseconds: bigint): string {
  return (Number(nanoseconds) / 1e9).toFixed(1);
}
