import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { ForecastCard } from '../../../src/core/models/card.js';
import { parseCard } from '../../../src/core/models/card.js';
import { contextOf } from '../../../src/core/models/context.js';
import { exampleOf, feedsOf } from '../../../src/core/models/feeds.js';
import { measurementAt } from '../../contract/conformance.js';
import { fixture } from '../../support/models.js';

const base = parseCard(readFileSync(fixture('n-hits.json'), 'utf8'), 'n-hits') as ForecastCard;
const with_ = (change: Partial<ForecastCard>): ForecastCard => ({ ...base, ...change });

describe('what a model is shown', () => {
  const clock = (t: number) => 0.25 - 50e-6 * t;
  const steady = Array.from({ length: 60 }, (_, i) => measurementAt(1000 + 64 * i, clock(1000 + 64 * i)));

  test('of a clock that only drifts is nothing: the line is taken off in double precision', () => {
    const context = contextOf(steady, 'counter', base)!;
    expect(context.offsets).toHaveLength(60);
    expect(context.period).toBeCloseTo(64, 9);
    expect(context.line.drift).toBeCloseTo(-50e-6, 12);
    // In seconds, 4 significant digits below a picosecond.
    for (const y of context.offsets) expect(Math.abs(y * context.scale)).toBeLessThan(1e-12);
  });

  test('lies on a grid that ends at the last measurement, interpolated between irregular ones', () => {
    const times = [0, 100, 130, 200, 320, 400, 500, 600, 700, 800, 900, 1000];
    const wave = (t: number) => 1e-3 * Math.abs(t - 500);
    const card = with_({
      sampling: { mode: 'regular', period: 100, resample: 'linear', maxGap: 4 },
      context: { ...base.context, min: 4 },
      normalisation: { detrend: 'none', centre: 'none', scale: 'unit', unit: 'ms', transform: 'none' },
    });
    // A measurement speaks of half a delay before its arrival.
    const context = contextOf(
      times.map(t => measurementAt(t + 0.01, wave(t))),
      'counter',
      card,
    )!;
    expect([...context.times]).toEqual([-10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0].map(t => expect.closeTo(t, 6)));
    const expected = [500, 400, 300, 200, 100, 0, 100, 200, 300, 400, 500];
    expect([...context.offsets]).toEqual(expected.map(y => expect.closeTo(y, 3)));
  });

  test('has no values in a gap that is longer than the card allows, and none to show while nearly all is gap', () => {
    const gapped = [...steady.slice(0, 20), ...steady.slice(30)];
    const context = contextOf(gapped, 'counter', base)!;
    expect([...context.offsets].map(Number.isNaN).filter(Boolean)).toHaveLength(10);
    const { insample_y, insample_mask } = feedsOf(context, base);
    expect([...insample_mask!.data].filter(seen => Number(seen) === 0)).toHaveLength(10);
    expect([...insample_y!.data].every(y => Number.isFinite(Number(y)))).toBe(true);
    expect(contextOf([...steady.slice(0, 2), ...steady.slice(-2)], 'counter', base)).toBeUndefined();
  });

  test('is padded where the model wants more than there is, and masked there', () => {
    const context = contextOf(steady.slice(-25), 'counter', base)!;
    expect(context.offsets).toHaveLength(25);
    const { insample_y, insample_mask } = feedsOf(context, base);
    expect(insample_y!.dims).toEqual([1, 60]);
    expect([...insample_mask!.data].map(Number)).toEqual([...new Array(35).fill(0), ...new Array(25).fill(1)]);
    expect([...insample_y!.data].slice(0, 35).map(Number)).toEqual(new Array(35).fill(0));
  });

  test('is nothing while there are fewer measurements than the card asks for', () => {
    expect(contextOf(steady.slice(0, 19), 'counter', base)).toBeUndefined();
    expect(contextOf([], 'counter', base)).toBeUndefined();
    expect(contextOf(new Array(30).fill(steady[0]), 'counter', base)).toBeUndefined();
  });

  test('can be made up for a model of any length, of one length only too, with a gap where it is long enough', () => {
    for (let length = 2; length <= 200; length++) {
      for (const mode of ['regular', 'irregular'] as const) {
        const context = { ...base.context, min: length, max: length };
        const example = exampleOf(with_({ context, sampling: { ...base.sampling, mode } }));
        expect(example?.offsets.length, `${length} ${mode}`).toBe(length);
        if (mode === 'regular' && length >= 15) expect(example!.offsets.some(Number.isNaN), `${length}`).toBe(true);
      }
    }
  });

  test('fills patches with the values, then their flags', () => {
    const card = parseCard(readFileSync(fixture('timesfm-2.5.json'), 'utf8'), 'card') as ForecastCard;
    const { inputs } = feedsOf(contextOf(steady, 'counter', card)!, card);
    expect(inputs!.dims).toEqual([1, 16, 64]);
    // 60 values stand in the last two patches, the first four of the 64 are padding.
    const patch = [...inputs!.data].slice(14 * 64, 15 * 64).map(Number);
    expect(patch.slice(32)).toEqual([1, 1, 1, 1, ...new Array(28).fill(0)]);
    expect([...inputs!.data].slice(32, 64).map(Number)).toEqual(new Array(32).fill(1));
  });
});
