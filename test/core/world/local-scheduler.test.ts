import fc from 'fast-check';
import { interval, map, take, timer } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { ClockModel } from '../../../src/core/contracts/index.js';
import { LocalScheduler } from '../../../src/core/world/local-scheduler.js';
import { SimulatedClock } from '../../../src/core/world/simulated-clock.js';
import { VirtualScheduler } from '../../../src/core/world/virtual-scheduler.js';
import { naively, plans, program } from '../../support/naive-scheduler.js';
import { oscillator } from '../../support/oscillator.js';

function machine(model: ClockModel) {
  const truth = new VirtualScheduler();
  const clock = new SimulatedClock(model, truth);
  return { truth, clock, scheduler: new LocalScheduler(truth, clock) };
}

const steady = (frequencyError: number, timeError = 0): ClockModel => oscillator({ frequencyError, timeError });

describe('time as a simulated machine counts it', () => {
  test.each([
    ['perfect', steady(0)],
    ['slow and behind', steady(-2e-4, -0.3)],
    ['fast and ahead', steady(5e-2, 7.77)],
  ])('on a %s clock tasks run in the order of a naive model', async (_, model) => {
    await fc.assert(
      fc.asyncProperty(plans, fc.integer({ min: 1, max: 12 }), async (all, roots) => {
        const { truth, clock, scheduler } = machine(model);
        const start = scheduler.time;
        const log = program(
          all,
          roots,
          (delay, run) => scheduler.at(scheduler.time + delay, run),
          () => Math.round((scheduler.time - start) * 1e6) / 1e6,
        );
        await truth.run(3000);
        expect(log).toEqual(naively(all, roots));
        expect(clock.counterAt(0)).toBe(start);
      }),
      { numRuns: 100 },
    );
  });

  test('a million chained tasks without delay do not grow the stack', async () => {
    const { truth, scheduler } = machine(steady(1e-5));
    let left = 1_000_000;
    const next = (): void => {
      left -= 1;
      if (left > 0) scheduler.at(scheduler.time, next);
    };
    scheduler.at(0, next);
    await truth.run(1);
    expect(left).toBe(0);
  });

  test('on a clock that is 5e-2 fast, 64 s pass early', async () => {
    const { truth, scheduler } = machine(steady(5e-2));
    const fired: number[] = [];
    timer(64_000, scheduler).subscribe(() => fired.push(truth.time, scheduler.now()));
    await truth.run(100);
    expect(fired[0]).toBeCloseTo(64 / 1.05, 9);
    expect(fired[1]).toBe(64_000);
  });

  test('`time` is exactly the due instant while a punctual task runs, and does not drift off a grid', async () => {
    const { truth, scheduler } = machine(steady(37e-6, 0.5));
    const seen: number[] = [];
    interval(1000, scheduler)
      .pipe(
        take(5000),
        map(() => scheduler.now()),
      )
      .subscribe(now => seen.push(now));
    await truth.run(6000);
    expect(seen).toEqual(Array.from({ length: 5000 }, (_, i) => 500 + (i + 1) * 1000));
  });

  test.each([
    ['faster', 5e-2],
    ['slower', -5e-2],
  ])('a timer that is running when the oscillator becomes %s fires when the counter says so', async (_, by) => {
    const { truth, clock, scheduler } = machine(steady(0));
    const fired: number[] = [];
    timer(64_000, scheduler).subscribe(() => fired.push(truth.time));
    timer(10_000, scheduler).subscribe(() => fired.push(truth.time));
    truth.at(10.25, () => clock.stepFrequency(by));
    await truth.run(100);
    expect(fired[0]).toBeCloseTo(10, 9);
    expect(fired[1]).toBeCloseTo(10.25 + (64 - 10.25) / (1 + by), 6);
  });

  test('whatever steps of frequency happen, no timer is more than a microsecond off', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.double({ min: 0.001, max: 300, noNaN: true }), { minLength: 1, maxLength: 8 }),
        fc.array(
          fc.record({
            at: fc.double({ min: 0, max: 200, noNaN: true }),
            by: fc.double({ min: -1e-2, max: 1e-2, noNaN: true }),
          }),
          { maxLength: 5 },
        ),
        async (delays, steps) => {
          const { truth, clock, scheduler } = machine(steady(1e-5));
          const late: number[] = [];
          for (const delay of delays) {
            scheduler.at(delay, () => {
              late.push(clock.counterAt(truth.time) - delay);
              expect(Math.abs(scheduler.time - delay)).toBeLessThanOrEqual(1e-6);
            });
          }
          for (const { at, by } of steps) truth.at(at, () => clock.stepFrequency(by));
          await truth.run(400);
          expect(late.length).toBe(delays.length);
          for (const lateness of late) expect(Math.abs(lateness)).toBeLessThanOrEqual(1.0001e-6);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('a step of the wall clock does not move a timer', async () => {
    const fired: number[][] = [];
    for (const step of [0, 3600, -3600]) {
      const { truth, clock, scheduler } = machine(steady(12e-6, 0.02));
      const own: number[] = [];
      fired.push(own);
      interval(7000, scheduler).subscribe(() => own.push(truth.time));
      truth.at(40, () => clock.stepWall(step));
      await truth.run(200);
    }
    expect(fired[0]!.length).toBe(28);
    expect(fired[1]).toEqual(fired[0]);
    expect(fired[2]).toEqual(fired[0]);
  });

  test('on a very noisy oscillator timers are never early, and no later than the noise of two seconds', async () => {
    const { truth, clock, scheduler } = machine(oscillator({ frequencyError: 1e-4, whiteFm: 1e-5, wander: 1e-6 }));
    const off: number[] = [];
    for (let due = 0.7; due < 3000; due += 0.7) {
      scheduler.at(due, () => {
        const counter = clock.counterAt(truth.time);
        off.push(counter - due);
        expect(scheduler.time).toBe(Math.abs(counter - due) <= 1e-6 ? due : counter);
      });
    }
    await truth.run(3001);
    expect(off.length).toBe(4285);
    expect(Math.min(...off)).toBeGreaterThanOrEqual(-1e-6);
    expect(Math.max(...off)).toBeLessThan(6 * 1e-5 * Math.SQRT2);
  });

  test('when a timer fires does not depend on who else has timers', async () => {
    const dues = fc.array(fc.double({ min: 0, max: 120, noNaN: true }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(dues, dues, async (own, others) => {
        const firings = async (company: readonly number[]): Promise<readonly number[]> => {
          const { truth, scheduler } = machine(
            oscillator({ frequencyError: 1e-5, whiteFm: 1e-9, wander: 1e-9, timeError: 0.02 }),
          );
          const fired: number[] = [];
          for (const due of company) scheduler.at(due, () => scheduler.at(due + 20, () => {}));
          for (const due of own) scheduler.at(due, () => scheduler.at(due + 64, () => fired.push(truth.time)));
          await truth.run(400);
          return fired;
        };
        const alone = await firings([]);
        expect(alone.length).toBe(own.length);
        expect(await firings(others)).toEqual(alone);
      }),
      { numRuns: 200 },
    );
  });
});
