import type { Observable } from 'rxjs';
import type { ClockReading } from './clock.js';
import type { Estimate } from './estimate.js';
import type { History } from './history.js';
import type { ModelUse } from './model.js';
import type { Stateful } from './state.js';

/**
 * A plugin of kind `predictor`: the prior estimate at a reading, from what has been measured before it.
 *
 * What an implementer owes: finite numbers and a covariance that is positive semi-definite; undefined while it knows
 * too little; times taken from the measurements, never from their index. A promise holds virtual time still until it
 * is answered. It never learns from its own answers.
 */
export interface Predictor extends Stateful {
  predict(history: History, at: ClockReading): Estimate | undefined | PromiseLike<Estimate | undefined>;
  /** For state of its own: UTC has leapt, so every offset measured or believed before counts `by` seconds more. */
  leap?(by: number): void;
  /**
   * Emits when there is something new to say though nothing has been measured: an answer that took its time has come.
   * The predictor is then asked again, where its word is what is told.
   */
  readonly revised?: Observable<unknown> | undefined;
  /** For one that asks a trained model; undefined while there is none. */
  modelUse?(): ModelUse | undefined;
  /**
   * Gets ready: loads a model, say. Until that has ended (or for ever, if it fails) the predictor is not asked, and the
   * pipeline tells from its measurements. An observable may take time on the world's scheduler.
   */
  readonly load?: (() => PromiseLike<unknown> | Observable<unknown>) | undefined;
  /**
   * For `escapement validate`, which runs nothing: opens what it would load, and rejects with an `InputError` that says
   * what is wrong with it (an `UnavailableError` where this machine cannot tell).
   */
  check?(): PromiseLike<void>;
}
