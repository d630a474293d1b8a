import fc from 'fast-check';
import type { Task } from '../../src/core/contracts/index.js';

/** What a task does when it runs: schedules others after a delay (negative: in the past), cancels some by their number. */
export interface Plan {
  readonly delay: number;
  readonly children: readonly number[];
  readonly cancels: readonly number[];
}

export const plans = fc.array(
  fc.record({
    delay: fc.integer({ min: -3, max: 6 }),
    children: fc.array(fc.nat(40), { maxLength: 3 }),
    cancels: fc.array(fc.nat(80), { maxLength: 2 }),
  }),
  { minLength: 1, maxLength: 40 },
);

const MOST = 200;

/** Runs plans on anything that can schedule and cancel, and logs `number@time`. */
export function program(
  all: readonly Plan[],
  roots: number,
  at: (delay: number, run: () => void) => Task,
  now: () => number,
): string[] {
  const log: string[] = [];
  const tasks: Task[] = [];
  const start = (plan: Plan): void => {
    if (tasks.length >= MOST) return;
    const number = tasks.length;
    // Room is made first: a task may be cancelled by a number before it is known.
    tasks.push({ cancel: () => {} });
    tasks[number] = at(plan.delay, () => {
      log.push(`${number}@${now()}`);
      for (const cancelled of plan.cancels) tasks[cancelled]?.cancel();
      for (const child of plan.children) start(all[child % all.length]!);
    });
  };
  for (const plan of all.slice(0, roots)) start(plan);
  return log;
}

/** The naive model: a list, searched for the earliest, the first scheduled among equals. */
export function naively(all: readonly Plan[], roots: number): string[] {
  let now = 0;
  let waiting: { readonly time: number; readonly run: () => void }[] = [];
  const log = program(
    all,
    roots,
    (delay, run) => {
      const task = { time: Math.max(now, now + delay), run };
      waiting.push(task);
      return {
        cancel: () => {
          waiting = waiting.filter(other => other !== task);
        },
      };
    },
    () => now,
  );
  while (waiting.length > 0) {
    const first = waiting.reduce((a, b) => (b.time < a.time ? b : a));
    waiting = waiting.filter(other => other !== first);
    now = first.time;
    first.run();
  }
  return log;
}
