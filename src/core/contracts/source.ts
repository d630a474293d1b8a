import type { Observable } from 'rxjs';
import type { SourceEvent } from './exchange.js';

/**
 * A plugin of kind `source`: asks one or more servers, or reads a recording.
 *
 * What an implementer owes: nothing happens before `start`; every question ends in exactly one event (an exchange or a
 * failure); `outstanding` counts the questions not yet ended and has been lowered when the event is emitted. Errors are
 * events, not errors of the observable.
 */
export interface Source {
  readonly events: Observable<SourceEvent>;
  readonly outstanding: number;
  /** Names of the servers it asks, for validation and tables. */
  readonly servers: readonly string[];
  start(): void;
  /** Asks at once, as far as servers have not forbidden it: the machine has been asleep. */
  askNow?(): void;
  stop(): void;
}
