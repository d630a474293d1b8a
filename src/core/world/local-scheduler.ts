import type { Task } from '../contracts/index.js';
import { BaseScheduler } from './scheduler.js';
import { TaskHeap } from './task-heap.js';
import type { VirtualScheduler } from './virtual-scheduler.js';

/** A clock's counter as a function of true time. */
export interface CounterOfTruth {
  counterAt(t: number): number;
  /** Fractional frequency error at t, s/s: only a guess of when a timer is due. */
  frequencyAt(t: number): number;
}

/** Timers are good to a microsecond, as those of an operating system at best are. */
const RESOLUTION = 1e-6;

/** The least rate that a counter is taken to run at: one that stands still is looked at again in time. */
const SLOWEST = 1e-3;

/**
 * Time as the simulated machine counts it: tasks wait for its counter, not for true time. One wake-up in true time
 * stands for the first of them; when it comes too early, because the oscillator wandered or was paused, it is set again.
 */
export class LocalScheduler extends BaseScheduler {
  // Hard-private: a plugin holds this object, and must not find true time through it.
  readonly #truth: VirtualScheduler;
  readonly #clock: CounterOfTruth;
  readonly #heap = new TaskHeap();
  #wake: Task | undefined;
  #due: number | undefined;

  constructor(truth: VirtualScheduler, clock: CounterOfTruth) {
    super();
    this.#truth = truth;
    this.#clock = clock;
  }

  get time(): number {
    return this.#due ?? this.#clock.counterAt(this.#truth.time);
  }

  at(time: number, run: () => void): Task {
    const task = this.#heap.add(time, run);
    if (task.index === 0) this.#setWake();
    return task;
  }

  override settle<T>(answer: T | PromiseLike<T>, deliver: (value: T) => void, fail: (error: unknown) => void): void {
    // What holds virtual time still is the one queue of the world's own scheduler.
    this.#truth.settle(answer, deliver, fail);
  }

  /** Looks again at when the first task is due: the counter's frequency has changed. */
  rearm(): void {
    this.#setWake();
  }

  #setWake(): void {
    this.#wake?.cancel();
    this.#wake = undefined;
    const next = this.#heap.nextTime;
    if (next === Number.POSITIVE_INFINITY) return;
    const now = this.#truth.time;
    const remaining = next - this.#clock.counterAt(now);
    const rate = Math.max(SLOWEST, 1 + this.#clock.frequencyAt(now));
    this.#wake = this.#truth.at(now + Math.max(0, remaining) / rate, this.#onWake);
  }

  readonly #onWake = (): void => {
    this.#wake = undefined;
    const counter = this.#clock.counterAt(this.#truth.time);
    while (this.#heap.nextTime <= counter + RESOLUTION && !this.#truth.owing) {
      const task = this.#heap.pop()!;
      this.#due = Math.abs(counter - task.time) <= RESOLUTION ? task.time : counter;
      try {
        task.run();
      } finally {
        this.#due = undefined;
      }
    }
    this.#setWake();
  };
}
