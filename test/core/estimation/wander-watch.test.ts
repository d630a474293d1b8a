import { describe, expect, test } from 'vitest';
import { WanderWatch } from '../../../src/core/estimation/wander-watch.js';
import { randomStream } from '../../../src/core/world/random.js';

/** Offsets each minute, known to ±20 µs, of a clock whose frequency walks by `wander` in √1 s. */
function watched(wander: number, seed = '1', count = 300): WanderWatch {
  const stream = randomStream(seed, 'wander');
  const watch = new WanderWatch(2e-4);
  let [x, y] = [0.05, 2e-5];
  for (let i = 0; i < count; i++) {
    const kick = wander * Math.sqrt(60) * stream.normal();
    x += 60 * (y + kick / 2);
    y += kick;
    watch.observe(60 * (i + 1), x + 2e-5 * stream.normal(), 4e-10, 1e-18);
  }
  return watch;
}

describe('how much a clock wanders', () => {
  test('is found within a factor of three, from a good crystal to a bad one', () => {
    for (const wander of [1e-9, 1e-8, 1e-7, 1e-6]) {
      for (const seed of ['1', '2', '3']) {
        const found = Math.sqrt(watched(wander, seed).randomWalkFm!);
        expect(found / wander).toBeGreaterThan(1 / 3);
        expect(found / wander).toBeLessThan(3);
      }
    }
  });

  test('is unknown before there is a measurement, and one outlier is not wander', () => {
    expect(new WanderWatch(2e-4).randomWalkFm).toBeUndefined();
    const watch = watched(1e-9);
    const before = watch.randomWalkFm!;
    watch.observe(60 * 301, 10, 4e-10, 1e-18);
    expect(watch.randomWalkFm! / before).toBeLessThan(10);
  });

  test('is still believed after a step, a new start, and a snapshot that went through JSON', () => {
    const watch = watched(1e-8);
    const before = watch.randomWalkFm;
    watch.step(0.2);
    watch.restart(60 * 301, 0.3, 2e-5, 4e-10);
    expect(watch.randomWalkFm).toBe(before);
    const other = new WanderWatch(2e-4);
    other.restore(JSON.parse(JSON.stringify(watch.snapshot())));
    for (const each of [watch, other]) each.observe(60 * 302, 0.3, 4e-10, 1e-18);
    expect(other.snapshot()).toEqual(watch.snapshot());
  });
});
