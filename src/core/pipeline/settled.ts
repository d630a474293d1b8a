import { Observable } from 'rxjs';
import type { WorldScheduler } from '../contracts/index.js';

/**
 * Asks when subscribed, and emits the one answer through the scheduler's door for promises: in the order of asking, with
 * virtual time held still meanwhile. (Plain `mergeMap(async …)` would let time run on.)
 */
export function settled<T>(scheduler: WorldScheduler, ask: () => T | PromiseLike<T>): Observable<T> {
  return new Observable<T>(subscriber => {
    let answer: T | PromiseLike<T>;
    try {
      answer = ask();
    } catch (error) {
      subscriber.error(error);
      return;
    }
    scheduler.settle(
      answer,
      value => {
        subscriber.next(value);
        subscriber.complete();
      },
      error => subscriber.error(error),
    );
  });
}
