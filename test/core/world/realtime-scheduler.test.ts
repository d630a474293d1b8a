import { interval, take, timer, toArray } from 'rxjs';
import { describe, expect, test, vi } from 'vitest';
import { RealtimeScheduler } from '../../../src/core/world/realtime-scheduler.js';

/** A counter that runs at `rate` against the timers of the operating system. */
function clockAt(rate: number) {
  const start = performance.now();
  return {
    read: () => {
      const counter = ((performance.now() - start) / 1000) * rate;
      return { counter, wall: counter };
    },
  };
}

function block(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

const pause = (milliseconds: number) => new Promise<void>(resolve => setTimeout(resolve, milliseconds));

describe('tasks', () => {
  test.each([0.5, 0.95, 1, 1.05])('never run early, on a clock at %f of the timers’ rate', async rate => {
    const clock = clockAt(rate);
    const scheduler = new RealtimeScheduler(clock);
    const early: number[] = [];
    let ran = 0;
    for (let i = 1; i <= 40; i++) {
      const due = i * 0.017;
      scheduler.at(due, () => {
        ran += 1;
        if (clock.read().counter < due) early.push(due);
      });
    }
    expect(await scheduler.run(0.7)).toBe(true);
    expect(early).toEqual([]);
    expect(ran).toBe(40);
  });

  test('that wait long run on time also where the operating system’s timers are 500 ppm slow', async () => {
    vi.useFakeTimers();
    try {
      const clock = clockAt(1.0005);
      const scheduler = new RealtimeScheduler(clock);
      const lateness: number[] = [];
      for (const due of [64, 1024, 9000]) scheduler.at(due, () => lateness.push(clock.read().counter - due));
      const run = scheduler.run(9001);
      await vi.advanceTimersByTimeAsync(9_000_000);
      await run;
      expect(lateness).toHaveLength(3);
      expect(Math.max(...lateness)).toBeLessThan(2e-3);
      expect(Math.min(...lateness)).toBeGreaterThanOrEqual(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test('run by time, those of one instant in the order of scheduling, and not when cancelled', async () => {
    const scheduler = new RealtimeScheduler(clockAt(1));
    const ran: string[] = [];
    const add = (time: number, name: string) => scheduler.at(time, () => ran.push(name));
    add(0.03, 'third');
    add(0.02, 'first');
    const cancelled = add(0.02, 'cancelled');
    add(0.02, 'second');
    add(-1, 'past');
    cancelled.cancel();
    scheduler.at(0.01, () => add(0.015, 'from a task'));
    await scheduler.run(0.05);
    expect(ran).toEqual(['past', 'from a task', 'first', 'second', 'third']);
  });

  test('that are due already run at once, but never synchronously', async () => {
    const scheduler = new RealtimeScheduler(clockAt(1));
    let inner = false;
    scheduler.at(0, () => {
      scheduler.at(-5, () => {
        inner = true;
      });
      expect(inner).toBe(false);
    });
    await scheduler.run(0.02);
    expect(inner).toBe(true);
  });

  test('see their due instant as the time, or the counter where they are late', async () => {
    const scheduler = new RealtimeScheduler(clockAt(1));
    const seen: number[] = [];
    // The machine may be busy: one of many tasks is punctual.
    const exact: boolean[] = [];
    for (let i = 1; i <= 50; i++) scheduler.at(i * 0.005, () => exact.push(scheduler.time === i * 0.005));
    scheduler.at(0.3, () => block(30));
    scheduler.at(0.305, () => seen.push(scheduler.time));
    await scheduler.run(0.4);
    expect(exact).toContain(true);
    expect(seen[0]).toBeGreaterThanOrEqual(0.33);
  });

  test('on a grid do not drift', async () => {
    const clock = clockAt(1);
    const scheduler = new RealtimeScheduler(clock);
    const dues: number[] = [];
    const next = (k: number): void => {
      scheduler.at(k * 0.01, () => {
        dues.push(clock.read().counter - k * 0.01);
        if (k < 60) next(k + 1);
      });
    };
    next(1);
    await scheduler.run(0.65);
    expect(dues).toHaveLength(60);
    // The last as punctual as the first: lateness does not add up.
    expect(Math.min(...dues.slice(-10))).toBeLessThan(0.01);
  });

  test('that follow each other without end leave the event loop its turns', async () => {
    const scheduler = new RealtimeScheduler(clockAt(1));
    let turns = 0;
    const again = (): void => void scheduler.at(scheduler.time, again);
    again();
    const heartbeat = setInterval(() => {
      turns += 1;
    }, 5);
    await scheduler.run(0.3);
    clearInterval(heartbeat);
    expect(turns).toBeGreaterThan(0);
  });

  test('of one instant are not parted, however long the first takes', async () => {
    const scheduler = new RealtimeScheduler(clockAt(1));
    const ran: string[] = [];
    scheduler.at(0.01, () => {
      setImmediate(() => ran.push('an answer'));
      block(40);
      ran.push('first');
    });
    scheduler.at(0.01, () => ran.push('second'));
    await scheduler.run(0.1);
    expect(ran).toEqual(['first', 'second', 'an answer']);
  });

  test('wait for the run to begin, and leave no timer behind when it ends', async () => {
    const scheduler = new RealtimeScheduler(clockAt(1));
    const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length;
    const before = timers();
    const task = vi.fn();
    scheduler.at(0.001, task);
    await pause(20);
    expect(task).not.toHaveBeenCalled();
    scheduler.at(3600, task);
    await scheduler.run(0.05);
    expect(task).toHaveBeenCalledTimes(1);
    expect(timers()).toBe(before);
    scheduler.at(0, task);
    await pause(20);
    expect(task).toHaveBeenCalledTimes(1);
  });
});

describe('the end of a run', () => {
  test('comes when the counter reads it, and with it the last slice', async () => {
    const clock = clockAt(1);
    const scheduler = new RealtimeScheduler(clock);
    const slices: number[] = [];
    expect(await scheduler.run(0.25, { onSlice: time => slices.push(time) })).toBe(true);
    expect(clock.read().counter).toBeGreaterThanOrEqual(0.25);
    expect(slices.at(-1)).toBe(0.25);
    expect(slices.length).toBeGreaterThanOrEqual(2);
  });

  test('comes early by the signal: then the run has not finished', async () => {
    const scheduler = new RealtimeScheduler(clockAt(1));
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 20);
    const started = performance.now();
    expect(await scheduler.run(Number.POSITIVE_INFINITY, { signal: abort.signal })).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('comes at once by a signal that was given before', async () => {
    const scheduler = new RealtimeScheduler(clockAt(1));
    const task = vi.fn();
    scheduler.at(0, task);
    expect(await scheduler.run(60, { signal: AbortSignal.abort() })).toBe(false);
    expect(task).not.toHaveBeenCalled();
  });

  test('comes by `stop` in a task: those after it do not run', async () => {
    const scheduler = new RealtimeScheduler(clockAt(1));
    const after = vi.fn();
    scheduler.at(0.001, () => scheduler.stop());
    scheduler.at(0.001, after);
    expect(await scheduler.run(60)).toBe(false);
    expect(after).not.toHaveBeenCalled();
  });

  test('comes by `stop` also before the run begins', async () => {
    const scheduler = new RealtimeScheduler(clockAt(1));
    scheduler.stop();
    expect(await scheduler.run(60)).toBe(false);
  });

  test('comes by what a task throws, which is thrown on; later tasks do not run', async () => {
    const scheduler = new RealtimeScheduler(clockAt(1));
    const after = vi.fn();
    scheduler.at(0.001, () => {
      throw new Error('a broken part');
    });
    scheduler.at(0.001, after);
    scheduler.at(0.01, after);
    await expect(scheduler.run(0.1)).rejects.toThrow('a broken part');
    expect(after).not.toHaveBeenCalled();
  });

  test('comes by what a listener or a slice throws', async () => {
    const listening = new RealtimeScheduler(clockAt(1));
    listening.onAdvance(() => {
      throw new Error('a full disk');
    });
    await expect(listening.run(60)).rejects.toThrow('a full disk');
    const slicing = new RealtimeScheduler(clockAt(1));
    const onSlice = () => {
      throw new Error('a closed pipe');
    };
    await expect(slicing.run(60, { onSlice })).rejects.toThrow('a closed pipe');
  });
});

describe('answers', () => {
  test('are delivered when they come: a slow one holds nobody up', async () => {
    const scheduler = new RealtimeScheduler(clockAt(1));
    const delivered: string[] = [];
    const fail = vi.fn();
    const answer = (name: string) => delivered.push(name);
    scheduler.at(0, () => {
      scheduler.settle(
        pause(80).then(() => 'slow'),
        answer,
        fail,
      );
      scheduler.settle(
        pause(10).then(() => 'quick'),
        answer,
        fail,
      );
      scheduler.settle('plain', answer, fail);
    });
    await scheduler.run(0.2);
    expect(delivered).toEqual(['plain', 'quick', 'slow']);
    expect(fail).not.toHaveBeenCalled();
  });

  test('that fail go to the asker; what the asker then throws ends the run', async () => {
    const scheduler = new RealtimeScheduler(clockAt(1));
    const failed = vi.fn();
    scheduler.at(0, () => {
      scheduler.settle(Promise.reject(new Error('no name')), () => {}, failed);
      scheduler.settle(
        pause(20).then(() => 1),
        () => {
          throw new Error('cannot use it');
        },
        () => {},
      );
    });
    await expect(scheduler.run(60)).rejects.toThrow('cannot use it');
    expect(failed).toHaveBeenCalledWith(new Error('no name'));
  });

  test('that come after the end are dropped', async () => {
    const scheduler = new RealtimeScheduler(clockAt(1));
    const deliver = vi.fn();
    scheduler.at(0, () =>
      scheduler.settle(
        pause(60).then(() => 1),
        deliver,
        deliver,
      ),
    );
    await scheduler.run(0.02);
    await pause(80);
    expect(deliver).not.toHaveBeenCalled();
  });
});

test('listeners hear of time in order, before an event that is announced, and up to the end exactly', async () => {
  const clock = clockAt(1);
  const scheduler = new RealtimeScheduler(clock);
  const heard: number[] = [];
  scheduler.onAdvance(to => heard.push(to));
  setTimeout(() => scheduler.advance(), 30);
  await scheduler.run(0.35);
  expect(heard).toEqual([...heard].sort((a, b) => a - b));
  expect(heard[0]).toBeGreaterThanOrEqual(0.025);
  expect(heard[0]).toBeLessThan(0.1);
  expect(heard.length).toBeGreaterThanOrEqual(4);
  expect(heard.at(-1)).toBe(0.35);
});

test('RxJS operators take it as their scheduler', async () => {
  const scheduler = new RealtimeScheduler(clockAt(1));
  const counted: number[][] = [];
  const ends: number[] = [];
  interval(10, scheduler)
    .pipe(take(5), toArray())
    .subscribe(values => counted.push(values));
  timer(50, scheduler).subscribe(() => ends.push(scheduler.time));
  await scheduler.run(0.2);
  expect(counted).toEqual([[0, 1, 2, 3, 4]]);
  expect(ends).toHaveLength(1);
  expect(ends[0]).toBeGreaterThanOrEqual(0.05);
});
