import { catchError, concat, EMPTY, ignoreElements, NEVER, type Observable, of, timer } from 'rxjs';
import type { Predictor, WorldScheduler } from '../contracts/index.js';
import { loadingOf } from './loading.js';

/** A pipeline reports the beginning of each phase as this and the phase's name. */
export const PHASE = 'phase ';

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
  const load = loadingOf(predictor, scheduler).pipe(
    catchError((error: unknown) => {
      failed(`the model cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
      return NEVER;
    }),
  );
  const phase = (name: Phase): Observable<Phase> => of(name);
  return concat(
    predictor.load === undefined ? EMPTY : concat(phase('loading-model'), load),
    warmUp === 0 ? EMPTY : concat(phase('warm-up'), timer(warmUp * 1000, scheduler).pipe(ignoreElements())),
    phase('running'),
  );
}
