import { NEVER } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ClockReading, Estimate, History, Measurement, Predictor } from '../../../src/core/contracts/index.js';
import { plugin } from '../../../src/core/plugin/registry.js';
import { loadAllPlugins } from '../../../src/plugins/index.js';
import { at, believed, historyOf, make, measured } from '../../support/estimation.js';

await loadAllPlugins();

/** What the scripted predictors below answer next. */
const script: Record<string, (history: History, at: ClockReading) => Estimate | undefined> = {};

for (const name of ['first', 'second', 'never-ready']) {
  class Scripted implements Predictor {
    readonly load = name === 'never-ready' ? () => NEVER : undefined;

    predict(history: History, reading: ClockReading): Estimate | undefined {
      return script[name]?.(history, reading);
    }
  }
  plugin({ kind: 'predictor', name, summary: 'for this test', options: z.strictObject({}) })(Scripted);
}

const history = historyOf([measured(0, 0)]);

function predicted(predictor: Predictor, t: number, from: History = history): Estimate {
  const answer = predictor.predict(from, at(t));
  if (answer === undefined || 'then' in answer) throw new Error('no answer at once');
  return answer;
}

beforeEach(() => {
  for (const name of Object.keys(script)) delete script[name];
});

describe('fusion', () => {
  const members = [
    { name: 'short', predictor: { use: 'first' }, interval: 5, horizon: 30 },
    { name: 'long', predictor: { use: 'second' }, interval: 30, horizon: 240 },
  ];

  it('weighs by inverse variance: 1 ms ± 1 ms and 4 ms ± 2 ms are 1.6 ms ± √0.8 ms', () => {
    script['first'] = (_, { counter }) => believed(counter, 1e-3, 1e-6, { offset: 1e-3, drift: 0 });
    script['second'] = (_, { counter }) => believed(counter, 4e-3, 6e-6, { offset: 2e-3, drift: 0 });
    const estimate = predicted(make('predictor', { use: 'fusion', members }).plugin, 100);
    expect(estimate.offset).toBeCloseTo(1.6e-3, 12);
    expect(estimate.p00).toBeCloseTo(0.8e-6, 15);
    expect(estimate.by).toBe('fusion');
    expect(estimate.at).toEqual(at(100));
  });

  it('drifts along the fused path: the weights of the offsets are those of the drifts', () => {
    script['first'] = (_, { counter }) => believed(counter, 1e-3 + 1e-6 * counter, 1e-6, { offset: 1e-3, drift: 0 });
    script['second'] = (_, { counter }) => believed(counter, 4e-3 + 6e-6 * counter, 6e-6, { offset: 2e-3, drift: 0 });
    const fusion = make('predictor', { use: 'fusion', members }).plugin;
    const early = predicted(fusion, 100);
    const late = predicted(fusion, 104);
    expect(early.drift).toBeCloseTo(2e-6, 12);
    expect(late.offset).toBeCloseTo(early.offset + 4 * early.drift, 12);
  });

  it('shared errors make nobody surer: the mean variance and the scatter', () => {
    script['first'] = (_, { counter }) => believed(counter, 1e-3, 0, { offset: 1e-3, drift: 0 });
    script['second'] = (_, { counter }) => believed(counter, 4e-3, 0, { offset: 2e-3, drift: 0 });
    const fusion = make('predictor', { use: 'fusion', members, errors: 'shared' }).plugin;
    // 0.8·(1 + 0.6²) + 0.2·(4 + 2.4²) ms².
    expect(predicted(fusion, 100).p00).toBeCloseTo(3.04e-6, 12);
  });

  it('weighed by time, a forecast counts by what is left of its horizon', () => {
    script['first'] = (_, { counter }) => believed(counter, 1e-3, 0, { offset: 1e-3, drift: 0 });
    script['second'] = (_, { counter }) => believed(counter, 4e-3, 0, { offset: 1e-3, drift: 0 });
    const slow = members.map(member => ({ ...member, interval: 1000 }));
    const fusion = make('predictor', { use: 'fusion', members: slow, timeWeighted: true }).plugin;
    expect(predicted(fusion, 100).offset).toBeCloseTo(2.5e-3, 12);
    // After 24 s: 6/30 of the short horizon is left, 216/240 of the long one.
    expect(predicted(fusion, 124).offset).toBeCloseTo((0.2 * 1e-3 + 0.9 * 4e-3) / 1.1, 12);
  });

  it('names the one that answers alone', () => {
    script['second'] = (_, { counter }) => believed(counter, 4e-3);
    const fusion = make('predictor', { use: 'fusion', members }).plugin;
    expect(predicted(fusion, 100)).toMatchObject({ by: 'long', offset: 4e-3 });
    script['first'] = (_, { counter }) => believed(counter, 1e-3);
    expect(predicted(fusion, 105).by).toBe('fusion');
    delete script['second'];
    // The long forecast has run out, and has been stale for as long again.
    expect(predicted(fusion, 100 + 481).by).toBe('short');
  });

  it('asks for two members at least', () => {
    expect(() => make('predictor', { use: 'fusion', members: members.slice(1) })).toThrow(/members/);
  });
});

describe('ntp-drift', () => {
  const ramp = (count: number, slope = 2e-5): Measurement[] =>
    Array.from({ length: count }, (_, k) => measured(60 * k, slope * 60 * k));

  it('keeps the offset and takes the drift of a regression over the last 10 measurements', () => {
    script['first'] = (_, { counter }) => believed(counter, 7e-3, 1);
    const subject = make('predictor', { use: 'ntp-drift', predictor: 'first' }).plugin;
    // 5 wild measurements before the last 10 must not matter.
    const before = [1, -1, 1, -1, 1].map((offset, i) => measured(i - 100, offset));
    const estimate = predicted(subject, 600, historyOf([...before, ...ramp(10)]));
    expect(estimate.offset).toBe(7e-3);
    expect(estimate.drift).toBeCloseTo(2e-5, 12);
    expect(estimate.driftBy).toBe('regression of 10 measurements');
  });

  it('falls back to the two latest measurements, and says so', () => {
    script['first'] = (_, { counter }) => believed(counter, 7e-3, 1);
    const subject = make('predictor', { use: 'ntp-drift', predictor: 'first' }).plugin;
    const estimate = predicted(subject, 200, historyOf([measured(0, 0), measured(60, 0), measured(120, 6e-3)]));
    expect(estimate.drift).toBeCloseTo(1e-4, 12);
    expect(estimate.driftBy).toBe('two latest measurements');
    expect(predicted(subject, 300, historyOf([measured(0, 0)]))).toMatchObject({ drift: 1, driftBy: 'model' });
  });

  it('or, as the text has it, to two consecutive predictions', () => {
    script['first'] = (_, { counter }) => believed(counter, 1e-3 * counter, 0);
    const subject = make('predictor', { use: 'ntp-drift', predictor: 'first', fallback: 'predictions' }).plugin;
    expect(predicted(subject, 10, historyOf(ramp(3))).driftBy).toBe('model');
    const estimate = predicted(subject, 15, historyOf(ramp(3)));
    expect(estimate.drift).toBeCloseTo(1e-3, 12);
    expect(estimate.driftBy).toBe('consecutive predictions');
  });

  it('by Theil and Sen two wild measurements of ten do not matter', () => {
    script['first'] = (_, { counter }) => believed(counter, 7e-3, 1);
    const wild = ramp(10).map((m, k) => (k === 3 || k === 8 ? { ...m, offset: 5 } : m));
    const subject = make('predictor', { use: 'ntp-drift', predictor: 'first', method: 'theil-sen' }).plugin;
    expect(predicted(subject, 600, historyOf(wild)).drift).toBeCloseTo(2e-5, 12);
  });
});

describe('fallback', () => {
  const order = ['never-ready', 'first', 'second', 'last-value'];

  it('asks in the stated order, past who is not loaded, has nothing, or gives what is not finite; and says who answers', () => {
    const { plugin: subject, reports } = make('predictor', { use: 'fallback', order });
    script['never-ready'] = () => believed(0, 99);
    script['second'] = (_, { counter }) => believed(counter, 2e-3);
    expect(predicted(subject, 10).offset).toBe(2e-3);
    script['first'] = (_, { counter }) => believed(counter, 1e-3);
    expect(predicted(subject, 11).offset).toBe(1e-3);
    script['first'] = (_, { counter }) => believed(counter, Number.NaN);
    delete script['second'];
    expect(predicted(subject, 12).by).toBe('last-value');
    expect(reports).toEqual(['first answers, after second', 'last-value answers, after first']);
  });

  it('gives way to the bare clock when nothing has been measured for giveUp', () => {
    const { plugin: subject } = make('predictor', { use: 'fallback', order: ['last-value'], giveUp: '1 h' });
    expect(predicted(subject, 600).goodFor).toBeCloseTo(3000);
    expect(predicted(subject, 4000).goodFor).toBe(0);
  });
});

describe('experts', () => {
  const members = [
    { name: 'good', predictor: { use: 'first' } },
    { name: 'bad', predictor: { use: 'second' } },
  ];
  /** Two experts that are always off by so much (s), asked before and after each of `n` measurements of 0. */
  const asked = (errors: readonly [number, number], n: number, options: object = {}): Estimate => {
    script['first'] = (_, { counter }) => believed(counter, errors[0], 1e-6, { offset: 1e-3, drift: 0 });
    script['second'] = (_, { counter }) => believed(counter, errors[1], 3e-6, { offset: 1e-3, drift: 0 });
    const experts = make('predictor', { use: 'experts', members, ...options }).plugin;
    const past: Measurement[] = [];
    let last = predicted(experts, 0, historyOf([]));
    for (let i = 1; i <= n; i++) {
      predicted(experts, 10 * i, historyOf(past));
      past.push(measured(10 * i, 0));
      last = predicted(experts, 10 * i, historyOf(past));
    }
    return last;
  };

  it('weighs all alike while there is nothing to go by', () => {
    expect(asked([1e-3, 3e-3], 0)).toMatchObject({ offset: 2e-3, drift: 2e-6, by: 'experts' });
  });

  it('by hand: errors of 1 and 1.5 ms weigh 1 to exp(−4·0.5)', () => {
    const estimate = asked([1e-3, 1.5e-3], 3, { sharpness: 4 });
    // e⁻² = 0.135335; 1/(1 + e⁻²) = 0.880797.
    expect(estimate.offset).toBeCloseTo(0.880797 * 1e-3 + 0.119203 * 1.5e-3, 9);
    expect(estimate.drift).toBeCloseTo(0.880797 * 1e-6 + 0.119203 * 3e-6, 11);
    // The mixture's variance: 1 ms² and w(1 − w)·(0.5 ms)².
    expect(estimate.p00).toBeCloseTo(1e-6 + 0.880797 * 0.119203 * 0.25e-6, 12);
    expect(estimate.by).toBe('good');
  });

  it('judges by what was forecast before the measurement was known', () => {
    // One that only repeats the last measurement looks perfect right after it, and is 1 ms behind at the next.
    script['first'] = (from, { counter }) => believed(counter, from.measurements.at(-1)?.offset ?? 0, 0);
    script['second'] = (_, { counter }) => believed(counter, 1e-4 * counter, 1e-4);
    const experts = make('predictor', { use: 'experts', members }).plugin;
    const past: Measurement[] = [];
    for (let i = 1; i <= 5; i++) {
      predicted(experts, 10 * i, historyOf(past));
      past.push(measured(10 * i, 1e-3 * i));
      predicted(experts, 10 * i, historyOf(past));
    }
    const estimate = predicted(experts, 60, historyOf(past));
    expect(estimate.by).toBe('bad');
    expect(estimate.offset).toBeCloseTo(6e-3, 9);
  });

  it('goes on with those that have an answer', () => {
    script['first'] = () => undefined;
    script['second'] = (_, { counter }) => believed(counter, 5e-3);
    expect(predicted(make('predictor', { use: 'experts', members }).plugin, 10)).toMatchObject({
      offset: 5e-3,
      by: 'bad',
    });
  });
});
