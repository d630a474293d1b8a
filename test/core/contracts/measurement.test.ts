import { describe, expect, test } from 'vitest';
import { type Exchange, measure, PHI } from '../../../src/core/contracts/index.js';

/** One exchange: T1 = 100 s, T2 = 100.25 s, T3 = 100.251 s, T4 = 100.101 s. */
const exchange: Exchange = {
  source: 'server',
  sent: { wall: 50, counter: 100 },
  arrived: { wall: 50.101, counter: 100.101 },
  receive: 100.25,
  transmit: 100.251,
  leap: 0,
  stratum: 2,
  precision: 2 ** -20,
  rootDelay: 0.02,
  rootDispersion: 0.03,
  referenceId: 0,
};

describe("RFC 5905's arithmetic", () => {
  test('offset and delay of section 8', () => {
    const measurement = measure(exchange, 'counter');
    // θ = ((T2 − T1) + (T3 − T4))/2 = (0.25 + 0.15)/2; δ = (T4 − T1) − (T3 − T2) = 0.101 − 0.001
    expect(measurement.offset).toBeCloseTo(0.2, 12);
    expect(measurement.delay).toBeCloseTo(0.1, 12);
    expect(measurement.at).toEqual({ wall: 50.0505, counter: 100.0505 });
  });

  test('a positive offset means that the local clock is behind', () => {
    const behind = { ...exchange, receive: exchange.sent.counter + 10.05, transmit: exchange.sent.counter + 10.051 };
    expect(measure(behind, 'counter').offset).toBeCloseTo(10, 12);
  });

  test('the axis decides which clock is measured', () => {
    const measurement = measure(exchange, 'wall');
    expect(measurement.offset).toBeCloseTo(50.2, 12);
    expect(measurement.delay).toBeCloseTo(0.1, 12);
  });

  test('root distance of section 11.2: (Δ + δ)/2 + E + ε', () => {
    const expected = (0.02 + 0.1) / 2 + 0.03 + 2 ** -20 + PHI * 0.101;
    expect(measure(exchange, 'counter').rootDistance).toBeCloseTo(expected, 12);
  });

  test('never counts less than MINDISP for the round trip', () => {
    const quick = { ...exchange, rootDelay: 0, arrived: { wall: 0, counter: 100.002 }, transmit: 100.2505 };
    const measurement = measure(quick, 'counter');
    expect(measurement.delay).toBeCloseTo(0.0015, 12);
    expect(measurement.rootDistance).toBeCloseTo(0.005 / 2 + 0.03 + 2 ** -20 + PHI * 0.002, 12);
  });

  test('a round trip that a step of the clock made negative still has positive bounds', () => {
    const measurement = measure({ ...exchange, arrived: { wall: 49, counter: 99 } }, 'counter');
    expect(measurement.delay).toBeCloseTo(-1.001, 12);
    expect(measurement.uncertainty).toBeGreaterThan(0);
    expect(measurement.rootDistance).toBeGreaterThan(0.5);
  });

  test('takes the deviation of a uniform error within ± half the delay, until a filter knows better', () => {
    expect(measure(exchange, 'counter').uncertainty).toBeCloseTo(0.1 / Math.sqrt(12), 12);
  });
});
