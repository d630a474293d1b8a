import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ClockModel } from '../../../src/core/contracts/index.js';
import { stability } from '../../../src/core/metrics/stability/index.js';
import { SimulatedClock } from '../../../src/core/world/simulated-clock.js';
import { VirtualScheduler } from '../../../src/core/world/virtual-scheduler.js';
import { oscillator } from '../../support/oscillator.js';
import { correlation, mean } from '../../support/statistics.js';

const noisy = { frequencyError: 0, timeError: 0, whiteFm: 1e-9, wander: 1e-9 };

/** Values from stretches of 10 s of one oscillator: what the noise gains in one is independent of the others. */
function over(n: number, options: object, value: (model: ClockModel, start: number) => number): readonly number[] {
  const model = oscillator({ frequencyError: 0, ...options });
  return Array.from({ length: n }, (_, k) => value(model, 10 * k));
}

const meanSquare = (values: readonly number[]): number => mean(values.map(value => value ** 2));

describe('an oscillator without noise', () => {
  test('is ahead by its time error, and gains its frequency error', () => {
    const model = oscillator({ timeError: '20 ms', frequencyError: '12 ppm' });
    expect(model.phase(0)).toBe(0.02);
    expect(model.phase(86_400)).toBeCloseTo(0.02 + 12e-6 * 86_400, 12);
    expect(model.frequency(1234.5)).toBe(12e-6);
  });
});

describe('the noise of an oscillator', () => {
  const instants = fc.array(fc.double({ min: 0, max: 40, noNaN: true }), { minLength: 1, maxLength: 40 });

  test('is the same whoever reads: a dense reader and a sparse one see one clock', () => {
    fc.assert(
      fc.property(instants, instants, fc.nat(1000), (sparse, dense, seed) => {
        const readings = (times: readonly number[]): ReadonlyMap<number, readonly [number, number]> => {
          const model = oscillator(noisy, String(seed));
          const sorted = [...times].sort((a, b) => a - b);
          return new Map(sorted.map(t => [t, [model.phase(t), model.frequency(t)]]));
        };
        const alone = readings(sparse);
        const together = readings([...sparse, ...dense]);
        for (const t of sparse) expect(together.get(t)).toEqual(alone.get(t));
      }),
      { numRuns: 300 },
    );
  });

  test('is the same in whatever order a cell is read, and in the cell before it', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 0.001, 0.25, 0.5, 0.75, 0.999, 1, 1.25, 1.999]), order => {
        const reference = oscillator(noisy);
        const model = oscillator(noisy);
        const expected = new Map([...order].sort((a, b) => a - b).map(t => [t, reference.phase(7 + t)]));
        model.phase(7);
        for (const t of order) expect(model.phase(7 + t)).toBe(expected.get(t));
      }),
    );
  });

  test('is continuous: at the ends of a cell, and from instant to instant', () => {
    const model = oscillator(noisy);
    let last = model.phase(0);
    for (let k = 1; k <= 32_000; k++) {
      const phase = model.phase(k / 6400);
      // Six deviations of white FM over 1/6400 s, and what the walk may have gained in frequency by then.
      expect(Math.abs(phase - last)).toBeLessThan(6 * 1e-9 * Math.sqrt(1 / 6400) + 2e-8 / 6400);
      last = phase;
    }
  });

  test('starts from nothing', () => {
    expect(oscillator({ ...noisy, timeError: '5 ms' }).phase(0)).toBe(0.005);
  });

  test.each([
    ['within a cell', 5.2, 5.7],
    ['a short one within a cell', 5.31, 5.36],
    ['across a whole second', 5.9, 6.3],
    ['over several', 2.25, 7.5],
    ['on the lattice', 3, 4],
  ])('white FM gains whiteFm²·τ of variance: an increment %s', (_, from, to) => {
    const gains = over(6000, { whiteFm: 1e-9 }, (model, start) => -model.phase(start + from) + model.phase(start + to));
    const theory = 1e-18 * (to - from);
    expect(Math.abs(mean(gains))).toBeLessThan(4 * Math.sqrt(theory / 6000));
    expect(Math.abs(meanSquare(gains) / theory - 1)).toBeLessThan(4 * Math.sqrt(2 / 6000));
  });

  test('increments of white FM that do not overlap are independent', () => {
    const pieces = [5, 5.125, 5.25, 5.4, 5.5, 5.81, 6, 6.3];
    const model = oscillator({ frequencyError: 0, whiteFm: 1e-9 });
    const gains = Array.from({ length: 5000 }, (_, k) => {
      const phases = pieces.map(t => model.phase(10 * k + t));
      return phases.slice(1).map((phase, i) => phase - phases[i]!);
    });
    for (let i = 0; i < pieces.length - 1; i++) {
      for (let j = 0; j < i; j++) {
        const r = correlation(
          gains.map(own => own[i]!),
          gains.map(own => own[j]!),
        );
        expect(Math.abs(r)).toBeLessThan(4.2 / Math.sqrt(5000));
      }
    }
  });

  test.each([
    ['within a cell', 5.15, 0.3],
    ['a short one within a cell', 5.4, 0.1],
    ['across a whole second', 5.7, 0.2],
    ['across several', 3.3, 1.45],
    ['on the lattice', 3, 1],
  ])('a walking frequency gives second differences of variance (2/3)·wander²·h³: %s', (_, from, h) => {
    const seconds = over(6000, { wander: 1e-6 }, (model, start) => {
      const [a, b, c] = [0, h, 2 * h].map(later => model.phase(start + from + later));
      return a! - 2 * b! + c!;
    });
    const theory = (2 / 3) * 1e-12 * h ** 3;
    expect(Math.abs(mean(seconds))).toBeLessThan(4 * Math.sqrt(theory / 6000));
    expect(Math.abs(meanSquare(seconds) / theory - 1)).toBeLessThan(4 * Math.sqrt(2 / 6000));
  });

  test('and from a whole second on a phase of variance wander²·τ³/3, a frequency of variance wander²·τ', () => {
    const tau = 7.6;
    const phases = over(6000, { wander: 1e-6 }, (model, start) => {
      const [phase, frequency] = [model.phase(start), model.frequency(start)];
      return model.phase(start + tau) - phase - frequency * tau;
    });
    expect(Math.abs(meanSquare(phases) / ((1e-12 * tau ** 3) / 3) - 1)).toBeLessThan(4 * Math.sqrt(2 / 6000));
    const gains = over(6000, { wander: 1e-6 }, (model, start) => -model.frequency(start) + model.frequency(start + 7));
    expect(Math.abs(meanSquare(gains) / (1e-12 * 7) - 1)).toBeLessThan(4 * Math.sqrt(2 / 6000));
  });

  test('has the Allan deviation that its options say: whiteFm/√τ and wander·√(τ/3)', () => {
    const points = 40_000;
    for (const [options, theory] of [
      [{ whiteFm: 1e-9 }, (tau: number) => 1e-9 / Math.sqrt(tau)],
      [{ wander: 1e-9 }, (tau: number) => 1e-9 * Math.sqrt(tau / 3)],
    ] as const) {
      const model = oscillator({ frequencyError: '12 ppm', ...options }, 'adev');
      const phase = Float64Array.from({ length: points }, (_, k) => model.phase(k));
      for (const { tau, deviation } of stability(phase, 1, {
        estimators: ['oadev'],
        factors: [1, 2, 4, 8, 16, 32, 64],
      })) {
        expect(Math.abs(deviation / theory(tau) - 1), `τ = ${tau}`).toBeLessThan(0.1);
      }
    }
  });

  test('is another for each seed and option, and the same for the same', () => {
    const at = (options: object, seed: string) => oscillator({ ...noisy, ...options }, seed).phase(12.34);
    expect(at({}, '1')).toBe(at({}, '1'));
    expect(at({}, '1')).not.toBe(at({}, '2'));
  });

  test('does not go back: who asks for what has passed is told so', () => {
    const model = oscillator(noisy);
    model.phase(300);
    expect(() => model.phase(50)).toThrow(/was asked for 50 s, but has gone on to \d+ s/);
  });
});

describe("the simulated machine's clock", () => {
  const machine = (options: Readonly<Record<string, unknown>>) => {
    const truth = new VirtualScheduler();
    return { truth, clock: new SimulatedClock(oscillator(options), truth) };
  };

  test('reads in steps of its granularity, never ahead of its oscillator and by less than one step behind', () => {
    const { clock } = machine({ timeError: '0.3 s', frequencyError: '17 ppm', granularity: '1 ms' });
    let last = 0;
    for (let k = 0; k < 5000; k++) {
      const t = k * 0.00173;
      const { reading, counterError } = clock.sampleAt(t)!;
      const steps = reading.counter / 1e-3;
      expect(Math.abs(steps - Math.round(steps))).toBeLessThan(1e-6);
      const behind = t + 0.3 + 17e-6 * t - reading.counter;
      expect(behind).toBeGreaterThan(-1e-11);
      expect(behind).toBeLessThan(1e-3 + 1e-11);
      expect(counterError).toBeCloseTo(reading.counter - t, 12);
      expect(reading.counter).toBeGreaterThanOrEqual(last);
      last = reading.counter;
    }
  });

  test('knows its error far better than the difference of two instants: to a granule after a year', () => {
    const { clock } = machine({ timeError: '20 ms', frequencyError: 0, granularity: '1 ns' });
    const { counterError } = clock.sampleAt(365 * 86_400 + 0.123456789)!;
    expect(Math.abs(counterError - 0.02)).toBeLessThanOrEqual(1.001e-9);
  });

  test('with a granularity of 0 reads its oscillator exactly', () => {
    const { clock } = machine({ timeError: '20 ms', frequencyError: '12 ppm', granularity: 0 });
    expect(clock.sampleAt(1000)!.counterError).toBe(0.02 + 12e-6 * 1000);
  });

  test('a step moves the wall clock and nothing else', async () => {
    const { truth, clock } = machine({ frequencyError: 0 });
    truth.at(10, () => clock.stepWall(-0.25));
    await truth.run(20);
    const { reading, wallError, counterError } = clock.sampleAt(20)!;
    expect(reading.counter).toBeCloseTo(20, 8);
    expect(reading.wall).toBeCloseTo(19.75, 8);
    expect(wallError - counterError).toBeCloseTo(-0.25, 12);
  });

  test('a step of the frequency moves both axes, from then on', async () => {
    const { truth, clock } = machine({ frequencyError: '10 ppm', granularity: 0 });
    truth.at(100, () => clock.stepFrequency(4e-6));
    truth.at(200, () => clock.stepFrequency(-9e-6));
    await truth.run(300);
    const expected = 300 * 10e-6 + 100 * 4e-6 - 100 * 5e-6;
    const { wallError, counterError } = clock.sampleAt(300)!;
    expect(counterError).toBeCloseTo(expected, 12);
    expect(wallError).toBeCloseTo(expected, 12);
    expect(clock.frequencyAt(300)).toBeCloseTo(5e-6, 12);
  });
});
