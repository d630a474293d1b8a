import { EMPTY } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, test } from 'vitest';
import type { SourceEvent } from '../../../src/core/contracts/index.js';
import { closeRounds } from '../../../src/core/pipeline/rounds.js';
import { at, measured } from '../../support/estimation.js';

const answer = (source: string): SourceEvent => ({ type: 'exchange', exchange: measured(0, 0, 1, source).exchange });
const failure = (source: string): SourceEvent => ({
  type: 'failure',
  failure: { source, sent: at(0), settled: at(1), reason: 'timeout' },
});

/** Capitals fail. */
const events = Object.fromEntries(
  ['a', 'b', 'c', 'd'].flatMap(name => [
    [name, answer(name)],
    [name.toUpperCase(), failure(name)],
  ]),
);

const named = (round: readonly SourceEvent[]): string =>
  round.map(event => (event.type === 'exchange' ? event.exchange.source : event.failure.source.toUpperCase())).join('');

/** Rounds of a marble diagram of events; `owed` says after each event how many answers are still owed. */
function rounds(marbles: string, owed: readonly number[], expected: string, values: Record<string, string>): void {
  const scheduler = new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted));
  scheduler.run(({ hot, expectObservable }) => {
    let heard = 0;
    const source = hot(marbles, events);
    source.subscribe({ next: () => heard++, error: () => {} });
    const closed = source.pipe(closeRounds(() => owed[heard - 1] ?? 0));
    const parts = Object.entries(values).map(([key, names]) => [key, [...names].map(name => events[name])]);
    expectObservable(closed).toBe(expected, Object.fromEntries(parts));
  });
}

describe('a round closes', () => {
  test('when no source owes an answer', () => {
    rounds('a---b-----c---d--|', [1, 0, 1, 0], '----x---------y--|', { x: 'ab', y: 'cd' });
  });

  test('with every event by itself where questions do not overlap', () => {
    rounds('a-b-a-|', [0, 0, 0], 'x-y-z-|', { x: 'a', y: 'b', z: 'a' });
  });

  test('with failures in it', () => {
    rounds('a-B-c-|', [2, 1, 0], '----x-|', { x: 'aBc' });
    rounds('A-----|', [0], 'x-----|', { x: 'A' });
  });

  test('before a source would be in it twice, so that one that is silent holds nobody back', () => {
    rounds('a--a--a-B--|', [1, 1, 1, 0], '---x--y-z--|', { x: 'a', y: 'a', z: 'aB' });
  });

  test('when the sources end, with what there is', () => {
    rounds('a-b---|', [2, 1], '------(x|)', { x: 'ab' });
  });

  test('not at all without an event', () => {
    const heard: string[] = [];
    EMPTY.pipe(closeRounds(() => 0)).subscribe(round => heard.push(named(round)));
    expect(heard).toEqual([]);
  });

  test('and an error of a source is handed on', () => {
    rounds('a-#', [1], '--#', {});
  });
});
