import type { Task } from '../contracts/index.js';

/**
 * A binary heap of tasks by time, ties in order of scheduling. A cancelled task leaves the heap at once, so a day of
 * timeouts that never fire holds no memory.
 */
export class TaskHeap {
  private readonly tasks: HeapTask[] = [];
  private scheduled = 0;

  get size(): number {
    return this.tasks.length;
  }

  /** When the first task is due; Infinity if there is none. */
  get nextTime(): number {
    return this.tasks.length === 0 ? Number.POSITIVE_INFINITY : this.tasks[0]!.time;
  }

  add(time: number, run: () => void): HeapTask {
    if (!(time < Number.POSITIVE_INFINITY))
      throw new RangeError(`a task's time must be a finite number, found ${time}`);
    const task = new HeapTask(this, time, this.scheduled++, run);
    task.index = this.tasks.length;
    this.tasks.push(task);
    this.up(task);
    return task;
  }

  /** Takes the first task out. */
  pop(): HeapTask | undefined {
    const first = this.tasks[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  remove(task: HeapTask): void {
    const { index } = task;
    if (index < 0) return;
    task.index = -1;
    const last = this.tasks.pop()!;
    if (last === task) return;
    this.tasks[index] = last;
    last.index = index;
    this.up(last);
    this.down(last);
  }

  private up(task: HeapTask): void {
    let { index } = task;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const other = this.tasks[parent]!;
      if (!before(task, other)) break;
      this.tasks[index] = other;
      other.index = index;
      index = parent;
    }
    this.tasks[index] = task;
    task.index = index;
  }

  private down(task: HeapTask): void {
    const { length } = this.tasks;
    let { index } = task;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= length) break;
      if (child + 1 < length && before(this.tasks[child + 1]!, this.tasks[child]!)) child++;
      const other = this.tasks[child]!;
      if (!before(other, task)) break;
      this.tasks[index] = other;
      other.index = index;
      index = child;
    }
    this.tasks[index] = task;
    task.index = index;
  }
}

function before(a: HeapTask, b: HeapTask): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}

export class HeapTask implements Task {
  index = -1;

  constructor(
    private readonly heap: TaskHeap,
    readonly time: number,
    readonly order: number,
    readonly run: () => void,
  ) {}

  cancel(): void {
    this.heap.remove(this);
  }
}
