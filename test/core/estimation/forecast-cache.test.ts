import { describe, expect, it } from 'vitest';
import type { ClockReading, Estimate, History, Predictor } from '../../../src/core/contracts/index.js';
import { type CacheOptions, ForecastCache } from '../../../src/core/estimation/forecast-cache.js';
import { SimulatedWorld } from '../../../src/core/world/simulated-world.js';
import { DriftTimekeeper } from '../../../src/plugins/timekeepers/drift.js';
import { at, believed, historyOf, measured } from '../../support/estimation.js';

const { view } = new SimulatedWorld(
  '1',
  0,
  { world: 'simulated', granularity: 0, phase: () => 0, frequency: () => 0 },
  [],
);

const options = (more: Partial<CacheOptions> = {}): CacheOptions => ({
  interval: 10,
  horizon: 30,
  lead: 0,
  points: 3,
  context: undefined,
  staleDrift: 1e-5,
  staleFor: 30,
  ...more,
});

/** A clock that runs 100 ppm slow, and a forecaster that knows it: θ(t) = 100 ppm · t. */
class Perfect implements Predictor {
  readonly asked: number[] = [];
  readonly shown: number[] = [];

  predict(history: History, reading: ClockReading): Estimate {
    this.asked.push(reading.counter);
    this.shown.push(history.measurements.length);
    return believed(reading.counter, 1e-4 * reading.counter, 1e-4, { offset: 1e-3, drift: 0 });
  }
}

const history = historyOf([measured(0, 0), measured(1, 0), measured(2, 0)]);

function estimateAt(cache: ForecastCache, t: number): Estimate | undefined {
  const answer = cache.at(history, at(t));
  if (answer !== undefined && 'then' in answer) throw new Error('a promise');
  return answer?.estimate;
}

describe('a cache of forecasts', () => {
  it('asks on its interval for the whole horizon, and answers from that in between', () => {
    const predictor = new Perfect();
    const cache = new ForecastCache(predictor, options(), view);
    for (const t of [100, 103, 109]) estimateAt(cache, t);
    expect(predictor.asked).toEqual([100, 110, 120, 130]);
    estimateAt(cache, 110);
    expect(predictor.asked.slice(4)).toEqual([110, 120, 130, 140]);
  });

  it('never counts drift twice: what a timekeeper tells from any answer is right, at any time after it', () => {
    const cache = new ForecastCache(new Perfect(), options({ interval: 1000 }), view);
    const timekeeper = new DriftTimekeeper();
    for (const t of [100, 101.7, 110, 114, 129.9, 130, 135]) {
      const estimate = estimateAt(cache, t);
      for (const age of [0, 1, 7]) {
        expect(timekeeper.tell(estimate, at(t + age), 0.95).offset).toBeCloseTo(1e-4 * (t + age), 12);
      }
    }
  });

  it('gives the drift of the path that it interpolates, whatever drift the forecasts claim', () => {
    // Offsets rise by 100 ppm, the drift claimed is nonsense: following the claim would leave the path.
    const predictor: Predictor = { predict: (_history, { counter }) => believed(counter, 1e-4 * counter, 1) };
    const cache = new ForecastCache(predictor, options(), view);
    estimateAt(cache, 100);
    expect(estimateAt(cache, 104)!.drift).toBeCloseTo(1e-4, 12);
  });

  it('shows its context only', () => {
    const predictor = new Perfect();
    estimateAt(new ForecastCache(predictor, options({ context: 2 }), view), 100);
    expect(predictor.shown).toEqual([2, 2, 2, 2]);
  });

  it('asks ahead by its lead, and goes on with the old forecast until the new one begins', () => {
    // Each forecast says the instant at which it was asked for, in milliseconds.
    let now = 0;
    const predictor: Predictor = { predict: (_history, { counter }) => believed(counter, now * 1e-3) };
    const cache = new ForecastCache(predictor, options({ lead: 4 }), view);
    const ask = (t: number): number => {
      now = t;
      return estimateAt(cache, t)!.offset * 1e3;
    };
    expect(ask(100)).toBeCloseTo(100);
    expect(ask(110)).toBeCloseTo(100);
    expect(ask(113)).toBeCloseTo(100);
    expect(ask(114)).toBeCloseTo(110);
  });

  it('keeps every forecast for its time where the lead is longer than the interval', () => {
    let now = 0;
    const predictor: Predictor = { predict: (_history, { counter }) => believed(counter, now * 1e-3) };
    const cache = new ForecastCache(predictor, options({ lead: 15 }), view);
    const ask = (t: number): number => {
      now = t;
      return estimateAt(cache, t)!.offset * 1e3;
    };
    expect([100, 110, 120, 125, 130, 135].map(t => Math.round(ask(t)))).toEqual([100, 100, 100, 110, 110, 120]);
  });

  it('widens beyond the horizon, and then has no answer', () => {
    let silent = false;
    const predictor: Predictor = {
      predict: (_history, { counter }) => (silent ? undefined : believed(counter, 0, 0, { offset: 1e-3, drift: 0 })),
    };
    const cache = new ForecastCache(predictor, options(), view);
    estimateAt(cache, 100);
    silent = true;
    expect(estimateAt(cache, 130)!.p00).toBeCloseTo(1e-6, 15);
    // 20 s beyond it, at 10 ppm: 0.2 ms more, as variances add.
    expect(estimateAt(cache, 150)!.p00).toBeCloseTo(1e-6 + 0.2e-3 ** 2, 15);
    expect(estimateAt(cache, 160)).toBeDefined();
    expect(estimateAt(cache, 160.1)).toBeUndefined();
  });

  it('does not wait for a late answer in the real world, and takes it when it comes', async () => {
    const answers: (() => void)[] = [];
    const predictor: Predictor = {
      predict: (_history, { counter }) =>
        new Promise(resolve => answers.push(() => resolve(believed(counter, counter * 1e-3)))),
    };
    const cache = new ForecastCache(predictor, options({ points: 1 }), { ...view, kind: 'real' });
    expect(estimateAt(cache, 100)).toBeUndefined();
    expect(estimateAt(cache, 111)).toBeUndefined();
    // One question at a time, however long it takes.
    expect(answers).toHaveLength(2);
    for (const answer of answers) answer();
    await Promise.resolve().then(() => Promise.resolve());
    await new Promise(resolve => setImmediate(resolve));
    expect(estimateAt(cache, 105)!.offset).toBeCloseTo(105e-3, 12);
  });

  it('waits for it in virtual time', async () => {
    const predictor: Predictor = { predict: async (_history, { counter }) => believed(counter, 1e-3) };
    const cache = new ForecastCache(predictor, options(), view);
    expect((await cache.at(history, at(100)))!.estimate.offset).toBe(1e-3);
  });
});
