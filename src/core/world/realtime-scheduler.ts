import type { Clock, Task } from '../contracts/index.js';
import { BaseScheduler, isPromise } from './scheduler.js';
import { TaskHeap } from './task-heap.js';
import type { RunControl } from './virtual-scheduler.js';

/** setTimeout counts milliseconds in 31 bits; longer waits are taken in turns. */
const LONGEST_TIMER = 0x7fffffff;
const PROGRESS_PERIOD = 100;

/** Real time: tasks wait for this machine's counter. */
export class RealtimeScheduler extends BaseScheduler {
  private readonly heap = new TaskHeap();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private due: number | undefined;
  private ended: ((error?: unknown) => void) | undefined;

  constructor(private readonly clock: Clock) {
    super();
  }

  get time(): number {
    return this.due ?? this.clock.read().counter;
  }

  at(time: number, run: () => void): Task {
    const task = this.heap.add(time, run);
    if (task.index === 0) this.arm();
    return task;
  }

  /** Real time waits for nobody, and nobody for another's answer: each is delivered when it comes. */
  override settle<T>(answer: T | PromiseLike<T>, deliver: (value: T) => void, fail: (error: unknown) => void): void {
    if (!isPromise(answer)) {
      deliver(answer);
      return;
    }
    answer.then(deliver, fail).then(undefined, error => this.ended?.(error));
  }

  /** Lets time pass until the counter reads `until`, the signal aborts, or `stop` is called. */
  async run(until: number, control: RunControl = {}): Promise<boolean> {
    const { signal, onSlice } = control;
    const progress = onSlice && setInterval(() => onSlice(this.time), PROGRESS_PERIOD);
    const last = Number.isFinite(until) ? this.at(until, () => this.stop()) : undefined;
    // Without a task nothing else may keep the process alive.
    const alive = setInterval(() => {}, LONGEST_TIMER);
    const onAbort = (): void => this.stop();
    try {
      await new Promise<void>((resolve, reject) => {
        this.ended = error => (error === undefined ? resolve() : reject(error));
        if (signal?.aborted) resolve();
        else signal?.addEventListener('abort', onAbort, { once: true });
      });
    } finally {
      signal?.removeEventListener('abort', onAbort);
      last?.cancel();
      clearInterval(alive);
      if (progress !== undefined) clearInterval(progress);
      clearTimeout(this.timer);
      this.timer = undefined;
      this.ended = undefined;
    }
    onSlice?.(this.time);
    return !signal?.aborted;
  }

  stop(): void {
    this.ended?.();
  }

  private arm(): void {
    clearTimeout(this.timer);
    const next = this.heap.nextTime;
    if (next === Number.POSITIVE_INFINITY) return;
    const wait = Math.ceil((next - this.clock.read().counter) * 1000);
    this.timer = setTimeout(this.fire, Math.min(LONGEST_TIMER, Math.max(0, wait)));
  }

  private readonly fire = (): void => {
    const counter = this.clock.read().counter;
    while (this.heap.nextTime <= counter) {
      const task = this.heap.pop()!;
      // A timer is never early, and at best a millisecond late: punctual enough to count as on time.
      this.due = counter - task.time < 2e-3 ? task.time : counter;
      try {
        task.run();
      } catch (error) {
        this.ended?.(error);
      } finally {
        this.due = undefined;
      }
    }
    this.arm();
  };
}
