import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type HeapTask, TaskHeap } from '../../../src/core/world/task-heap.js';

type Action = { readonly add: number } | { readonly cancel: number } | { readonly pop: true };

const actions = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ add: fc.integer({ min: 0, max: 12 }) }) },
    { weight: 2, arbitrary: fc.record({ cancel: fc.nat(60) }) },
    { weight: 1, arbitrary: fc.constant({ pop: true } as const) },
  ),
  { maxLength: 120 },
);

/** The same queue as a list that is searched from end to end. */
class NaiveQueue {
  readonly waiting: { readonly time: number; readonly id: number }[] = [];

  add(time: number, id: number): void {
    this.waiting.push({ time, id });
  }

  cancel(id: number): void {
    const index = this.waiting.findIndex(task => task.id === id);
    if (index >= 0) this.waiting.splice(index, 1);
  }

  pop(): number | undefined {
    const first = this.waiting.reduce<(typeof this.waiting)[number] | undefined>(
      (a, b) => (a === undefined || b.time < a.time ? b : a),
      undefined,
    );
    if (first !== undefined) this.cancel(first.id);
    return first?.id;
  }
}

describe('the heap of tasks', () => {
  test('gives them by time, ties in order of scheduling, as a list that is searched does', () => {
    fc.assert(
      fc.property(actions, (steps: readonly Action[]) => {
        const heap = new TaskHeap();
        const naive = new NaiveQueue();
        const tasks: HeapTask[] = [];
        const ids = new Map<HeapTask, number>();
        for (const step of steps) {
          if ('add' in step) {
            const id = tasks.length;
            const task = heap.add(step.add, () => {});
            tasks.push(task);
            ids.set(task, id);
            naive.add(step.add, id);
          } else if ('cancel' in step) {
            tasks[step.cancel]?.cancel();
            naive.cancel(step.cancel);
          } else {
            const task = heap.pop();
            expect(task === undefined ? undefined : ids.get(task)).toBe(naive.pop());
          }
          expect(heap.size).toBe(naive.waiting.length);
          expect(heap.nextTime).toBe(Math.min(Number.POSITIVE_INFINITY, ...naive.waiting.map(({ time }) => time)));
        }
        for (let id = naive.pop(); id !== undefined; id = naive.pop()) expect(ids.get(heap.pop()!)).toBe(id);
        expect(heap.pop()).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test('a cancelled task leaves it at once: a day of time-outs that never fire holds no memory', () => {
    const heap = new TaskHeap();
    for (let i = 0; i < 100_000; i++) {
      const timeout = heap.add(i + 1, () => {});
      timeout.cancel();
      if (heap.size !== 0) expect.fail(`the heap holds ${heap.size} after ${i + 1} cancelled tasks`);
    }
    expect(heap.nextTime).toBe(Number.POSITIVE_INFINITY);
  });

  test('cancelling twice, or after it ran, does nothing', () => {
    const heap = new TaskHeap();
    const first = heap.add(1, () => {});
    heap.add(2, () => {});
    heap.pop();
    first.cancel();
    first.cancel();
    expect(heap.size).toBe(1);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('a task at %d is refused', time => {
    expect(() => new TaskHeap().add(time, () => {})).toThrow(RangeError);
  });
});
