import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ArrivalWatch, arrivalAge, type KernelInstant } from '../../../src/core/ntp/arrival.js';

/** A question sent at 100 s, whose answer arrives after `flight` and is handled `busy` later. Seconds. */
interface Case {
  readonly flight: number;
  readonly busy: number;
  /** Parts per million that the realtime clock is steered by. */
  readonly slew: number;
  /** Added to the realtime clock, and when (0: sent, 1: arrived, 2: handled; none: never). */
  readonly step?: { readonly by: number; readonly at: number };
}

function ageOf({ flight, busy, slew, step }: Case) {
  const sentAt = 100;
  const stepAt = step && (step.at < 1 ? sentAt + step.at * flight : sentAt + flight + (step.at - 1) * busy);
  const at = (raw: number): KernelInstant => ({
    raw,
    realtime: 5000 + raw * (1 + slew * 1e-6) + (step && stepAt !== undefined && raw >= stepAt ? step.by : 0),
  });
  const handled = at(sentAt + flight + busy);
  return { age: arrivalAge(at(sentAt + flight).realtime, at(sentAt), handled), handled };
}

const seconds = (max: number) => fc.double({ min: 1e-4, max, noNaN: true });

describe('the age of an arrival that the kernel stamped by its realtime clock', () => {
  test('is how long the event loop was busy, on both clocks', () => {
    fc.assert(
      fc.property(seconds(1), seconds(1), fc.integer({ min: -500, max: 500 }), (flight, busy, slew) => {
        const { age } = ageOf({ flight, busy, slew });
        expect(age!.realtime).toBeCloseTo(busy * (1 + slew * 1e-6), 9);
        // The stamp is by the realtime clock: what it gained over the counter while we were busy is not known.
        expect(Math.abs(age!.raw - busy)).toBeLessThanOrEqual(busy * 501e-6 + 1e-9);
      }),
    );
  });

  test('a step between sending and handling is either seen through or not believed: never an error of its size', () => {
    const step = fc.record({
      by: fc.oneof(fc.double({ min: 2e-3, max: 1e4, noNaN: true }), fc.double({ min: -1e4, max: -2e-3, noNaN: true })),
      at: fc.double({ min: 0.01, max: 1.99, noNaN: true }),
    });
    fc.assert(
      fc.property(seconds(0.2), seconds(0.2), step, (flight, busy, step) => {
        const { age } = ageOf({ flight, busy, slew: 0, step });
        if (age !== undefined) expect(Math.abs(age.raw - busy)).toBeLessThan(1e-6);
      }),
    );
  });

  test.each([
    ['forward, while the answer waits', { by: 3600, at: 1.5 }],
    ['backward, while the answer waits', { by: -3600, at: 1.5 }],
    ['forward, while it is on its way', { by: 3600, at: 0.5 }],
    ['backward, while it is on its way', { by: -3600, at: 0.5 }],
  ])('a step of an hour %s costs nothing on the counter', (_name, step) => {
    const { age } = ageOf({ flight: 0.02, busy: 0.005, slew: 0, step });
    expect(age!.raw).toBeCloseTo(0.005, 9);
    // On the wall clock the arrival has the time that the wall clock had then.
    expect(age!.realtime).toBeCloseTo(step.at > 1 ? 0.005 + step.by : 0.005, 6);
  });

  test('a stamp from before the question, or from the future, is not believed', () => {
    const sent = { realtime: 1000, raw: 50 };
    const handled = { realtime: 1001, raw: 51 };
    expect(arrivalAge(999.9, sent, handled)).toBeUndefined();
    expect(arrivalAge(1001.1, sent, handled)).toBeUndefined();
  });
});

describe('the age of a question at who is asked', () => {
  /** The kernel's clocks, the realtime one stepped by `step` at 110 s and steered by 500 ppm. */
  const at = (raw: number, step = 0): KernelInstant => ({
    raw,
    realtime: 5000 + raw * (1 + 500e-6) + (raw >= 110 ? step : 0),
  });
  const looked = (until: number, step: number): ArrivalWatch => {
    const watch = new ArrivalWatch(at(100, step));
    for (let second = 101; second <= until; second++) watch.look(at(second, step));
    return watch;
  };

  test('is how long the event loop was busy, for each of many that came together', () => {
    const watch = looked(105, 0);
    const handled = at(105.6);
    for (const waited of [0.5, 0.4999, 0.2, 0]) {
      expect(watch.age(at(105.6 - waited).realtime, handled)).toBeCloseTo(waited * (1 + 500e-6), 9);
    }
  });

  test('is not told where the clock was stepped in the last second, by whatever was stamped before or after', () => {
    fc.assert(
      fc.property(fc.double({ min: 2e-3, max: 1000, noNaN: true }), fc.boolean(), (size, back) => {
        const step = back ? -size : size;
        const watch = looked(109, step);
        expect(watch.age(at(109.9, step).realtime, at(110.1, step))).toBeUndefined();
        expect(watch.age(at(110.05, step).realtime, at(110.2, step))).toBeUndefined();
        watch.look(at(111.15, step));
        expect(watch.age(at(111.1, step).realtime, at(111.2, step))).toBeCloseTo(0.1 * (1 + 500e-6), 9);
      }),
    );
  });

  test('is not told of what is older than a second, or from the future', () => {
    const watch = looked(105, 0);
    expect(watch.age(at(104).realtime, at(105.1))).toBeUndefined();
    expect(watch.age(at(105.2).realtime, at(105.1))).toBeUndefined();
  });
});
