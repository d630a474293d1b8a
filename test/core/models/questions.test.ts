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
