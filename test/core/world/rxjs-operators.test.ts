import fc from 'fast-check';
import {
  asapScheduler,
  asyncScheduler,
  auditTime,
  bufferTime,
  concat,
  concatMap,
  debounceTime,
  defer,
  delay,
  delayWhen,
  EMPTY,
  expand,
  from,
  generate,
  interval,
  map,
  merge,
  mergeMap,
  NEVER,
  type Observable,
  observeOn,
  of,
  pairwise,
  range,
  repeat,
  retry,
  type SchedulerLike,
  sampleTime,
  scan,
  scheduled,
  shareReplay,
  startWith,
  subscribeOn,
  switchMap,
  take,
  takeUntil,
  throttleTime,
  throwError,
  timeInterval,
  timeout,
  timer,
  timestamp,
  toArray,
  VirtualAction,
  VirtualTimeScheduler,
  windowTime,
  zip,
} from 'rxjs';
import { describe, expect, test } from 'vitest';
import { LocalScheduler } from '../../../src/core/world/local-scheduler.js';
import { VirtualScheduler } from '../../../src/core/world/virtual-scheduler.js';

/** Runs are cut off here, milliseconds. */
const END = 3000;

type Story = (scheduler: SchedulerLike) => Observable<unknown>;

/** Every notification with the virtual millisecond at which it came. */
function record(story: Story, scheduler: SchedulerLike): string[] {
  const log: string[] = [];
  const note = (what: string): void => void log.push(`${scheduler.now()} ${what}`);
  story(scheduler).subscribe({
    next: value => note(JSON.stringify(value)),
    error: error => note(`error ${error instanceof Error ? error.message : String(error)}`),
    complete: () => note('complete'),
  });
  return log;
}

function onRxjs(story: Story): string[] {
  const scheduler = new VirtualTimeScheduler(VirtualAction, END);
  const log = record(story, scheduler);
  scheduler.flush();
  return log;
}

async function onVirtualScheduler(story: Story): Promise<string[]> {
  const scheduler = new VirtualScheduler();
  const log = record(story, scheduler);
  await scheduler.run(END / 1000);
  return log;
}

async function onPerfectLocalClock(story: Story): Promise<string[]> {
  const truth = new VirtualScheduler();
  const log = record(story, new LocalScheduler(truth, { counterAt: t => t, frequencyAt: () => 0 }));
  await truth.run(END / 1000);
  return log;
}

/** A source that emits 0, 1, 2, … after the given gaps. */
const bursts =
  (gaps: readonly number[]) =>
  (s: SchedulerLike): Observable<number> =>
    concat(...gaps.map((gap, value) => timer(gap, s).pipe(map(() => value))));

const uneven = bursts([5, 1, 1, 30, 0, 2, 70, 3, 200, 1, 40]);

const stories: Readonly<Record<string, Story>> = {
  'timer(n)': s => timer(17, s),
  'timer(0)': s => timer(0, s),
  'timer(n, period)': s => timer(17, 5, s).pipe(take(6)),
  'timer(Infinity)': s => merge(timer(Number.POSITIVE_INFINITY, s), timer(3, s)),
  'timer(date)': s => timer(new Date(s.now() + 250), s),
  'several timers due at once': s => merge(...[3, 1, 3, 2, 1].map((n, i) => timer(n, s).pipe(map(() => i)))),
  interval: s => interval(100, s).pipe(take(5)),
  'interval(0)': s => interval(0, s).pipe(take(5)),
  'two intervals that meet': s =>
    merge(interval(20, s).pipe(map(i => `a${i}`)), interval(30, s).pipe(map(i => `b${i}`))).pipe(take(20)),
  delay: s => uneven(s).pipe(delay(13, s)),
  'delay(date)': s => uneven(s).pipe(delay(new Date(s.now() + 60), s)),
  'delayWhen timer': s => uneven(s).pipe(delayWhen(i => timer((i * 37) % 50, s))),
  'timeout that is kept': s => uneven(s).pipe(timeout({ each: 500, scheduler: s })),
  'timeout that is broken': s => uneven(s).pipe(timeout({ each: 100, scheduler: s })),
  'timeout to the first': s => timer(50, s).pipe(timeout({ first: 20, with: () => of('late'), scheduler: s })),
  'timeout of one who is silent': s => NEVER.pipe(timeout({ each: 64, scheduler: s })),
  debounceTime: s => uneven(s).pipe(debounceTime(10, s)),
  throttleTime: s => uneven(s).pipe(throttleTime(20, s)),
  'throttleTime, trailing': s => uneven(s).pipe(throttleTime(20, s, { leading: true, trailing: true })),
  auditTime: s => uneven(s).pipe(auditTime(20, s)),
  sampleTime: s => uneven(s).pipe(sampleTime(25, s)),
  bufferTime: s => uneven(s).pipe(bufferTime(50, s)),
  'bufferTime, overlapping, of limited size': s => uneven(s).pipe(bufferTime(60, 25, 3, s)),
  windowTime: s =>
    uneven(s).pipe(
      windowTime(50, s),
      mergeMap((window, i) =>
        window.pipe(
          toArray(),
          map(values => [i, values]),
        ),
      ),
    ),
  'windowTime, overlapping': s =>
    uneven(s).pipe(
      windowTime(60, 25, s),
      mergeMap((window, i) => window.pipe(map(value => [i, value]))),
    ),
  observeOn: s => of(1, 2, 3).pipe(observeOn(s)),
  'observeOn with a delay': s => uneven(s).pipe(observeOn(s, 7)),
  subscribeOn: s => of(1, 2, 3).pipe(subscribeOn(s)),
  'subscribeOn with a delay': s => uneven(s).pipe(subscribeOn(s, 40)),
  'scheduled from a list': s => scheduled([1, 2, 3], s),
  'range and generate': s =>
    merge(
      scheduled(range(0, 3), s),
      generate(
        1,
        x => x < 50,
        x => x * 3,
        s,
      ),
    ),
  'retry after a timer': s => {
    let failures = 0;
    return defer(() => (failures++ < 3 ? throwError(() => new Error('not yet')) : of('done'))).pipe(
      retry({ delay: (_, count) => timer(count * 10, s) }),
    );
  },
  'repeat after a timer': s => of('again').pipe(repeat({ count: 4, delay: () => timer(12, s) })),
  'repeat at once': s => timer(8, s).pipe(repeat(3)),
  'switchMap to timers': s => uneven(s).pipe(switchMap(i => timer(10, s).pipe(map(() => i)))),
  'concatMap to timers': s => uneven(s).pipe(concatMap(i => timer(10, s).pipe(map(() => i)))),
  expand: s => of(1).pipe(expand(x => (x > 100 ? EMPTY : of(x * 2).pipe(delay(x, s))))),
  timestamp: s => uneven(s).pipe(timestamp(s)),
  timeInterval: s => uneven(s).pipe(timeInterval(s)),
  'shareReplay with a window': s => {
    const shared = uneven(s).pipe(shareReplay({ bufferSize: 3, windowTime: 60, refCount: true, scheduler: s }));
    return merge(shared, timer(150, s).pipe(mergeMap(() => shared.pipe(map(i => `late ${i}`)))));
  },
  'takeUntil at the same instant': s => interval(10, s).pipe(takeUntil(timer(50, s))),
  'zip, scan and pairwise': s =>
    zip(interval(7, s), interval(11, s)).pipe(
      scan((sum, [a, b]) => sum + a + b, 0),
      pairwise(),
      take(5),
    ),
  'startWith and asap': s => scheduled([1], s).pipe(startWith(0)),
};

describe("RxJS's operators give the same notifications at the same virtual milliseconds as on its own scheduler", () => {
  test.each(Object.entries(stories))('%s', async (_, story) => {
    const expected = onRxjs(story);
    expect(expected.length).toBeGreaterThan(0);
    expect(await onVirtualScheduler(story)).toEqual(expected);
    expect(await onPerfectLocalClock(story)).toEqual(expected);
  });

  test('any burst of events through any of the operators that count time', async () => {
    const n = fc.integer({ min: 0, max: 40 });
    const operators = fc.oneof(
      fc
        .tuple(n)
        .map(([a]): [string, (s: SchedulerLike) => (o: Observable<number>) => Observable<unknown>] => [
          `delay(${a})`,
          s => o => o.pipe(delay(a, s)),
        ]),
      fc
        .tuple(n)
        .map(
          ([a]) =>
            [
              `debounceTime(${a})`,
              (s: SchedulerLike) => (o: Observable<number>) => o.pipe(debounceTime(a, s)),
            ] as const,
        ),
      fc
        .tuple(n)
        .map(
          ([a]) =>
            [
              `throttleTime(${a})`,
              (s: SchedulerLike) => (o: Observable<number>) =>
                o.pipe(throttleTime(a, s, { leading: a % 2 === 0, trailing: true })),
            ] as const,
        ),
      fc
        .tuple(n)
        .map(
          ([a]) =>
            [`auditTime(${a})`, (s: SchedulerLike) => (o: Observable<number>) => o.pipe(auditTime(a, s))] as const,
        ),
      fc
        .tuple(n)
        .map(
          ([a]) =>
            [
              `sampleTime(${a + 1})`,
              (s: SchedulerLike) => (o: Observable<number>) => o.pipe(sampleTime(a + 1, s)),
            ] as const,
        ),
      fc
        .tuple(n)
        .map(
          ([a]) =>
            [
              `bufferTime(${a + 1})`,
              (s: SchedulerLike) => (o: Observable<number>) => o.pipe(bufferTime(a + 1, s)),
            ] as const,
        ),
      fc
        .tuple(n)
        .map(
          ([a]) =>
            [
              `timeout(${a})`,
              (s: SchedulerLike) => (o: Observable<number>) => o.pipe(timeout({ each: a, scheduler: s })),
            ] as const,
        ),
      fc
        .tuple(n)
        .map(
          ([a]) =>
            [`observeOn(${a})`, (s: SchedulerLike) => (o: Observable<number>) => o.pipe(observeOn(s, a))] as const,
        ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(n, { minLength: 1, maxLength: 15 }), operators, async (gaps, [, operator]) => {
        const story: Story = s => operator(s)(bursts(gaps)(s));
        const expected = onRxjs(story);
        expect(await onVirtualScheduler(story)).toEqual(expected);
        expect(await onPerfectLocalClock(story)).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  test('fractions of milliseconds are kept to the nanosecond', async () => {
    const seen: number[] = [];
    const scheduler = new VirtualScheduler();
    interval(0.1, scheduler)
      .pipe(take(10))
      .subscribe(() => seen.push(scheduler.now()));
    await scheduler.run(1);
    expect(seen).toEqual([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
  });

  test('an action that is unsubscribed from within its own work does not run again', async () => {
    const scheduler = new VirtualScheduler();
    let runs = 0;
    const action = scheduler.schedule<undefined>(function () {
      runs += 1;
      this.schedule(undefined, 10);
      if (runs === 3) action.unsubscribe();
    }, 10);
    await scheduler.run(1);
    expect(runs).toBe(3);
  });

  test('an error in scheduled work ends the run, and the action with it', async () => {
    const scheduler = new VirtualScheduler();
    let runs = 0;
    scheduler.schedule<undefined>(function () {
      runs += 1;
      this.schedule(undefined, 10);
      throw new Error('in scheduled work');
    });
    await expect(scheduler.run(1)).rejects.toThrow('in scheduled work');
    await scheduler.run(1);
    expect(runs).toBe(1);
  });
});

describe('what does not run in virtual time (docs/virtual-time.md)', () => {
  const real = async (story: Story): Promise<string[]> => {
    const scheduler = new VirtualScheduler();
    const log = record(story, scheduler);
    await scheduler.run(END / 1000);
    return log;
  };

  test('retry and repeat with a number for a delay wait in real time', async () => {
    let failures = 0;
    const flaky = defer(() => (failures++ < 1 ? throwError(() => new Error('not yet')) : of('done')));
    expect(await real(() => flaky.pipe(retry({ delay: 20 })))).toEqual([]);
    expect(await real(() => of('once').pipe(repeat({ count: 2, delay: 20 })))).toEqual(['0 "once"']);
  });

  test('so do asyncScheduler and asapScheduler, which operators use where none is given', async () => {
    expect(await real(() => timer(5))).toEqual([]);
    expect(await real(() => of(1).pipe(observeOn(asyncScheduler)))).toEqual([]);
    expect(await real(() => of(1).pipe(observeOn(asapScheduler)))).not.toContain('0 1');
  });

  test('and promises: they are answered when virtual time has gone on, unless they pass through `settle`', async () => {
    const answers: number[] = [];
    const scheduler = new VirtualScheduler();
    timer(1000, scheduler)
      .pipe(mergeMap(() => from(Promise.resolve(1))))
      .subscribe(() => answers.push(scheduler.now()));
    scheduler.at(1.5, () => {});
    await scheduler.run(2);
    await Promise.resolve();
    expect(answers).toEqual([2000]);
  });
});
