import { describe, expect, it } from 'vitest';
import { BaseDelay } from '../../../src/core/estimation/base-delay.js';
import { randomStream } from '../../../src/core/world/random.js';

const BASE = 0.02;
const SCALE = 1e-3;

/** `count` exchanges over a path, the clock being known to `blur`; started from the least of the first 20 delays. */
function learnt(count: number, blur: number, seed: string): { base: BaseDelay; minimum: number } {
  const stream = randomStream(seed, 'base');
  const base = new BaseDelay();
  const first = Array.from({ length: 20 }, () => BASE + SCALE * (stream.exponential() + stream.exponential()));
  let minimum = Math.min(...first);
  const shortfall = SCALE * Math.sqrt(Math.PI / 40);
  base.start(minimum, shortfall, SCALE * Math.sqrt((4 - Math.PI) / 40));
  for (let i = 0; i < count; i++) {
    const there = SCALE * stream.exponential();
    const back = SCALE * stream.exponential();
    minimum = Math.min(minimum, BASE + there + back);
    base.learn(BASE + there + back, (there - back) / 2 + blur * stream.normal(), blur, SCALE, 0.9);
  }
  return { base, minimum };
}

describe('the base of a path', () => {
  it('is found far below the least delay where the clock is known: its error goes by s/n, not by s/√n', () => {
    const ours: number[] = [];
    const least: number[] = [];
    const pulls: number[] = [];
    for (let seed = 0; seed < 20; seed++) {
      const { base, minimum } = learnt(150, 2e-6, String(seed));
      ours.push((base.mean - BASE) ** 2);
      least.push((minimum - BASE) ** 2);
      pulls.push((base.mean - BASE) / base.deviation);
    }
    const rms = (squares: number[]) => Math.sqrt(squares.reduce((a, b) => a + b, 0) / squares.length);
    // s/n ≈ 7 µs, s·√(π/2n) ≈ 100 µs.
    expect(rms(ours)).toBeLessThan(25e-6);
    expect(rms(ours)).toBeLessThan(rms(least) / 3);
    for (const pull of pulls) expect(Math.abs(pull)).toBeLessThan(6);
  });

  it('stays as unknown as the delays leave it where the clock is not known', () => {
    const { base, minimum } = learnt(150, 0.01, '7');
    expect(base.mean).toBeLessThan(minimum + base.deviation);
    expect(base.deviation).toBeGreaterThan(15e-6);
    expect(Math.abs(base.mean - BASE)).toBeLessThan(5 * base.deviation);
  });

  it('is the Rayleigh law’s mean and deviation at the start', () => {
    const base = new BaseDelay(200);
    expect(base.known).toBe(false);
    base.start(0.05, 1e-3, 1e-3 * Math.sqrt(4 / Math.PI - 1));
    expect(base.known).toBe(true);
    expect((0.05 - base.mean) / 1e-3).toBeCloseTo(1, 1);
    expect(base.deviation / 1e-3).toBeCloseTo(Math.sqrt(4 / Math.PI - 1), 1);
  });

  it('is not decided by one odd exchange', () => {
    const { base } = learnt(100, 2e-6, '3');
    const before = base.mean;
    // A residual of 8 ms in a round trip with 1 ms of queueing: no base allows it.
    base.learn(BASE + 1e-3, 8e-3, 2e-6, SCALE, 0.9);
    expect(Math.abs(base.mean - before)).toBeLessThan(10e-6);
  });

  it('stays finite whatever it is taught, and goes on alike from a snapshot', () => {
    const { base } = learnt(30, 1e-6, '1');
    for (const delay of [0, 10, 1e-9, 0.02, 1e6]) base.learn(delay, delay / 3, 1e-9, 1e-8, 1);
    expect(Number.isFinite(base.mean)).toBe(true);
    expect(base.deviation).toBeGreaterThan(0);
    const copy = new BaseDelay();
    copy.restore(JSON.parse(JSON.stringify(base.snapshot())));
    base.learn(0.021, 1e-4, 1e-5, SCALE, 0.9);
    copy.learn(0.021, 1e-4, 1e-5, SCALE, 0.9);
    expect(copy.snapshot()).toEqual(base.snapshot());
    expect(copy.mean).toBe(base.mean);
  });
});
