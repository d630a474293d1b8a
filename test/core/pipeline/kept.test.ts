import { beforeAll, describe, expect, test } from 'vitest';
import type { PipelineState } from '../../../src/core/pipeline/kept.js';
import { loadAllPlugins } from '../../../src/plugins/index.js';
import { exchange, predictorPipeline, type Stand } from '../../support/real-pipeline.js';

beforeAll(() => loadAllPlugins());

/** Measured once a second: the clock is 10 ms behind and loses 20 ppm. */
function taught(stand: Stand, seconds = 60): void {
  for (let t = 1; t <= seconds; t++) stand.ask(exchange(t, 10e-3 + 20e-6 * t));
}
const through = (state: PipelineState): PipelineState => JSON.parse(JSON.stringify(state)) as PipelineState;

describe('what a pipeline keeps', () => {
  test('goes on as if nothing had happened where the counter has gone on', () => {
    const first = predictorPipeline();
    taught(first);
    const kept = through(first.pipeline.snapshot());
    const second = predictorPipeline();
    second.pipeline.restore(kept, { continues: true, elapsed: 30 });
    const later = { wall: 90, counter: 90 };
    expect(second.pipeline.tell(later)).toEqual(first.pipeline.tell(later));
    for (const stand of [first, second]) stand.ask(exchange(91, 10e-3 + 20e-6 * 91));
    expect(second.pipeline.tell(later)).toEqual(first.pipeline.tell(later));
  });

  test('a timekeeper with a memory is told what is in force, and tells that at once', () => {
    const first = predictorPipeline({ timekeeper: 'monotonic' });
    taught(first);
    const second = predictorPipeline({ timekeeper: 'monotonic' });
    second.pipeline.restore(through(first.pipeline.snapshot()), { continues: true, elapsed: 30 });
    expect(second.pipeline.tell({ wall: 90, counter: 90 }).maxError).toBeGreaterThan(0);
  });

  test('remembers the drift where the counter has begun anew: one measurement is enough', () => {
    const first = predictorPipeline();
    taught(first);
    const second = predictorPipeline();
    second.pipeline.restore(through(first.pipeline.snapshot()), { continues: false, elapsed: 600 });
    const before = second.pipeline.tell({ wall: 5, counter: 5 });
    expect(before).toMatchObject({ by: 'bare-clock', maxError: undefined });
    second.ask(exchange(10, 3));
    const { drift, p11, offset } = second.pipeline.estimate!;
    expect(offset).toBeCloseTo(3, 9);
    expect(Math.abs(drift - 20e-6)).toBeLessThan(1e-6);
    expect(Math.sqrt(p11)).toBeGreaterThan(4e-6);
    const fresh = predictorPipeline();
    fresh.ask(exchange(10, 3));
    expect(fresh.pipeline.estimate!.drift).toBe(0);
    expect(fresh.pipeline.estimate!.p11).toBeGreaterThan(2 * p11);
  });

  test('refuses what makes no sense, and is none the worse for it', () => {
    const first = predictorPipeline();
    taught(first);
    const kept = through(first.pipeline.snapshot());
    const passage = { continues: true, elapsed: 0 };
    const second = predictorPipeline();
    expect(() => second.pipeline.restore({ ...kept, axis: 'wall' }, passage)).toThrow(
      'it estimated the wall, not the counter',
    );
    expect(() => second.pipeline.restore({ ...kept, inForce: { ...kept.inForce!, p00: -1 } }, passage)).toThrow(
      'negative variance',
    );
    const broken = { ...kept.measurements[0]!, offset: null as unknown as number };
    expect(() =>
      second.pipeline.restore({ ...kept, measurements: [{ ...broken, offset: Number.NaN }] }, passage),
    ).toThrow('offset is NaN');
    expect(second.pipeline.estimate).toBeUndefined();
  });

  test('a counter that stood still in sleep: what is told goes on, as sure as the kernel’s word', () => {
    const stand = predictorPipeline();
    taught(stand);
    const at = { wall: 61, counter: 61 };
    const before = stand.pipeline.tell(at);
    stand.pipeline.displaced('counter', 3600, 1);
    const after = stand.pipeline.tell({ wall: 3661, counter: 61 });
    expect(after.time - before.time).toBeCloseTo(3600, 9);
    expect(after.maxError! - before.maxError!).toBeCloseTo(1, 9);
    stand.pipeline.displaced('wall', -10, 1e-5);
    expect(stand.pipeline.tell(at).time).toBe(after.time);
  });
});

describe('a predictor in real time', () => {
  test('that is late: the last estimate, carried on, stands in; then it answers again', async () => {
    const stand = predictorPipeline({ deadline: 0.02 });
    taught(stand);
    stand.predictor.answer = () => new Promise(() => {});
    stand.ask(exchange(61, 10e-3 + 20e-6 * 61));
    await stand.rounds(61);
    expect(stand.pipeline.estimate!.at.counter).toBe(61);
    expect(stand.said).toEqual(['the predictor has not answered within 0.02 s: the last estimate is carried on']);
    stand.predictor.answer = undefined;
    stand.ask(exchange(62, 10e-3 + 20e-6 * 62));
    await stand.rounds(62);
    stand.predictor.answer = async () => stand.pipeline.estimate;
    stand.ask(exchange(63, 10e-3 + 20e-6 * 63));
    await stand.rounds(63);
    expect(stand.said.slice(1)).toEqual(['the predictor answers again']);
  });

  test('that is dead: the same, and why is said once', async () => {
    const stand = predictorPipeline({ deadline: 1 });
    taught(stand);
    stand.predictor.answer = async () => {
      throw new Error('the model’s worker has exited');
    };
    for (const t of [61, 62]) {
      stand.ask(exchange(t, 10e-3 + 20e-6 * t));
      await stand.rounds(t);
    }
    expect(stand.said).toEqual([
      'the predictor failed (the model’s worker has exited): the last estimate is carried on',
    ]);
    expect(stand.pipeline.estimate!.at.counter).toBe(62);
  });
});
