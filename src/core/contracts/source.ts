import type { Observable } from 'rxjs';
import type { SourceEvent } from './exchange.js';
import type { Stateful } from './state.js';

/**
 * A plugin of kind `source`: asks one or more servers, or reads a recording.
 *
 * What an implementer owes: nothing happens before `start`; every question ends in exactly one event (an exchange or a
 * failure); `outstanding` counts the questions not yet ended and has been lowered when the event is emitted. Errors are
 * events, not errors of the observable.
 */
export interface Source extends Stateful {
  readonly events: Observable<SourceEvent>;
  readonly outstanding: number;
  /** Names of the servers it asks, for validation and tables. */
  readonly servers: readonly string[];
  /** Where those are that have a name of their own: HOST[:PORT] by name. */
  readonly addresses?: Readonly<Record<string, string>>;
  start(): void;
  /** Asks at once, as far as servers have not forbidden it: the machine has been asleep. */
  askNow?(): void;
  stop(): void;
}
