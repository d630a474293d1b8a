import type { History, Measurement, MeasurementLog } from '../contracts/index.js';

/** A ring of measurements: constant memory however long the run. */
export class MeasurementRing implements MeasurementLog {
  private readonly ring: Measurement[] = [];
  private next = 0;

  constructor(private readonly capacity: number) {}

  get length(): number {
    return this.ring.length;
  }

  add(measurement: Measurement): void {
    if (this.ring.length < this.capacity) this.ring.push(measurement);
    else this.ring[this.next] = measurement;
    this.next = (this.next + 1) % this.capacity;
  }

  /** Adds to every offset, seconds: UTC has leapt. */
  shift(by: number): void {
    this.ring.forEach((measurement, index) => {
      this.ring[index] = { ...measurement, offset: measurement.offset + by };
    });
  }

  at(index: number): Measurement | undefined {
    const { length } = this.ring;
    const position = index < 0 ? length + index : index;
    if (position < 0 || position >= length) return undefined;
    return length < this.capacity ? this.ring[position] : this.ring[(this.next + position) % length];
  }

  last(n: number): readonly Measurement[] {
    const count = Math.min(n, this.ring.length);
    const out: Measurement[] = [];
    for (let i = -count; i < 0; i++) out.push(this.at(i)!);
    return out;
  }
}

/** A log of just these, oldest first. */
export function logOf(measurements: readonly Measurement[]): MeasurementLog {
  return {
    length: measurements.length,
    at: index => measurements.at(index),
    last: n => measurements.slice(Math.max(0, measurements.length - n)),
  };
}

/** The same history as seen by somebody who remembers the last `n` measurements only. */
export function limited(history: History, n: number): History {
  return {
    axis: history.axis,
    measurements: logOf(history.measurements.last(n)),
    observed: history.observed,
    estimate: history.estimate,
  };
}
