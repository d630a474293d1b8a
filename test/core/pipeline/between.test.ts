import { timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type {
  ClockModel,
  ClockReading,
  Corrector,
  Estimate,
  History,
  Measurement,
  Predictor,
} from '../../../src/core/contracts/index.js';
import { Pipeline, type PipelineParts } from '../../../src/core/pipeline/pipeline.js';
import { SimulatedWorld } from '../../../src/core/world/simulated-world.js';
import { DriftTimekeeper } from '../../../src/plugins/timekeepers/drift.js';
import { believed, HandSource, measured } from '../../support/estimation.js';

const perfect: ClockModel = { world: 'simulated', granularity: 0, phase: () => 0, frequency: () => 0 };

/** Says the last measured offset, plus 1 ms for every second since; keeps what it was asked. */
class Asked implements Predictor {
  readonly at: number[] = [];
  readonly shown: number[] = [];

  predict(history: History, at: ClockReading): Estimate | undefined {
    this.at.push(at.counter);
    this.shown.push(history.measurements.length);
    const last = history.measurements.at(-1);
    return last && believed(at.counter, last.offset, 1e-3);
  }
}

const passes: Corrector = { correct: () => undefined };

interface Lab {
  readonly world: SimulatedWorld;
  readonly source: HandSource;
  readonly pipeline: Pipeline;
  readonly reports: string[];
  run(until: number): Promise<void>;
  give(measurement: Measurement): void;
}

function lab(
  given: Partial<PipelineParts> | ((world: SimulatedWorld) => Partial<PipelineParts>),
  clock = perfect,
): Lab {
  const world = new SimulatedWorld('1', 0, clock, []);
  const source = new HandSource();
  const reports: string[] = [];
  const parts = typeof given === 'function' ? given(world) : given;
  const pipeline = new Pipeline(
    {
      name: 'subject',
      axis: 'counter',
      level: 0.95,
      sources: [source],
      filtersFor: () => [],
      combiner: undefined,
      predictor: new Asked(),
      corrector: passes,
      timekeeper: new DriftTimekeeper(),
      report: what => reports.push(what),
      ...parts,
    },
    world.view,
  );
  pipeline.outcomes.subscribe();
  return {
    world,
    source,
    pipeline,
    reports,
    run: async until => void (await world.truth.run(until)),
    give: measurement => world.truth.at(measurement.at.counter, () => source.give(measurement)),
  };
}

describe('a pipeline with an interval of its own', () => {
  it('asks the predictor every 5 s of its own counter, with the measurements that have arrived by then', async () => {
    const predictor = new Asked();
    const { run, give } = lab({ predictor, predictEvery: 5 });
    give(measured(7, 1e-3));
    await run(21);
    expect(predictor.at).toEqual([5, 10, 15, 20]);
    expect(predictor.shown).toEqual([0, 1, 1, 1]);
  });

  it('asks on its own counter, not on true time', async () => {
    const predictor = new Asked();
    const fast = { ...perfect, phase: (t: number) => 0.25 * t, frequency: () => 0.25 };
    const { run, world } = lab({ predictor, predictEvery: 5 }, fast);
    await run(9);
    expect(predictor.at).toHaveLength(2);
    expect(world.clock.read().counter).toBeCloseTo(11.25);
  });

  it('hands the prediction as it was made to the corrector, and its forecast for the measurement as the prior', async () => {
    const seen: (readonly [number, number, number, number])[] = [];
    const corrector: Corrector = {
      correct: (prior, _measurement, _history, prediction) => {
        if (prior && prediction) {
          seen.push([prediction.at.counter, prediction.offset, prior.at.counter, prior.offset]);
        }
        return undefined;
      },
    };
    const { run, give } = lab({ corrector, predictEvery: 5 });
    give(measured(3, 1e-3));
    give(measured(7, 9e-3));
    await run(8);
    // Made at 5 s: 1 ms, drifting 1 ms/s; so 3 ms at 7 s.
    expect(seen).toHaveLength(1);
    const [madeAt, made, priorAt, prior] = seen[0]!;
    expect([madeAt, priorAt]).toEqual([5, 7]);
    expect(made).toBeCloseTo(1e-3, 12);
    expect(prior).toBeCloseTo(3e-3, 12);
  });

  it('tells from the posterior until the next prediction, and from what the corrector makes of that one after it', async () => {
    const corrector: Corrector = {
      correct: (_prior, { at, offset }) => believed(at.counter, 10 * offset),
      refine: prediction => ({ ...prediction, offset: prediction.offset + 100, by: 'refined' }),
    };
    const { run, give, pipeline } = lab({ corrector, predictEvery: 5 });
    give(measured(7, 1e-3));
    await run(9);
    expect(pipeline.estimate?.offset).toBeCloseTo(10e-3);
    await run(11);
    expect(pipeline.estimate).toMatchObject({ by: 'refined' });
    expect(pipeline.estimate?.offset).toBeCloseTo(100.001);
    expect(pipeline.estimate?.anchor?.time).toBeCloseTo(7.001);
  });

  it('never lets what is refined reach the predictor', async () => {
    const offsets: number[] = [];
    const predictor: Predictor = {
      predict: ({ measurements, estimate }, at) => {
        offsets.push(measurements.at(-1)?.offset ?? 0, estimate?.offset ?? 0);
        return believed(at.counter, 0);
      },
    };
    const corrector: Corrector = {
      correct: () => undefined,
      refine: prediction => ({ ...prediction, offset: 100 }),
    };
    const { run, give } = lab({ predictor, corrector, predictEvery: 5 });
    give(measured(7, 1e-3));
    await run(30);
    expect(Math.max(...offsets)).toBeCloseTo(1e-3);
  });

  it('asks no second question while the first is open, and goes on measuring meanwhile', async () => {
    let answer: (estimate: Estimate | undefined) => void = () => {};
    let asked = 0;
    const predictor: Predictor = {
      predict: (_history, at) => {
        asked += 1;
        return at.counter < 6 ? new Promise(resolve => (answer = resolve)) : believed(at.counter, 2e-3);
      },
    };
    const { run, give, pipeline } = lab({ predictor, predictEvery: 5 });
    give(measured(7, 1e-3));
    const running = run(12);
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(asked).toBe(1);
    answer(believed(5, 1e-3));
    await running;
    expect(asked).toBe(2);
    expect(pipeline.estimate?.offset).toBeCloseTo(2e-3);
  });
});

describe('the trajectory', () => {
  it('holds every prediction with its times, is revised at measurements, and settles when it is out of reach', async () => {
    const calls: (readonly [number, number | undefined])[] = [];
    const { run, give, pipeline } = lab({
      predictEvery: 100,
      datasetCorrector: {
        revise: (points, { measurement, predicted }) => {
          calls.push([measurement.offset, predicted]);
          return points.map(one => ({ ...one, offset: 7 }));
        },
      },
    });
    const settled: (readonly [number, number])[] = [];
    pipeline.trajectory!.settled.subscribe(({ target, offset }) => settled.push([target.counter, offset]));
    give(measured(50, 1e-3));
    give(measured(250, 2e-3));
    give(measured(1250, 3e-3));
    await run(1260);
    // Nothing was predicted for 50 s; for 250 s the prediction of 200 s said 1 ms + 50 · 1 ms.
    expect(calls.map(([offset]) => offset)).toEqual([expect.closeTo(2e-3, 9), expect.closeTo(3e-3, 9)]);
    expect(calls[0]![1]).toBeCloseTo(51e-3);
    // 1250 s − 1024 s: the points of 100 s and 200 s have settled.
    expect(settled).toEqual([
      [100, 7],
      [200, 7],
    ]);
    pipeline.trajectory!.end();
    expect(settled).toHaveLength(12);
  });

  it('is learned from only where the context says so', async () => {
    for (const [context, last] of [
      ['measurements', 1],
      ['trajectory', 4],
    ] as const) {
      const predictor = new Asked();
      const { run, give } = lab({ predictor, predictEvery: 5, context });
      give(measured(2, 1e-3));
      await run(21);
      expect(predictor.shown.at(-1)).toBe(last);
    }
  });
});

describe('phases', () => {
  const serve: Predictor = {
    predict: ({ measurements }, at) => {
      const last = measurements.at(-1);
      return last && { ...believed(at.counter, last.offset), by: 'served' };
    },
  };
  const never: Corrector = { correct: (_prior, { at }) => ({ ...believed(at.counter, 5), by: 'corrected' }) };

  it('serves measurements directly while the model loads and warms up; measuring starts at once', async () => {
    const { run, give, pipeline, reports } = lab(({ view }) => ({
      predictor: { load: () => timer(600_000, view.scheduler), predict: () => undefined },
      corrector: never,
      phases: { warmUp: 180, serve },
    }));
    give(measured(60, 1e-3));
    give(measured(700, 2e-3));
    give(measured(800, 3e-3));
    await run(61);
    expect(reports).toEqual(['phase loading-model']);
    expect(pipeline.estimate).toMatchObject({ by: 'served', offset: expect.closeTo(1e-3, 9) });
    await run(701);
    expect(reports).toEqual(['phase loading-model', 'phase warm-up']);
    expect(pipeline.estimate).toMatchObject({ by: 'served', offset: expect.closeTo(2e-3, 9) });
    await run(801);
    expect(reports).toEqual(['phase loading-model', 'phase warm-up', 'phase running']);
    expect(pipeline.estimate).toMatchObject({ by: 'corrected' });
  });

  it('stays with its measurements, and says why, where the model cannot be loaded', async () => {
    const predictor: Predictor = { load: () => Promise.reject(new Error('no such file')), predict: () => undefined };
    const { run, give, pipeline, reports } = lab({ predictor, corrector: never, phases: { warmUp: 10, serve } });
    give(measured(60, 1e-3));
    await run(61);
    expect(reports).toEqual(['phase loading-model', 'the model cannot be loaded: no such file']);
    expect(pipeline.estimate).toMatchObject({ by: 'served', offset: expect.closeTo(1e-3, 9) });
  });
});

describe('how long an estimate is good for', () => {
  it('is told from until then; afterwards the bare clock is, with unknown bounds', async () => {
    const predictor: Predictor = { predict: (_history, at) => ({ ...believed(at.counter, 1e-3), goodFor: 30 }) };
    const { run, give, pipeline } = lab({ predictor });
    give(measured(10, 1e-3));
    await run(11);
    const reading = (t: number): ClockReading => ({ wall: t, counter: t });
    expect(pipeline.tell(reading(40)).offset).toBe(1e-3);
    expect(pipeline.tell(reading(40.001))).toMatchObject({ by: 'bare-clock', offset: 0 });
    expect(pipeline.tell(reading(41)).maxError).toBeUndefined();
  });
});
