import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VirtualScheduler } from '../../../src/core/world/virtual-scheduler.js';
import { naively, plans, program } from '../../support/naive-scheduler.js';

describe('virtual time', () => {
  test('runs tasks in the order of a naive model, whatever they schedule and cancel when they run', async () => {
    await fc.assert(
      fc.asyncProperty(plans, fc.integer({ min: 1, max: 12 }), async (all, roots) => {
        const scheduler = new VirtualScheduler();
        const log = program(
          all,
          roots,
          (delay, run) => scheduler.at(scheduler.time + delay, run),
          () => scheduler.time,
        );
        await scheduler.run(10_000);
        expect(log).toEqual(naively(all, roots));
      }),
      { numRuns: 300 },
    );
  });

  test('a million chained tasks without delay do not grow the stack', async () => {
    const scheduler = new VirtualScheduler();
    let left = 1_000_000;
    const next = (): void => {
      left -= 1;
      if (left > 0) scheduler.at(scheduler.time, next);
    };
    scheduler.at(0, next);
    await scheduler.run(1);
    expect(left).toBe(0);
  });

  test('nor does an RxJS action that reschedules itself a million times', async () => {
    const scheduler = new VirtualScheduler();
    let left = 1_000_000;
    scheduler.schedule<undefined>(function () {
      left -= 1;
      if (left > 0) this.schedule();
    });
    await scheduler.run(1);
    expect(left).toBe(0);
  });

  test('a day with ten time-outs open at any time ends with an empty heap of the size that is needed', async () => {
    const scheduler = new VirtualScheduler();
    let fired = 0;
    const ask = (): void => {
      const timeout = scheduler.at(scheduler.time + 1, () => {
        fired += 1;
      });
      scheduler.at(scheduler.time + 0.02, () => timeout.cancel());
      if (scheduler.time < 86_400) scheduler.at(scheduler.time + 64, ask);
    };
    ask();
    await scheduler.run(90_000);
    expect(fired).toBe(0);
    expect(await scheduler.run(1e9)).toBe(true);
  });

  test('stands at `until` when it has run, with every task due by then done and none after', async () => {
    const scheduler = new VirtualScheduler();
    const log: number[] = [];
    for (const time of [1, 2, 3]) scheduler.at(time, () => log.push(time));
    expect(await scheduler.run(2)).toBe(true);
    expect(log).toEqual([1, 2]);
    expect(scheduler.time).toBe(2);
    expect(await scheduler.run(5)).toBe(true);
    expect(log).toEqual([1, 2, 3]);
    expect(scheduler.time).toBe(5);
  });

  test('starts where it is told to, before zero if need be', async () => {
    const scheduler = new VirtualScheduler(-10);
    let at = Number.NaN;
    scheduler.at(-5, () => {
      at = scheduler.time;
    });
    await scheduler.run(0);
    expect(at).toBe(-5);
  });

  test('stop() ends the run after the current task, even where others are due at the same instant', async () => {
    const scheduler = new VirtualScheduler();
    const log: string[] = [];
    scheduler.at(1, () => {
      log.push('stops');
      scheduler.stop();
    });
    scheduler.at(1, () => log.push('due at the same instant'));
    expect(await scheduler.run(10)).toBe(false);
    expect(log).toEqual(['stops']);
    expect(scheduler.time).toBe(1);
    expect(await scheduler.run(10)).toBe(true);
    expect(log).toEqual(['stops', 'due at the same instant']);
  });

  test('stop() in the very last task is an early end, too', async () => {
    const scheduler = new VirtualScheduler();
    scheduler.at(10, () => scheduler.stop());
    expect(await scheduler.run(10)).toBe(false);
  });

  test('an aborted run returns between two tasks and says so', async () => {
    const scheduler = new VirtualScheduler();
    const abort = new AbortController();
    let ran = 0;
    const forever = (): void => {
      ran += 1;
      scheduler.at(scheduler.time, forever);
    };
    forever();
    setTimeout(() => abort.abort(), 20);
    expect(await scheduler.run(10, { signal: abort.signal })).toBe(false);
    expect(ran).toBeGreaterThan(0);
    expect(scheduler.time).toBe(0);
  });

  test('an error in a task ends the run with it', async () => {
    const scheduler = new VirtualScheduler();
    scheduler.at(1, () => {
      throw new Error('from a task');
    });
    await expect(scheduler.run(2)).rejects.toThrow('from a task');
    expect(scheduler.time).toBe(1);
  });

  test('tells listeners before it advances, in stretches that touch and hold nothing in between', async () => {
    const scheduler = new VirtualScheduler();
    const log: (number | string)[] = [];
    scheduler.onAdvance(to => log.push(to));
    scheduler.at(1, () => log.push('task at 1'));
    scheduler.at(1, () => log.push('another'));
    scheduler.at(3.5, () => log.push('task at 3.5'));
    await scheduler.run(4);
    expect(log).toEqual([1, 'task at 1', 'another', 3.5, 'task at 3.5', 4]);
  });

  test('a listener is told of long stretches without events piece by piece, and of nothing once cancelled', async () => {
    const scheduler = new VirtualScheduler();
    const stretches: number[] = [];
    let last = 0;
    const listening = scheduler.onAdvance(to => {
      stretches.push(to - last);
      last = to;
    });
    await scheduler.run(86_400);
    expect(Math.max(...stretches)).toBeLessThanOrEqual(3600);
    expect(last).toBe(86_400);
    listening.cancel();
    await scheduler.run(90_000);
    expect(last).toBe(86_400);
  });
});
