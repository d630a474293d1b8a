import type { Clock, Task } from '../contracts/index.js';
import { BaseScheduler, isPromise } from './scheduler.js';
import { TaskHeap } from './task-heap.js';
import type { RunControl } from './virtual-scheduler.js';

/** setTimeout counts milliseconds in 31 bits; longer waits are taken in turns. */
const LONGEST_TIMER = 0x7fffffff;
const PROGRESS_PERIOD = 100;

/**
 * setTimeout waits on another clock than this one counts, by up to 500 ppm apart: a wait longer than this (seconds) is
 * cut a thousandth short, and what is left is waited for again.
 */
const LONG_WAIT = 0.5;
const CAUTION = 1e-3;

/** A task that is later than this (seconds) learns how late it is: `time` then tells the counter. */
const PUNCTUAL = 2e-3;

/** How long tasks that are due may keep the event loop to themselves, seconds: packets have to be stamped. */
const SLICE = 0.02;

/** Real time: tasks wait for this machine's counter. They run while `run` does, and never early. */
export class RealtimeScheduler extends BaseScheduler {
  private readonly heap = new TaskHeap();
  private readonly listeners: ((to: number) => void)[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private due: number | undefined;
  private ended: (() => void) | undefined;
  private until = Number.POSITIVE_INFINITY;
  private stopped = false;
  private failure: { readonly error: unknown } | undefined;

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

  /**
   * Real time waits for nobody: each answer is delivered when it comes, so that a slow one (a name server's, a model's)
   * holds up only who asked. One that comes after the end is dropped.
   */
  override settle<T>(answer: T | PromiseLike<T>, deliver: (value: T) => void, fail: (error: unknown) => void): void {
    if (!isPromise(answer)) {
      deliver(answer);
      return;
    }
    answer.then(
      value => this.stopped || this.guarded(() => deliver(value)),
      error => this.stopped || this.guarded(() => fail(error)),
    );
  }

  /** Calls the listener about ten times a second while `run` does, at each `advance`, and at the end of the run. */
  onAdvance(listener: (to: number) => void): void {
    this.listeners.push(listener);
  }

  /** Before something happens: tells the listeners that until now nothing has, so that they sample what was. */
  advance(): void {
    const to = Math.min(this.time, this.until);
    for (const listener of this.listeners) listener(to);
  }

  /**
   * Lets time pass until the counter reads `until`, the signal aborts, or `stop` is called; true if it got there. What a
   * task, a listener or a delivered answer throws ends it, and is thrown on.
   */
  async run(until: number, control: RunControl = {}): Promise<boolean> {
    const { signal, onSlice } = control;
    this.until = until;
    let finished = false;
    const slice = (): void => {
      this.advance();
      onSlice?.(Math.min(this.time, until));
    };
    const abort = (): void => this.stop();
    const ending = new Promise<void>(resolve => {
      this.ended = resolve;
    });
    // Also keeps the process alive while no task is left to wait for.
    const progress = setInterval(() => this.guarded(slice), PROGRESS_PERIOD);
    const last = Number.isFinite(until)
      ? this.at(until, () => {
          finished = true;
          this.stop();
        })
      : undefined;
    signal?.addEventListener('abort', abort, { once: true });
    if (this.stopped || signal?.aborted) this.stop();
    else this.arm();
    await ending;
    this.ended = undefined;
    signal?.removeEventListener('abort', abort);
    last?.cancel();
    clearInterval(progress);
    clearTimeout(this.timer);
    if (this.failure === undefined) this.guarded(slice);
    if (this.failure !== undefined) throw this.failure.error;
    return finished;
  }

  /** Ends `run` after the current task; before it, ends it as it begins. */
  stop(): void {
    this.stopped = true;
    this.ended?.();
  }

  /** Runs what a packet, a promise or a timer sets off: what it throws ends the run instead of the process. */
  guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.failure ??= { error };
      this.stop();
    }
  }

  private arm(): void {
    clearTimeout(this.timer);
    const next = this.heap.nextTime;
    if (this.ended === undefined || this.stopped || next === Number.POSITIVE_INFINITY) return;
    const left = next - this.clock.read().counter;
    const wait = Math.ceil((left > LONG_WAIT ? left * (1 - CAUTION) : left) * 1000);
    this.timer = setTimeout(this.fire, Math.min(LONGEST_TIMER, Math.max(0, wait)));
  }

  private readonly fire = (): void => {
    const sliceEnd = this.clock.read().counter + SLICE;
    let last = Number.NEGATIVE_INFINITY;
    while (!this.stopped) {
      const { counter } = this.clock.read();
      const next = this.heap.nextTime;
      // Tasks of one instant run together: no answer to the first comes between them.
      if (next > counter || (counter > sliceEnd && next > last)) break;
      const task = this.heap.pop()!;
      last = task.time;
      this.due = counter - task.time < PUNCTUAL ? task.time : counter;
      this.guarded(task.run);
      this.due = undefined;
    }
    this.arm();
  };
}
