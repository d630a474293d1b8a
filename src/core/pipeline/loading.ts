import { defer, EMPTY, ignoreElements, isObservable, Observable } from 'rxjs';
import type { Predictor, WorldScheduler } from '../contracts/index.js';

/** Loads a predictor when subscribed, and completes when it can be asked. A promise holds virtual time still. */
export function loadingOf(predictor: Predictor, scheduler: WorldScheduler): Observable<never> {
  return defer((): Observable<unknown> => {
    const loading = predictor.load?.() ?? EMPTY;
    if (isObservable(loading)) return loading;
    return new Observable(subscriber =>
      scheduler.settle(
        loading,
        () => subscriber.complete(),
        error => subscriber.error(error),
      ),
    );
  }).pipe(ignoreElements());
}
