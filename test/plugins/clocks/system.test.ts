import { describe, expect, test } from 'vitest';
import { SystemClock } from '../../../src/plugins/clocks/system.js';

const has64BitRaw =
  (process.platform === 'linux' || process.platform === 'darwin') && ['x64', 'arm64'].includes(process.arch);

/** The wall clock as Node tells it: from the tick before a reading to the end of the one after it, Unix seconds. */
function bracketed(read: () => number): { from: number; read: number; to: number } {
  const from = Date.now() / 1000;
  const found = read();
  return { from, read: found, to: (Date.now() + 1) / 1000 };
}

function quantile(values: readonly number[], q: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(q * (values.length - 1))]!;
}

describe.each(['auto', 'koffi', 'hrtime'] as const)('the system clock through %s', through => {
  if (through === 'koffi' && !has64BitRaw) return;
  const clock = new SystemClock({ through });
  const first = clock.read();
  const epoch = Number(clock.epoch / 1_000_000_000n);

  test('starts with the counter equal to the wall clock, under two seconds after a whole Unix second', () => {
    expect(first.counter).toBe(first.wall);
    expect(clock.epoch % 1_000_000_000n).toBe(0n);
    expect(first.wall).toBeGreaterThanOrEqual(0);
    expect(first.wall).toBeLessThan(2);
  });

  test('tells the wall clock as Node does, to the width of its millisecond', () => {
    for (let i = 0; i < 1000; i++) {
      const { from, read, to } = bracketed(() => epoch + clock.read().wall);
      expect(read).toBeGreaterThanOrEqual(from - 1e-6);
      expect(read).toBeLessThanOrEqual(to + 1e-6);
    }
  });

  test('its counter passes as process.hrtime does, and never goes back', () => {
    const start = { hrtime: process.hrtime.bigint(), counter: clock.read().counter };
    let last = start.counter;
    for (let i = 0; i < 20_000; i++) {
      const { counter } = clock.read();
      expect(counter).toBeGreaterThanOrEqual(last);
      last = counter;
    }
    const elapsed = Number(process.hrtime.bigint() - start.hrtime) / 1e9;
    expect(Math.abs(last - start.counter - elapsed)).toBeLessThan(1e-3);
  });

  test('counts whole nanoseconds', () => {
    for (let i = 0; i < 1000; i++) {
      const { wall, counter } = clock.read();
      expect(Math.round(wall * 1e9) / 1e9).toBe(wall);
      expect(Math.round(counter * 1e9) / 1e9).toBe(counter);
    }
  });
});

describe.skipIf(!has64BitRaw)('through koffi (64-bit Linux and macOS)', () => {
  test('auto chooses it and says what is read', () => {
    expect(new SystemClock({ through: 'auto' }).description).toBe(
      'CLOCK_REALTIME and CLOCK_MONOTONIC_RAW through koffi',
    );
  });

  // A machine that is busy with something else may spoil one try.
  test('both axes are read within microseconds of each other', { retry: 2 }, () => {
    const clock = new SystemClock({ through: 'koffi' });
    for (let i = 0; i < 1000; i++) clock.read();
    const differences = Array.from({ length: 5000 }, () => {
      const { wall, counter } = clock.read();
      return wall - counter;
    });
    expect(quantile(differences, 0.99) - quantile(differences, 0.01)).toBeLessThan(3e-6);
  });

  test('a reading resolves less than a microsecond', () => {
    const clock = new SystemClock({ through: 'koffi' });
    const walls = Array.from({ length: 2000 }, () => Math.round(clock.read().wall * 1e9));
    expect(walls.some(ns => ns % 1000 !== 0)).toBe(true);
  });
});

describe('the fallback', () => {
  test('says what is read, and why', () => {
    expect(new SystemClock({ through: 'hrtime' }).description).toBe(
      'Date.now and process.hrtime (koffi is not used: as asked)',
    );
  });

  test.skipIf(!has64BitRaw)('agrees with koffi far better than the millisecond that Date.now counts', () => {
    const precise = new SystemClock({ through: 'koffi' });
    const fallback = new SystemClock({ through: 'hrtime' });
    const shift = Number(fallback.epoch - precise.epoch) / 1e9;
    const differences = Array.from({ length: 3000 }, () => fallback.read().wall + shift - precise.read().wall);
    expect(Math.abs(quantile(differences, 0.5))).toBeLessThan(2e-4);
  });

  test('follows a wall clock that is stepped, to a millisecond, and its counter does not notice', () => {
    const clock = new SystemClock({ through: 'hrtime' });
    const before = clock.read();
    const now = Date.now;
    try {
      // The operator's step, in the only place where Node shows it.
      Date.now = () => now() + 5000;
      const { wall, counter } = clock.read();
      expect(wall - counter).toBeGreaterThan(4.999);
      expect(wall - counter).toBeLessThan(5.001);
      expect(counter - before.counter).toBeLessThan(1);
      Date.now = () => now() - 5000;
      expect(clock.read().wall - clock.read().counter).toBeCloseTo(-5, 2);
    } finally {
      Date.now = now;
    }
  });
});
