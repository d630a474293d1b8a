import type { Task } from '../contracts/index.js';
import { BaseScheduler } from './scheduler.js';
import { TaskHeap } from './task-heap.js';
import type { VirtualScheduler } from './virtual-scheduler.js';

/** A clock's counter as a function of true time. */
export interface CounterOfTruth {
  counterAt(t: number): number;
  /** Fractional frequency error at t, s/s: only a guess of when a timer is due. */
  frequencyAt(t: number): number;
  /** Calls the listener when the rate has jumped (to −1 where the counter stands still), as a fault makes it: guesses made before are void. */
  onRateStep?(listener: () => void): void;
}

/** Timers are good to a microsecond, as those of an operating system at best are. */
const RESOLUTION = 1e-6;

/** How far from a whole second a first guess of a timer's instant may be wrong, seconds. */
const GUESS = 0.01;

/**
 * Time as the simulated machine counts it: tasks wait for its counter, not for true time. One wake-up in true time
 * stands for the first of them.
 *
 * When a task runs is a function of the clock and of its own due time, never of who else has timers: an exchange leaves
 * at the same instant whether or not another pipeline waits for something. So a task's instant is reckoned from the
 * clock at the last whole second of true time before it, and a far task is given a wake-up there first.
 */
export class LocalScheduler extends BaseScheduler {
  // Hard-private: a plugin holds this object, and must not find true time through it.
  readonly #truth: VirtualScheduler;
  readonly #clock: CounterOfTruth;
  readonly #heap = new TaskHeap();
  #wake: Task | undefined;
  #due: number | undefined;
  #waking = false;
  /** The counter does not move: nothing is due until it does. */
  #standing = false;
  /** The whole second that instants are reckoned from, the counter there, and its rate. */
  #second = Number.NaN;
  #counter = 0;
  #rate = 1;

  constructor(truth: VirtualScheduler, clock: CounterOfTruth) {
    super();
    this.#truth = truth;
    this.#clock = clock;
    clock.onRateStep?.(() => {
      this.#second = Number.NaN;
      this.#standing = clock.frequencyAt(truth.time) <= -1;
      this.#setWake();
    });
  }

  get time(): number {
    return this.#due ?? this.#clock.counterAt(this.#truth.time);
  }

  at(time: number, run: () => void): Task {
    const task = this.#heap.add(Math.max(time, this.time), run);
    if (task.index === 0) this.#setWake();
    return task;
  }

  override settle<T>(answer: T | PromiseLike<T>, deliver: (value: T) => void, fail: (error: unknown) => void): void {
    // What holds virtual time still is the one queue of the world's own scheduler.
    this.#truth.settle(answer, deliver, fail);
  }

  /** The true time at which the counter reads `due`, reckoned from the whole second that `now` is in. */
  #instantOf(due: number, now: number): number {
    const second = Math.floor(now);
    if (second !== this.#second) {
      this.#second = second;
      this.#counter = this.#clock.counterAt(second);
      this.#rate = Math.max(0.01, 1 + this.#clock.frequencyAt(second));
    }
    return second + (due - this.#counter) / this.#rate;
  }

  #setWake(): void {
    if (this.#waking) return;
    this.#wake?.cancel();
    this.#wake = undefined;
    const due = this.#heap.nextTime;
    if (due === Number.POSITIVE_INFINITY || this.#standing) return;
    const now = this.#truth.time;
    let instant = this.#instantOf(due, now);
    const nextSecond = Math.floor(now) + 1;
    if (instant >= nextSecond) {
      instant = Math.max(nextSecond, Math.floor(instant - GUESS));
    } else if (instant <= now) {
      // The reckoning is past, but noise may have slowed the counter since: then by as much later.
      const left = due - this.#clock.counterAt(now);
      instant = left > RESOLUTION ? now + left / this.#rate : now;
    }
    this.#wake = this.#truth.at(instant, this.#onWake);
  }

  readonly #onWake = (): void => {
    this.#wake = undefined;
    this.#waking = true;
    const now = this.#truth.time;
    let counter: number | undefined;
    try {
      while (!this.#truth.owing) {
        const due = this.#heap.nextTime;
        if (due === Number.POSITIVE_INFINITY || this.#instantOf(due, now) > now) break;
        counter ??= this.#clock.counterAt(now);
        if (due > counter + RESOLUTION) break;
        const task = this.#heap.pop()!;
        this.#due = Math.abs(counter - due) <= RESOLUTION ? due : counter;
        task.run();
      }
    } finally {
      this.#due = undefined;
      this.#waking = false;
    }
    this.#setWake();
  };
}
