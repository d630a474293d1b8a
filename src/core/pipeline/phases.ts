import { catchError, concat, defer, EMPTY, ignoreElements, isObservable, NEVER, Observable, of, timer } from 'rxjs';
import type { Predictor, WorldScheduler } from '../contracts/index.js';

/** Until `running`, measurements are served directly. */
export type Phase = 'loading-model' | 'warm-up' | 'running';

/**
 * The phases of one run of a pipeline, each emitted as it begins. Measuring goes on through all of them; a predictor
 * that cannot be loaded leaves the pipeline in `loading-model` for good, and `failed` is told why.
 */
export function phasesOf(
  scheduler: WorldScheduler,
  predictor: Predictor,
  warmUp: number,
  failed: (why: string) => void,
): Observable<Phase> {
  const load = defer(() => {
    const loading = predictor.load?.() ?? EMPTY;
    return isObservable(loading) ? loading : settled(scheduler, loading);
  }).pipe(
    ignoreElements(),
    catchError((error: unknown) => {
      failed(`the model cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
      return NEVER;
    }),
  );
  return concat(
    predictor.load === undefined ? EMPTY : of('loading-model' as const),
    load,
    warmUp > 0 ? of('warm-up' as const) : EMPTY,
    warmUp > 0 ? timer(warmUp * 1000, scheduler).pipe(ignoreElements()) : EMPTY,
    of('running' as const),
  );
}

/** A promise through the one door for promises: virtual time is held still until it is answered. */
function settled(scheduler: WorldScheduler, answer: PromiseLike<unknown>): Observable<unknown> {
  return new Observable(subscriber =>
    scheduler.settle(
      answer,
      () => subscriber.complete(),
      error => subscriber.error(error),
    ),
  );
}
