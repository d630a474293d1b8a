import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Measurement } from '../../../src/core/contracts/index.js';
import { type ForecastCard, parseCard } from '../../../src/core/models/card.js';
import { type Context, contextOf } from '../../../src/core/models/context.js';
import { feedsOf } from '../../../src/core/models/feeds.js';
import { type Forecast, forecastOf } from '../../../src/core/models/forecast.js';
import { randomStream } from '../../../src/core/world/random.js';
import { openCard } from '../../../src/plugins/models/onnx.js';
import { measurementAt } from '../../contract/conformance.js';
import { fixture } from '../../support/models.js';

/** Seconds from measurement to measurement. */
const PERIOD = 60;

/** A noisy clock, with an outage of ten turns after the 51st measurement. */
const random = randomStream('7', 'known layouts');
const MEASURED = Array.from({ length: 75 }, (_, i) =>
  measurementAt(1000 + PERIOD * (i + (i > 50 ? 10 : 0)), 1e-4 + 1e-4 * random.normal()),
);

/** The signatures from which cards are drafted, and the drafts for the tiny models: both have to be right. */
const names = readdirSync('models/signatures').map(file => basename(file, '.json'));
const common = { schema: 'escapement-model/1', id: 'x', task: 'forecast', file: 'x', licence: 'x', source: 'x' };
const cards: readonly (readonly [string, string, () => ForecastCard])[] = names.flatMap(
  name =>
    [
      [
        name,
        'signature',
        () => {
          const file = `models/signatures/${name}.json`;
          const { tried, card } = JSON.parse(readFileSync(file, 'utf8'));
          return parsed(JSON.stringify({ ...common, sha256: '0'.repeat(64), golden: 'x', tried, ...card }), file);
        },
      ],
      [name, 'drafted card', () => parsed(readFileSync(fixture(`${name}.json`), 'utf8'), name)],
    ] as const,
);

/** A card by which no line is taken off and 1 is a microsecond: what is shown is then known without any of our code. */
function parsed(text: string, file: string): ForecastCard {
  const card = parseCard(text, file) as ForecastCard;
  const normalisation = { detrend: 'none', centre: 'none', scale: 'unit', unit: 'us', transform: 'none' } as const;
  return { ...card, normalisation, sampling: { ...card.sampling, period: PERIOD } };
}

/** Microseconds on a grid that ends with the last measurement; NaN in the outage. */
function gridOf(measurements: readonly Measurement[], length: number): readonly number[] {
  const first = measurements[0]!.at.counter;
  const last = measurements.at(-1)!.at.counter;
  const turns = Math.min(length, Math.round((last - first) / PERIOD) + 1);
  return Array.from({ length: turns }, (_, k) => {
    const t = last - PERIOD * (turns - 1 - k);
    const measured = measurements.find(({ at }) => Math.abs(at.counter - t) < 1);
    return measured === undefined ? Number.NaN : 1e6 * measured.offset;
  });
}

/** What is missing of a fixed length stands before the first value. */
const filled = (values: readonly number[], length: number): readonly number[] => [
  ...Array<number>(length - values.length).fill(Number.NaN),
  ...values,
];
const zeroed = (values: readonly number[]): readonly number[] => values.map(y => (Number.isNaN(y) ? 0 : y));
const observed = (values: readonly number[]): readonly number[] => values.map(y => (Number.isNaN(y) ? 0 : 1));
const padding = (values: readonly number[]): readonly number[] => values.map(y => (Number.isNaN(y) ? 1 : 0));

interface Layout {
  /** How many of the measurements are shown: fewer than fit, so that something is padded. */
  readonly shown: number;
  /** The inputs, values in row-major order. */
  readonly inputs: (
    measurements: readonly Measurement[],
  ) => Readonly<Record<string, { dims: readonly number[]; data: readonly number[] }>>;
  readonly output: string;
  /** The output's axes, first to last; `levels` of a point forecast are none. */
  readonly dims: readonly number[];
  readonly order: 'quantile, time' | 'time, quantile' | 'patch, time, quantile' | 'time';
  readonly steps: number;
}

/** Every known layout as the models' authors have it, written out. */
const LAYOUTS: Readonly<Record<string, Layout>> = {
  // Whole patches of 16: the oldest values are left out. NaN is missing.
  'chronos-bolt': {
    shown: 75,
    inputs: measurements => {
      const y = gridOf(measurements, 80);
      return { context: { dims: [1, 80], data: y }, mask: { dims: [1, 80], data: observed(y) } };
    },
    output: 'quantile_preds',
    dims: [1, 9, 64],
    order: 'quantile, time',
    steps: 64,
  },
  'chronos-2': {
    shown: 75,
    inputs: measurements => {
      const y = filled(gridOf(measurements, 512), 512);
      return {
        context: { dims: [1, 512], data: y },
        group_ids: { dims: [1], data: [0] },
        attention_mask: { dims: [1, 512], data: observed(y) },
      };
    },
    output: 'quantile_preds',
    dims: [1, 9, 64],
    order: 'quantile, time',
    steps: 64,
  },
  // A mask of the other polarity: 1 is padding.
  'timesfm-1': {
    shown: 75,
    inputs: measurements => {
      const y = filled(gridOf(measurements, 512), 512);
      return {
        input_ts: { dims: [1, 512], data: zeroed(y) },
        input_padding: { dims: [1, 512], data: padding(y) },
        freq: { dims: [1, 1], data: [0] },
      };
    },
    output: 'output_ts',
    dims: [1, 16, 128, 10],
    order: 'patch, time, quantile',
    steps: 128,
  },
  // In each patch 32 values, then their 32 flags.
  'timesfm-2.5': {
    shown: 75,
    inputs: measurements => {
      const y = filled(gridOf(measurements, 512), 512);
      const data = Array.from({ length: 16 }, (_, patch) => y.slice(32 * patch, 32 * patch + 32)).flatMap(values => [
        ...zeroed(values),
        ...padding(values),
      ]);
      return { inputs: { dims: [1, 16, 64], data } };
    },
    output: 'output_ts',
    dims: [1, 16, 1280],
    order: 'patch, time, quantile',
    steps: 128,
  },
  ttm: {
    shown: 75,
    inputs: measurements => {
      const y = filled(gridOf(measurements, 512), 512);
      return {
        past_values: { dims: [1, 512, 1], data: zeroed(y) },
        past_observed_mask: { dims: [1, 512, 1], data: observed(y) },
      };
    },
    output: 'prediction_outputs',
    dims: [1, 96, 1],
    order: 'time',
    steps: 96,
  },
  'n-hits': {
    shown: 35,
    inputs: measurements => {
      const y = filled(gridOf(measurements, 60), 60);
      return {
        insample_y: { dims: [1, 60], data: zeroed(y) },
        insample_mask: { dims: [1, 60], data: observed(y) },
      };
    },
    output: 'forecast',
    dims: [1, 12, 3],
    order: 'time, quantile',
    steps: 12,
  },
  // As they came: what lies between them is no gap.
  irregular: {
    shown: 30,
    inputs: measurements => {
      const end = measurements.at(-1)!.at.counter;
      const y = filled(
        measurements.map(({ offset }) => 1e6 * offset),
        32,
      );
      const times = filled(
        measurements.map(({ at }) => (at.counter - end) / PERIOD),
        32,
      );
      return {
        values: { dims: [1, 32], data: zeroed(y) },
        times: { dims: [1, 32], data: zeroed(times) },
        mask: { dims: [1, 32], data: observed(y) },
      };
    },
    output: 'quantiles',
    dims: [1, 8, 3],
    order: 'time, quantile',
    steps: 8,
  },
};

const Z90 = 1.2815515655446004;
const DECILES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/** An output in which every value says where it stands: a hundred for each step, ten times the level, µs. */
function marked({ order, steps }: Layout): number[] {
  const times = Array.from({ length: steps }, (_, j) => j);
  const few = steps < 64 ? [0.1, 0.5, 0.9] : DECILES;
  const value = (step: number, level: number): number => 100 * step + 10 * level;
  if (order === 'time') return times.map(step => value(step, 0.5));
  if (order === 'quantile, time') return few.flatMap(level => times.map(step => value(step, level)));
  if (order === 'time, quantile') return times.flatMap(step => few.map(level => value(step, level)));
  // The mean before the deciles; patches but the last forecast what has been.
  const last = times.flatMap(step => [-1, ...few.map(level => value(step, level))]);
  return [...Array<number>(15 * last.length).fill(-7), ...last];
}

describe.each(names)('the layout of %s', name => {
  const layout = LAYOUTS[name]!;
  const measurements = MEASURED.slice(-layout.shown);
  const end = measurements.at(-1)!.at.counter;
  const shownBy = (card: ForecastCard): Context => contextOf(measurements, 'counter', card)!;

  test.each(cards.filter(([of]) => of === name).map(([, what, card]) => [what, card] as const))(
    'is filled and read value by value as it is written down here: %s',
    (_, read) => {
      const card = read();
      const context = shownBy(card);
      const feeds = feedsOf(context, card);
      const expected = layout.inputs(measurements);
      expect(Object.keys(feeds).sort()).toEqual(Object.keys(expected).sort());
      for (const [input, { dims, data }] of Object.entries(expected)) {
        expect(feeds[input]!.dims, input).toEqual(dims);
        expect(Array.from(feeds[input]!.data as Float32Array, Number), input).toEqual(data.map(Math.fround));
      }

      const answer = { dims: layout.dims, data: Float32Array.from(marked(layout)) };
      const { times, offsets, deviations } = forecastOf({ [layout.output]: answer }, context, card) as Forecast;
      expect(times).toEqual(Array.from({ length: layout.steps }, (_, j) => end + PERIOD * (j + 1)));
      offsets.forEach((offset, j) => {
        expect(offset).toBeCloseTo(1e-6 * (100 * j + 5), 12);
      });
      if (layout.order === 'time') expect(deviations).toBeUndefined();
      for (const deviation of deviations ?? []) expect(deviation).toBeCloseTo((1e-6 * 8) / (2 * Z90), 9);
    },
  );

  test('gets the answer from a model that a noisy clock with an outage has: what it was shown, and nothing else', async () => {
    const card = parsed(readFileSync(fixture(`${name}.json`), 'utf8'), name);
    const context = shownBy(card);
    const open = await openCard(fixture(`${name}.json`));
    const { offsets, deviations } = forecastOf((await open.run(feedsOf(context, card)))!, context, card) as Forecast;
    // The tiny models' answer: a mean of what they see, and its deviation that grows with the root of the step.
    const regular = name !== 'irregular';
    const steps = { 'chronos-bolt': 80, 'n-hits': 60 }[name] ?? 512;
    const y = regular
      ? gridOf(measurements, steps).filter(one => !Number.isNaN(one))
      : measurements.map(({ offset }) => 1e6 * offset);
    const weights = regular ? y.map(() => 1) : measurements.map(({ at }) => Math.exp((at.counter - end) / PERIOD / 16));
    const meanOf = (values: readonly number[], by: readonly number[]): number =>
      values.reduce((sum, value, i) => sum + by[i]! * value, 0) / by.reduce((sum, one) => sum + one, 0);
    const plain = meanOf(
      y,
      y.map(() => 1),
    );
    const spread = Math.sqrt(
      meanOf(
        y.map(one => (one - plain) ** 2),
        y.map(() => 1),
      ),
    );
    expect(spread).toBeGreaterThan(50);
    offsets.forEach((offset, j) => {
      expect(1e6 * offset).toBeCloseTo(meanOf(y, weights), 3);
      if (deviations !== undefined) expect(1e6 * deviations[j]!).toBeCloseTo(spread * Math.sqrt(1 + j / 64), 2);
    });
  });
});
