import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Tensors } from '../../../src/core/contracts/index.js';
import type { ModelCard } from '../../../src/core/models/card.js';
import { type Engine, Questions } from '../../../src/core/models/questions.js';

const card = {} as ModelCard;

const asking = (k: number): Tensors => ({ x: { data: Float32Array.of(k), dims: [1, 1] } });

/** Repeats what it is asked, and remembers it: one entry for each run. */
function echo(answer: (inputs: Tensors) => Promise<Tensors>, batches = false): Engine & { readonly runs: number[][] } {
  const runs: number[][] = [];
  return {
    where: 'in a test',
    batches,
    runs,
    run: inputs => {
      runs.push([...(inputs.x!.data as Float32Array)]);
      return answer(inputs);
    },
  };
}

test('a late question is not run any more, and each has one verdict', async () => {
  let finish = (): void => {};
  const engine = echo(
    inputs =>
      new Promise(resolve => {
        finish = () => resolve(inputs);
      }),
  );
  const questions = new Questions(card, engine, { timeLimit: 0.03, queue: 2 });
  const answers: Promise<Tensors | undefined>[] = [];
  for (let k = 0; k < 6; k++) {
    answers.push(questions.run(asking(k)));
    await sleep(10);
  }
  expect(await Promise.all(answers)).toEqual(Array(6).fill(undefined));
  finish();
  await sleep(10);
  expect(engine.runs).toEqual([[0]]);
  const { asked, late, dropped } = questions.counts;
  expect(asked).toBe(6);
  expect(late + dropped).toBe(6);
});

const repeat = async (inputs: Tensors) => inputs;

test('of many questions at once one runs, so many wait as the queue holds, the others are dropped', async () => {
  const engine = echo(repeat);
  const questions = new Questions(card, engine, { timeLimit: 5, queue: 2 });
  const answers = await Promise.all([...Array(8).keys()].map(k => questions.run(asking(k))));
  expect(engine.runs).toEqual([[7], [6], [5]]);
  expect(answers.map(answer => answer?.['x']?.data[0])).toEqual([...Array(5).fill(undefined), 5, 6, 7]);
  expect(questions.counts).toEqual({ asked: 8, late: 0, dropped: 5 });
});

test('those of one batch do not wait: it is as large as it may be, and the queue holds beside it', async () => {
  const engine = echo(repeat, true);
  const questions = new Questions(card, engine, { timeLimit: 5, queue: 2 });
  await Promise.all([...Array(40).keys()].map(k => questions.run(asking(k))));
  expect(engine.runs).toEqual([[...Array(32).keys()].map(k => k + 8), [6, 7]]);
  expect(questions.counts).toEqual({ asked: 40, late: 0, dropped: 6 });
});

test('a session that blocks the thread is judged by the clock, and what waited for too long is not run', async () => {
  const blocking = async (inputs: Tensors) => {
    for (const until = performance.now() + 60; performance.now() < until; );
    return inputs;
  };
  const engine = echo(blocking);
  const questions = new Questions(card, engine, { timeLimit: 0.04, queue: 2 });
  expect(await Promise.all([0, 1].map(k => questions.run(asking(k))))).toEqual([undefined, undefined]);
  expect(engine.runs).toEqual([[1]]);
  expect(questions.counts).toEqual({ asked: 2, late: 2, dropped: 0 });
  const simulated = new Questions(card, echo(blocking), undefined);
  expect(await simulated.run(asking(3))).toEqual(asking(3));
});
