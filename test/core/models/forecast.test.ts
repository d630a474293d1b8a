import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type ForecastCard, parseCard } from '../../../src/core/models/card.js';
import type { Context } from '../../../src/core/models/context.js';
import { estimateOf, type Forecast, forecastOf, isAbsurd } from '../../../src/core/models/forecast.js';
import { ForecastResiduals } from '../../../src/core/models/residuals.js';
import { measurementAt } from '../../contract/conformance.js';
import { fixture } from '../../support/models.js';

const base = parseCard(readFileSync(fixture('n-hits.json'), 'utf8'), 'n-hits') as ForecastCard;
const z90 = 1.2815515655446004;

/** Periods of 10 s that end at 1000 s, where the line stands at 2 ms and falls by 10 ppm; 1 means 1 ms. */
const context: Context = {
  offsets: Float64Array.of(0, 0),
  excess: Float64Array.of(0, 0),
  times: Float64Array.of(-1, 0),
  end: 1000,
  period: 10,
  line: { offset: 2e-3, drift: -1e-5, p11: 0 },
  centre: 0,
  scale: 1e-3,
  last: 2e-3,
  scatter: 1e-4,
};

describe('what a model’s outputs say', () => {
  const card: ForecastCard = { ...base, horizon: { steps: 2, firstStep: 1 } };

  test('[batch, time, quantile]: median and (Q90 − Q10)/2.56 at each step, on top of the line', () => {
    const data = Float32Array.of(-1, 0.5, 1, -2, 1, 2);
    const forecast = forecastOf({ forecast: { dims: [1, 2, 3], data } }, context, card) as Forecast;
    expect(forecast.times).toEqual([1010, 1020]);
    expect(forecast.offsets[0]).toBeCloseTo(2e-3 - 1e-4 + 0.5e-3, 12);
    expect(forecast.offsets[1]).toBeCloseTo(2e-3 - 2e-4 + 1e-3, 12);
    expect(forecast.deviations).toEqual([2e-3 / (2 * z90), 4e-3 / (2 * z90)].map(d => expect.closeTo(d, 9)));
  });

  test('is absurd when it is farther off than ten times what the clock can be, at any step', () => {
    const median = (...values: readonly [number, number]) =>
      forecastOf(
        { forecast: { dims: [1, 2, 3], data: Float32Array.from(values.flatMap(y => [y, y, y])) } },
        context,
        card,
      ) as Forecast;
    // In ms: 5 % of 10 s, and of 20 s, are 500 and 1000 ms.
    expect(isAbsurd(median(4990, 9990))).toBe(false);
    expect(isAbsurd(median(5010, 0))).toBe(true);
    expect(isAbsurd(median(0, -10_010))).toBe(true);
    // After a jump of the clock by an hour the line may follow, or not yet.
    const jumped = { ...median(0, 0), context: { ...context, last: 3600, scatter: 500 } };
    expect(isAbsurd(jumped)).toBe(false);
    expect(isAbsurd({ ...jumped, offsets: [3600, 3600] })).toBe(false);
  });

  test('[batch, quantile, time] is read along its own axes', () => {
    const outputs = [{ ...base.outputs[0]!, layout: ['batch', 'quantile', 'time'] as const, shape: [null, 3, 2] }];
    const data = Float32Array.of(-1, -2, 0.5, 1, 1, 2);
    const turned = { ...card, outputs: outputs as unknown as ForecastCard['outputs'] };
    const forecast = forecastOf({ forecast: { dims: [1, 3, 2], data } }, context, turned) as Forecast;
    expect(forecast.offsets[1]).toBeCloseTo(2e-3 - 2e-4 + 1e-3, 12);
    expect(forecast.deviations![1]).toBeCloseTo(4e-3 / (2 * z90), 9);
  });

  test('of several patches the last counts, a mean stands in for a median, and run-together axes are told apart', () => {
    const output = {
      ...base.outputs[0]!,
      layout: ['batch', 'patch', 'time', 'quantile'] as const,
      shape: [1, 2, 4],
      reshape: [1, 2, 2, 2],
      levels: ['mean', 0.9] as const,
      select: { patch: 'last' as const },
    };
    const data = Float32Array.of(9, 9, 9, 9, 0.5, 7, 1, 7);
    const patched = { ...card, outputs: [output] as unknown as ForecastCard['outputs'] };
    const forecast = forecastOf({ forecast: { dims: [1, 2, 4], data } }, context, patched) as Forecast;
    expect(forecast.offsets).toEqual([2.4e-3, 2.8e-3].map(o => expect.closeTo(o, 9)));
    expect(forecast.deviations).toBeUndefined();
  });

  test('is refused where it is not finite or its quantiles cross; crossings are sorted where the card says so', () => {
    const ask = (card: ForecastCard, ...values: number[]) =>
      forecastOf({ forecast: { dims: [1, 2, 3], data: Float32Array.from(values) } }, context, card);
    expect(ask(card, 0, 0, 0, 0, Number.NaN, 0)).toBe('not finite');
    expect(ask(card, 0, 0, 0, 0, 0, Number.POSITIVE_INFINITY)).toBe('not finite');
    expect(ask(card, 0, 0, 0, 1, 0, 2)).toBe('crossing quantiles');
    const sorted = ask({ ...card, sortQuantiles: true }, 0, 0, 0, 1, 0, 2) as Forecast;
    expect(sorted.offsets[1]).toBeCloseTo(1.8e-3 + 1e-3, 9);
  });

  test('asinh is undone, with its slope for deviations', () => {
    const bent = { ...card, normalisation: { ...card.normalisation, transform: 'asinh' as const } };
    const y = Math.asinh(3);
    const data = Float32Array.of(y - 0.1, y, y + 0.1, y - 0.1, y, y + 0.1);
    const forecast = forecastOf({ forecast: { dims: [1, 2, 3], data } }, context, bent) as Forecast;
    expect(forecast.offsets[0]).toBeCloseTo(1.9e-3 + 3e-3, 8);
    expect(forecast.deviations![0]).toBeCloseTo((0.2e-3 / (2 * z90)) * Math.sqrt(10), 7);
  });
});

describe('the estimate of a forecast', () => {
  const forecast: Forecast = {
    times: [1010, 1020, 1030],
    offsets: [1e-3, 2e-3, 4e-3],
    deviations: [1e-4, 2e-4, 4e-4],
    context,
  };
  const known = { offset: 0.9e-3, rootDistance: 0.01 };
  const at = (t: number) =>
    estimateOf(forecast, forecast.deviations!, { wall: t, counter: t }, 'counter', known, 'onnx');

  test('goes from step to step, its drift along the same path, its deviation with it', () => {
    const half = at(1015);
    expect(half.offset).toBeCloseTo(1.5e-3, 12);
    expect(half.drift).toBeCloseTo(1e-4, 12);
    expect(Math.sqrt(half.p00)).toBeCloseTo(1.5e-4, 12);
    // Followed for 5 s it arrives where the forecast is.
    expect(half.offset + 5 * half.drift).toBeCloseTo(at(1020).offset, 12);
    expect(Math.sqrt(half.p00 + 10 * half.p01 + 25 * half.p11)).toBeCloseTo(2e-4, 12);
  });

  test('reaches back to the last measurement, and is good until its horizon', () => {
    expect(at(1000).offset).toBeCloseTo(0, 12);
    expect(at(1000).goodFor).toBe(30);
    expect(at(1030).goodFor).toBe(0);
  });

  test('admits everything that the root distance of the last measurement admits', () => {
    const estimate = at(1000);
    expect(estimate.maxError).toBeGreaterThanOrEqual(0.01 + 0.9e-3 - 1e-9);
    expect(at(1030).maxError).toBeGreaterThan(estimate.maxError);
  });

  test('has a deviation from its own past errors where the model gives none', () => {
    const residuals = new ForecastResiduals();
    const bare = { ...forecast, deviations: undefined };
    // Measured 0.3 ms off at the first step, eight times.
    for (let k = 0; k < 8; k++) residuals.score(bare, measurementAt(1010.01, 1.3e-3), 'counter');
    const [one, two] = residuals.deviations(bare);
    expect(one).toBeCloseTo(1.4826 * 0.3e-3, 9);
    expect(two! / one!).toBeCloseTo(Math.SQRT2, 12);
  });
});
