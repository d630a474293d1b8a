import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LocalScheduler } from '../../../src/core/world/local-scheduler.js';
import type { BaseScheduler } from '../../../src/core/world/scheduler.js';
import { VirtualScheduler } from '../../../src/core/world/virtual-scheduler.js';

const perfect = { counterAt: (t: number) => t, frequencyAt: () => 0 };

interface Asker {
  readonly name: string;
  make(): { readonly truth: VirtualScheduler; readonly scheduler: BaseScheduler };
}

const askers: readonly Asker[] = [
  {
    name: 'the virtual scheduler',
    make: () => {
      const truth = new VirtualScheduler();
      return { truth, scheduler: truth };
    },
  },
  {
    name: "a machine's own scheduler",
    make: () => {
      const truth = new VirtualScheduler();
      return { truth, scheduler: new LocalScheduler(truth, perfect) };
    },
  },
];

const later = <T>(milliseconds: number, value: T): Promise<T> =>
  new Promise(resolve => setTimeout(() => resolve(value), milliseconds));

describe.each(askers)('the one door for promises of $name', ({ make }) => {
  test('delivers in the order of asking, whatever order the answers come in', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            kind: fc.constantFrom('promise', 'rejection', 'plain'),
            rank: fc.nat(100),
            at: fc.integer({ min: 0, max: 3 }),
          }),
          { minLength: 1, maxLength: 12 },
        ),
        async questions => {
          const { truth, scheduler } = make();
          const log: string[] = [];
          const asked: string[] = [];
          const open: { readonly rank: number; readonly answer: () => void }[] = [];
          questions.forEach(({ kind, rank, at }, number) => {
            scheduler.at(at, () => {
              const name = `${number}@${at}`;
              if (kind !== 'plain') asked.push(kind === 'rejection' ? `fails ${name}` : name);
              const deliver = (value: string): void => void log.push(value);
              const fail = (error: unknown): void => void log.push(String(error));
              if (kind === 'plain') {
                let delivered: string | undefined;
                scheduler.settle(
                  name,
                  value => {
                    delivered = value;
                  },
                  fail,
                );
                expect(delivered).toBe(name);
              } else {
                scheduler.settle(
                  new Promise<string>((resolve, reject) => {
                    const answer = (): void => (kind === 'promise' ? resolve(name) : reject(`fails ${name}`));
                    open.push({ rank, answer });
                  }),
                  deliver,
                  fail,
                );
              }
            });
          });
          const running = truth.run(10);
          let finished = false;
          void running.then(() => {
            finished = true;
          });
          while (!finished) {
            open.sort((a, b) => a.rank - b.rank);
            open.shift()?.answer();
            await later(0, undefined);
          }
          expect(log).toEqual(asked);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('holds virtual time still until the answer has come', async () => {
    const { truth, scheduler } = make();
    const log: string[] = [];
    scheduler.at(1, () => {
      log.push('asked');
      scheduler.settle(
        later(30, 'answered'),
        answer => log.push(`${answer} at ${scheduler.time}`),
        () => {},
      );
    });
    scheduler.at(1, () => log.push('due at the same instant'));
    scheduler.at(1 + 1e-9, () => log.push('due a nanosecond later'));
    await truth.run(2);
    expect(log).toEqual(['asked', 'answered at 1', 'due at the same instant', 'due a nanosecond later']);
  });

  test('a plain value is delivered at once, also while an answer is owed', async () => {
    const { truth, scheduler } = make();
    const log: string[] = [];
    const deliver = (value: string): void => void log.push(value);
    scheduler.settle('at once', deliver, () => {});
    expect(log).toEqual(['at once']);
    scheduler.at(0, () => {
      scheduler.settle(later(10, 'promised'), deliver, () => {});
      scheduler.settle('plain', deliver, () => {});
      log.push('asked');
    });
    await truth.run(1);
    expect(log).toEqual(['at once', 'plain', 'asked', 'promised']);
  });

  test('a rejected promise reaches `fail`, in its turn, and time goes on', async () => {
    const { truth, scheduler } = make();
    const log: string[] = [];
    scheduler.at(0, () => {
      scheduler.settle(
        later(10, 'first'),
        value => log.push(value),
        () => {},
      );
      scheduler.settle(
        Promise.reject(new Error('second')),
        () => {},
        error => log.push(String(error)),
      );
    });
    scheduler.at(1, () => log.push('later'));
    expect(await truth.run(1)).toBe(true);
    expect(log).toEqual(['first', 'Error: second', 'later']);
  });

  test('a question asked when an answer is delivered waits its turn behind those asked before', async () => {
    const { truth, scheduler } = make();
    const log: string[] = [];
    const deliver = (value: string): void => void log.push(value);
    scheduler.at(0, () => {
      scheduler.settle(
        later(5, 'first'),
        value => {
          log.push(value);
          scheduler.settle(later(0, 'asked by the first'), deliver, () => {});
        },
        () => {},
      );
      scheduler.settle(later(10, 'second'), deliver, () => {});
    });
    await truth.run(1);
    expect(log).toEqual(['first', 'second', 'asked by the first']);
  });

  test('an error thrown on delivery ends the run with it', async () => {
    const { truth, scheduler } = make();
    scheduler.at(0, () => {
      scheduler.settle(
        later(5, 1),
        () => {
          throw new Error('on delivery');
        },
        () => {},
      );
    });
    await expect(truth.run(1)).rejects.toThrow('on delivery');
  });

  test('an answer that never comes does not keep an interrupted run from its end', async () => {
    const { truth, scheduler } = make();
    scheduler.at(1, () =>
      scheduler.settle(
        new Promise(() => {}),
        () => {},
        () => {},
      ),
    );
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 20);
    expect(await truth.run(10, { signal: abort.signal })).toBe(false);
    expect(truth.time).toBe(1);
  });
});
