import { type SchedulerAction, Subscription } from 'rxjs';
import type { Task, WorldScheduler } from '../contracts/index.js';

/** What every world's scheduler shares: the RxJS face, and the one door for promises. */
export abstract class BaseScheduler implements WorldScheduler {
  abstract readonly time: number;
  abstract at(time: number, run: () => void): Task;

  private readonly owed: Owed[] = [];

  /** Milliseconds since the run's epoch, rounded to whole nanoseconds. */
  now(): number {
    return Math.round(this.time * 1e9) / 1e6;
  }

  schedule<T>(work: (this: SchedulerAction<T>, state?: T) => void, delay = 0, state?: T): Subscription {
    return new TimedAction<T>(this, work).schedule(state, delay);
  }

  settle<T>(answer: T | PromiseLike<T>, deliver: (value: T) => void, fail: (error: unknown) => void): void {
    // Also while another's answer is owed: who asks at the same instant then asks beside it, and may share its batch.
    if (!isPromise(answer)) {
      deliver(answer);
      return;
    }
    const come = (owed: Owed, delivery: () => void): void => {
      owed.deliver = delivery;
      this.deliverOwed();
    };
    const owed: Owed = {
      promise: Promise.resolve(answer).then(
        value => come(owed, () => deliver(value)),
        error => come(owed, () => fail(error)),
      ),
      deliver: undefined,
    };
    this.owed.push(owed);
  }

  /** Resolves when the answer that was asked for first has been delivered; undefined if none is owed. */
  protected get firstOwed(): PromiseLike<void> | undefined {
    return this.owed[0]?.promise;
  }

  /** True while an answer is owed: nothing else may happen before it. */
  get owing(): boolean {
    return this.owed.length > 0;
  }

  private deliverOwed(): void {
    for (let first = this.owed[0]; first?.deliver !== undefined; first = this.owed[0]) {
      this.owed.shift();
      first.deliver();
    }
  }
}

interface Owed {
  readonly promise: PromiseLike<void>;
  /** Once it has come. */
  deliver: (() => void) | undefined;
}

export function isPromise<T>(answer: T | PromiseLike<T>): answer is PromiseLike<T> {
  return typeof answer === 'object' && answer !== null && 'then' in answer && typeof answer.then === 'function';
}

/** One RxJS action; rescheduling it from within its own work moves it, as RxJS's operators expect. */
class TimedAction<T> extends Subscription implements SchedulerAction<T> {
  private task: Task | undefined;

  constructor(
    private readonly scheduler: BaseScheduler,
    private readonly work: (this: SchedulerAction<T>, state?: T) => void,
  ) {
    super();
  }

  schedule(state?: T, delay = 0): Subscription {
    if (this.closed) return this;
    this.task?.cancel();
    this.task = undefined;
    // As on RxJS's own virtual scheduler: `timer(Infinity)` never fires.
    if (!Number.isFinite(delay)) return this;
    const due = (this.scheduler.now() + Math.max(0, delay)) / 1000;
    this.task = this.scheduler.at(due, () => {
      this.task = undefined;
      try {
        this.work(state);
      } catch (error) {
        this.unsubscribe();
        throw error;
      }
    });
    return this;
  }

  override unsubscribe(): void {
    this.task?.cancel();
    this.task = undefined;
    super.unsubscribe();
  }
}
