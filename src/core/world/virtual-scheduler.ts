import type { Task } from '../contracts/index.js';
import { BaseScheduler } from './scheduler.js';
import { type HeapTask, TaskHeap } from './task-heap.js';

/** Longest stretch handed to listeners at once, seconds: keeps a run without events interruptible. */
const STRETCH = 3600;

/** How long the loop may keep the event loop to itself, milliseconds of wall time. */
const SLICE = 50;

export interface RunControl {
  readonly signal?: AbortSignal;
  /** Called between slices with the virtual time reached. */
  readonly onSlice?: (time: number) => void;
}

/** Virtual time over a binary heap: jumps from task to task, deterministic, ties in order of scheduling. */
export class VirtualScheduler extends BaseScheduler {
  private readonly heap = new TaskHeap();
  private readonly listeners: ((to: number) => void)[] = [];
  private current: number;
  private stopped = false;

  constructor(start = 0) {
    super();
    this.current = start;
  }

  get time(): number {
    return this.current;
  }

  at(time: number, run: () => void): HeapTask {
    return this.heap.add(Math.max(time, this.current), run);
  }

  /**
   * Calls the listener before time advances to `to`: between now and then nothing happens, so what is sampled at
   * instants in (now, to] is the state before the events at `to`.
   */
  onAdvance(listener: (to: number) => void): Task {
    this.listeners.push(listener);
    return {
      cancel: () => {
        const index = this.listeners.indexOf(listener);
        if (index >= 0) this.listeners.splice(index, 1);
      },
    };
  }

  /**
   * Lets a listener move on to an instant of its stretch, so that whoever asks for the time while it samples there is
   * told that instant.
   */
  glide(to: number): void {
    if (to > this.current) this.current = to;
  }

  /** When the next task is due; Infinity if there is none. */
  get nextTime(): number {
    return this.heap.nextTime;
  }

  /** Tasks that wait. */
  get pending(): number {
    return this.heap.size;
  }

  /** Runs all tasks due up to `time` at once, and stands there: for worlds that follow real time. */
  advanceTo(time: number): void {
    for (let next = this.heap.nextTime; next <= time; next = this.heap.nextTime) {
      if (this.advance(next)) this.heap.pop()!.run();
    }
    while (!this.advance(time));
  }

  /** Ends `run` after the current task, at the current time. */
  stop(): void {
    this.stopped = true;
  }

  /** Runs all tasks due up to `until` (included), then stands there. Returns false if it was stopped or aborted. */
  async run(until: number, control: RunControl = {}): Promise<boolean> {
    const { signal, onSlice } = control;
    this.stopped = false;
    const aborted = abortion(signal);
    let sliceEnd = performance.now() + SLICE;
    let steps = 0;
    let done = false;
    while (!this.stopped && !signal?.aborted) {
      const owed = this.firstOwed;
      if (owed !== undefined) {
        // An answer that never comes must not keep an interrupted run from its end.
        await (aborted === undefined ? owed : Promise.race([owed, aborted]));
        continue;
      }
      const next = this.heap.nextTime;
      if (next > until) {
        done = this.advance(until);
        if (done) break;
      } else if (this.advance(next)) {
        this.heap.pop()!.run();
      }
      if ((++steps & 63) === 0 && performance.now() > sliceEnd) {
        onSlice?.(this.current);
        await new Promise<void>(resolve => setImmediate(resolve));
        sliceEnd = performance.now() + SLICE;
      }
    }
    onSlice?.(this.current);
    return done;
  }

  /** Moves time towards `to`, one stretch at most; true when it has got there. */
  private advance(to: number): boolean {
    if (to <= this.current) return true;
    const reached = Math.min(to, this.current + STRETCH);
    for (const listener of this.listeners) listener(reached);
    this.current = reached;
    return reached === to;
  }
}

/** Resolves when the signal aborts. */
function abortion(signal: AbortSignal | undefined): Promise<void> | undefined {
  if (signal === undefined) return undefined;
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
}
