import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Answer, Estimate } from '../../../src/core/contracts/index.js';
import { timeWith } from '../../../src/core/pipeline/telling.js';
import { happenedBefore } from '../../../src/core/serving/ordering.js';
import {
  RECORD_LENGTH,
  RecordReader,
  RecordWriter,
  type TimeRecord,
  timeAt,
} from '../../../src/core/serving/record.js';
import { recordOf } from '../../../src/core/serving/record-of.js';

const double = fc.double({ noNaN: true, noDefaultInfinity: true });
const nanoseconds = fc.bigInt({ min: 0n, max: 2n ** 62n });
const text = fc.string({
  unit: fc.integer({ min: 33, max: 126 }).map(code => String.fromCharCode(code)),
  maxLength: 32,
});
const record: fc.Arbitrary<TimeRecord> = fc.record({
  known: fc.boolean(),
  counter: nanoseconds,
  time: nanoseconds,
  drift: double,
  uncertainty: double,
  level: double,
  uncertaintyRate: double,
  maxError: double,
  maxErrorRate: double,
  age: double,
  validFor: nanoseconds,
  suspended: nanoseconds,
  writer: fc.nat(4_194_304),
  by: text,
  pipeline: text,
});

describe('the shared record', () => {
  test('reads as it was written, and one after another', () => {
    const memory = new ArrayBuffer(RECORD_LENGTH);
    const [writer, reader] = [new RecordWriter(memory), new RecordReader(memory)];
    fc.assert(
      fc.property(record, one => {
        writer.write(one);
        expect(reader.read()).toEqual(one);
        expect(reader.read()).toEqual(one);
      }),
    );
  });

  test('has the layout that docs/connect.md tells readers in other languages', () => {
    const memory = new ArrayBuffer(RECORD_LENGTH);
    new RecordWriter(memory).write({
      ...{ known: true, counter: 1n, time: 2n, drift: 3, uncertainty: 4, level: 5, uncertaintyRate: 6, maxError: 7 },
      ...{ maxErrorRate: 8, age: 9, validFor: 10n, suspended: 11n, writer: 12, by: 'kalman', pipeline: 'first' },
    });
    const view = new DataView(memory);
    expect(new TextDecoder().decode(memory.slice(0, 4))).toBe('ECTM');
    expect([4, 8, 12].map(at => view.getUint32(at, true))).toEqual([1, 2, 1]);
    expect([16, 24, 88, 96].map(at => view.getBigInt64(at, true))).toEqual([1n, 2n, 10n, 11n]);
    expect([32, 40, 48, 56, 64, 72, 80].map(at => view.getFloat64(at, true))).toEqual([3, 4, 5, 6, 7, 8, 9]);
    expect(view.getUint32(104, true)).toBe(12);
    expect(new TextDecoder().decode(memory.slice(128, 135))).toBe('kalman\0');
    expect(new TextDecoder().decode(memory.slice(160, 166))).toBe('first\0');
  });

  test('says what is wrong with what is no record', () => {
    const memory = new ArrayBuffer(RECORD_LENGTH);
    expect(new RecordReader(memory).read()).toEqual({ problem: 'holds no record of the time' });
    new RecordWriter(memory).write({
      ...{ known: true, counter: 1n, time: 2n, drift: 3, uncertainty: 4, level: 5, uncertaintyRate: 6, maxError: 7 },
      ...{ maxErrorRate: 8, age: 9, validFor: 10n, suspended: 11n, writer: 12, by: '', pipeline: '' },
    });
    new DataView(memory).setUint32(4, 9, true);
    expect(new RecordReader(memory).read()).toEqual({ problem: 'holds a record of version 9; this reader knows 1' });
    new DataView(memory).setUint32(8, 3, true);
    expect(new RecordReader(memory).read()).toEqual({ problem: 'is only half written: its writer has died' });
  });

  test('a writer that died in the middle is made good by the next', () => {
    const memory = new ArrayBuffer(RECORD_LENGTH);
    new DataView(memory).setUint32(8, 5, true);
    const [one] = fc.sample(record, 1) as [TimeRecord];
    new RecordWriter(memory).write(one);
    expect(new RecordReader(memory).read()).toEqual(one);
  });
});

const EPOCH = 1_767_225_600;
const ORIGIN = 5_000_000_000_000n;
const estimate: Estimate = {
  ...{ at: { wall: 90, counter: 90 }, axis: 'counter', offset: 0.1, drift: 12e-6, by: 'kalman' },
  ...{ p00: 1e-8, p01: 0, p11: 1e-12, whiteFm: 1e-14, randomWalkFm: 1e-16, maxError: 0.02, maxErrorRate: 15e-6 },
};
const told = (seconds: number, believed = estimate): Answer => {
  const reading = { wall: 100.25 + seconds, counter: 100.25 + seconds };
  const tau = reading.counter - believed.at.counter;
  const { offset, drift, settling } = believed;
  const bend =
    settling === undefined
      ? 0
      : (settling.drift - drift) *
        settling.relaxation *
        (Math.exp(-tau / settling.relaxation) - 1 + tau / settling.relaxation);
  return {
    pipeline: 'p',
    reading,
    told: timeWith(believed, reading, 'counter', offset + drift * tau + bend, 0.95),
    estimate: believed,
  };
};

describe('the line that the record holds', () => {
  const counterAt = (seconds: number): bigint => ORIGIN + BigInt(Math.round((100.25 + seconds) * 1e9));
  const made = (believed: Estimate, validFor = 30) => ({
    ...recordOf(told(0, believed), seconds => told(seconds, believed), { epoch: EPOCH, origin: ORIGIN, validFor }),
    ...{ suspended: 0n, writer: 1 },
  });

  test.each([
    ['a drift', estimate],
    ['a drift that bends', { ...estimate, settling: { drift: -20e-6, relaxation: 20, variance: 0 } }],
  ])('tells at any instant of its life what the run would, with bounds that hold its own: %s', (_, believed) => {
    const line = made(believed);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 30, noNaN: true }), after => {
        const truly = told(after, believed).told;
        const read = timeAt(line, counterAt(after));
        const apart = Number(read.nanoseconds - BigInt(EPOCH) * 1_000_000_000n) / 1e9 - truly.time;
        expect(Math.abs(apart)).toBeLessThan(believed.settling === undefined ? 3e-9 : 1e-4);
        expect(read.maxError).toBeGreaterThanOrEqual(truly.maxError! - 1e-9);
        expect(read.maxError - truly.maxError!).toBeLessThan(1e-3);
        expect(read.uncertainty).toBeGreaterThanOrEqual(truly.uncertainty! * 0.95);
        expect(read.earliest).toBeLessThan(EPOCH + truly.time - truly.maxError! + 1e-6);
        expect(read.latest).toBeGreaterThan(EPOCH + truly.time + truly.maxError! - 1e-6);
      }),
    );
  });

  test('ends before the estimate does', () => {
    const expiring = (seconds: number): Answer =>
      seconds < 10
        ? told(seconds)
        : { ...told(seconds), told: { ...told(seconds).told, by: 'bare-clock', maxError: undefined } };
    const line = recordOf(told(0), expiring, { epoch: EPOCH, origin: ORIGIN, validFor: 30 });
    expect(line.validFor).toBe(7_500_000_000n);
    expect(line.drift).toBeCloseTo(12e-6, 9);
  });
});

test('of two events one was before the other only where their bounds are apart', () => {
  const at = (earliest: number, latest: number) => ({ earliest, latest });
  expect(happenedBefore(at(1, 2), at(3, 4))).toBe(true);
  expect(happenedBefore(at(3, 4), at(1, 2))).toBe(false);
  expect(happenedBefore(at(1, 3), at(2, 4))).toBeUndefined();
  expect(happenedBefore(at(1, 2), at(2, 3))).toBeUndefined();
  expect(() => happenedBefore(at(2, 1), at(3, 4))).toThrow('expected earliest ≤ latest');
  const bounds = fc.tuple(double, double).map(([a, b]) => at(Math.min(a, b), Math.max(a, b)));
  fc.assert(
    fc.property(bounds, bounds, (a, b) => {
      const [there, back] = [happenedBefore(a, b), happenedBefore(b, a)];
      expect(there).toBe(back === undefined ? undefined : !back);
    }),
  );
});
