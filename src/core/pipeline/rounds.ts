import { Observable, type OperatorFunction } from 'rxjs';
import type { SourceEvent } from '../contracts/index.js';

/**
 * Gathers events into rounds. A round closes when no source owes an answer, and before a source would be in it twice
 * (one that never answers in time must not hold the others back):
 *
 *     events   a---b-----c---x---d--|      (x: a failure)
 *     owed     1   0     2   1   0
 *     rounds   ----[ab]----------[cxd]-|
 */
export function closeRounds(outstanding: () => number): OperatorFunction<SourceEvent, readonly SourceEvent[]> {
  return events =>
    new Observable(subscriber => {
      let round: SourceEvent[] = [];
      return events.subscribe({
        next: event => {
          if (round.some(other => sourceOf(other) === sourceOf(event))) {
            const closed = round;
            round = [];
            subscriber.next(closed);
          }
          round.push(event);
          if (outstanding() > 0) return;
          const closed = round;
          round = [];
          subscriber.next(closed);
        },
        error: error => subscriber.error(error),
        complete: () => {
          if (round.length > 0) subscriber.next(round);
          subscriber.complete();
        },
      });
    });
}

function sourceOf(event: SourceEvent): string {
  return event.type === 'exchange' ? event.exchange.source : event.failure.source;
}
