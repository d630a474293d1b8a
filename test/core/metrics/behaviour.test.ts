import { beforeAll, describe, expect, it } from 'vitest';
import type { BehaviourSummary } from '../../../src/core/contracts/index.js';
import { Behaviour } from '../../../src/core/metrics/behaviour.js';
import { loadAllPlugins } from '../../../src/plugins/index.js';
import { gaussian } from '../../support/gaussian.js';
import { runText } from '../../support/run-scenario.js';

beforeAll(loadAllPlugins);

const LIMITS = { within: 1e-3, holdoverAfter: 900 };

/** One second after the other. */
function behaviour(errors: readonly number[], warmup = 0): Behaviour {
  const score = new Behaviour(LIMITS, warmup, 0.95);
  errors.forEach((error, t) => {
    score.add(t, error, undefined);
  });
  return score;
}

describe('convergence', () => {
  it('is when the error was last beyond the limit, also before the warm-up', () => {
    expect(behaviour([1, 0.1, 5e-4, 2e-3, 1e-4, 1e-4]).summary(6).convergedBy).toBe(3);
    expect(behaviour([1, 0.1, -2e-3, 1e-4, 1e-4], 4).summary(5).convergedBy).toBe(2);
    expect(behaviour([1e-4, 1e-4]).summary(2).convergedBy).toBe(0);
  });

  it('is not there yet where the last error is beyond it, or nothing was scored', () => {
    expect(behaviour([1e-4, -2e-3]).summary(2).convergedBy).toBeNull();
    expect(behaviour([]).summary(0)).toMatchObject({ convergedBy: null, largestBackwardStep: null, calibration: null });
  });
});

describe('the largest backward step', () => {
  it('is the largest fall of the error from one sample to the next', () => {
    expect(behaviour([0, 5e-3, 2e-3, -2e-3, 0, 1]).summary(6).largestBackwardStep).toBeCloseTo(4e-3, 15);
    expect(behaviour([0, 1, 2]).summary(3).largestBackwardStep).toBe(0);
  });
});

describe('recovery', () => {
  it('counts from the end of a fault to when the error was last beyond the limit', () => {
    const score = new Behaviour(LIMITS, 0, 0.95);
    const errorAt = (t: number): number => (t >= 100 && t < 260 ? 0.05 : t >= 500 && t < 530 ? 2e-3 : 1e-5);
    for (let t = 0; t < 1000; t++) {
      if (t === 100) score.struck('outage', 100);
      if (t === 200) score.over(200);
      if (t === 500) score.struck('clock-step', 500);
      if (t === 700) score.struck('packet-loss', 700);
      score.add(t, errorAt(t), undefined);
    }
    expect(score.summary(1000).recovery).toEqual({
      faults: 3,
      unrecovered: 0,
      worst: 59,
      each: [
        { what: 'outage', at: 100, recovery: 59, max: 0.05 },
        { what: 'clock-step', at: 500, recovery: 29, max: 2e-3 },
        { what: 'packet-loss', at: 700, recovery: 0, max: 1e-5 },
      ],
    });
  });

  it('has not come where the error is still beyond the limit when the next fault strikes', () => {
    const score = new Behaviour(LIMITS, 0, 0.95);
    score.struck('clock-step', 10);
    score.add(11, 1, undefined);
    score.struck('outage', 12);
    score.add(13, 0, undefined);
    expect(score.summary(14).recovery).toMatchObject({ faults: 2, unrecovered: 1, worst: null });
  });

  it('lists a hundred faults and counts them all', () => {
    const score = new Behaviour(LIMITS, 0, 0.95);
    for (let t = 0; t < 1000; t++) {
      score.struck('clock-step', t);
      score.add(t + 0.5, 0, undefined);
    }
    const { recovery } = score.summary(1000);
    expect(recovery?.faults).toBe(1000);
    expect(recovery?.each).toHaveLength(100);
  });
});

describe('age and holdover', () => {
  it('sorts errors by the age of the last applied reference', () => {
    const score = new Behaviour(LIMITS, 0, 0.95);
    score.add(0, 9, undefined);
    score.applied(0.5);
    for (let t = 1; t <= 64; t++) score.add(t, (t - 0.5) * 1e-6, undefined);
    const { age, byAge, holdover } = score.summary(64);
    expect(age).toEqual({ mean: 32, max: 63.5 });
    expect(byAge.map(({ from, to, samples }) => [from, to, samples])).toEqual([
      [0, 2, 2],
      [2, 4, 2],
      [4, 8, 4],
      [8, 16, 8],
      [16, 32, 16],
      [32, 64, 32],
    ]);
    expect(byAge.at(-1)!.max).toBeCloseTo(63.5e-6, 12);
    expect(holdover).toBeNull();
  });

  it('says how fast the error grows without a reference', () => {
    const score = new Behaviour(LIMITS, 0, 0.95);
    for (let t = 0; t < 20_000; t++) {
      const held = t > 4000 && t < 12_032;
      if (t % 64 === 0 && !held) score.applied(t);
      score.add(t, held ? (t - 3968) * 2e-8 : 1e-6, undefined);
    }
    const { holdover } = score.summary(20_000);
    expect(holdover?.episodes).toBe(1);
    expect(holdover?.longest).toBe(12_032 - 3968);
    // From the reference at 3968 to the last held sample: 8063 s of 8064.
    expect(holdover!.growth).toBeCloseTo(2e-8, 9);
    expect(holdover!.max).toBeCloseTo(8063 * 2e-8, 9);
  });
});

describe('calibration', () => {
  const calibrated = (told: number, real: number, bias = 0, level = 0.95): BehaviourSummary['calibration'] => {
    const draw = gaussian('calibration');
    const score = new Behaviour(LIMITS, 0, level);
    const quantile = level === 0.95 ? 1.959963984540054 : 1;
    for (let t = 0; t < 200_000; t++) score.add(t, bias + real * draw(), told * quantile);
    return score.summary(200_000).calibration;
  };

  it.each([0.95, 0.6826894921370859])('holds at every level where what is told is true (told at %f)', level => {
    const { levels, pit, distance } = calibrated(1e-3, 1e-3, 0, level)!;
    for (const { level, coverage } of levels) expect(Math.abs(coverage - level)).toBeLessThan(0.004);
    expect(levels.find(one => one.level === 0.95)!.meanWidth).toBeCloseTo(2 * 1.96e-3, 5);
    for (const share of pit) expect(Math.abs(share - 0.1)).toBeLessThan(0.004);
    expect(pit.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
    expect(distance).toBeLessThan(0.004);
  });

  it('sees intervals that are too narrow or too wide', () => {
    const narrow = calibrated(1e-3, 2e-3)!;
    // P(|N| ≤ 1.96/2)
    expect(narrow.levels.find(({ level }) => level === 0.95)!.coverage).toBeCloseTo(0.673, 2);
    expect(narrow.pit[0]).toBeGreaterThan(0.2);
    expect(narrow.distance).toBeGreaterThan(0.1);
    const wide = calibrated(2e-3, 1e-3)!;
    expect(wide.levels.find(({ level }) => level === 0.5)!.coverage).toBeCloseTo(0.823, 2);
    expect(wide.pit[0]).toBeLessThan(0.02);
  });

  it('sees a bias: a clock told ahead has the truth below what was told', () => {
    const { pit, distance } = calibrated(1e-3, 1e-3, 1e-3)!;
    expect(pit[0]).toBeGreaterThan(0.35);
    expect(pit[9]).toBeLessThan(0.02);
    expect(distance).toBeGreaterThan(0.3);
  });
});

describe('a run', () => {
  const scenario = (expectations = '', more = '') => `
name: behaviour
duration: 6 h
warmup: 30 min
world:
  clock: { use: oscillator, timeError: 50 ms, frequencyError: 20 ppm, wander: 1e-9 }
  servers: [{ name: a, delay: 5 ms, jitter: { use: exponential, mean: 200 us } }]
  faults:
    - { use: outage, at: 2 h, for: 1 h }
    - { use: clock-step, at: 4 h, by: -40 ms }
pipelines:
  - { name: counter, filters: [delay-excess] }
  - { name: wall, axis: wall, filters: [delay-excess] }
${more}
${expectations}`;

  it('says how every pipeline behaved, where it is asked to', async () => {
    const { pipelines } = await runText(scenario(), { behaviour: true });
    const [bare, counter, wall] = pipelines.map(({ behaviour }) => behaviour!) as [
      BehaviourSummary,
      BehaviourSummary,
      BehaviourSummary,
    ];
    expect(bare).toMatchObject({ convergedBy: null, drift: null, age: null, calibration: null });
    expect(bare.largestBackwardStep).toBeCloseTo(40e-3, 3);
    expect(counter.convergedBy).toBeGreaterThan(0);
    expect(counter.convergedBy).toBeLessThan(1800);
    expect(counter.largestBackwardStep).toBeLessThan(60e-3);
    // It knows 20 ppm to better than 1 %.
    expect(counter.drift!.rms).toBeLessThan(2e-7);
    expect(counter.age!.max).toBeGreaterThan(3600);
    expect(counter.age!.max).toBeLessThan(3600 + 200);
    expect(counter.holdover).toMatchObject({ episodes: 1 });
    expect(counter.holdover!.growth).toBeLessThan(1e-6);
    expect(counter.recovery!.each.map(({ what, at }) => [what, at])).toEqual([
      ['outage', 7200],
      ['clock-step', 14400],
    ]);
    expect(counter.recovery!.each[1]).toMatchObject({ recovery: 0 });
    expect(wall.recovery!.each[1]!.max).toBeGreaterThan(30e-3);
    const { levels } = counter.calibration!;
    const { bounds } = pipelines[1]!;
    expect(levels.find(({ level }) => level === 0.95)!.coverage).toBeCloseTo(bounds.coverage!, 2);
    expect(levels.find(({ level }) => level === 0.95)!.meanWidth).toBeCloseTo(bounds.meanWidth!, 9);
  });

  it('leaves the other numbers as they were, and says nothing where nobody asks', async () => {
    const without = await runText(scenario());
    const asked = await runText(scenario(), { behaviour: true });
    const numbers = asked.pipelines.map(({ behaviour, ...rest }) => rest);
    expect(without.pipelines).toEqual(numbers);
    expect(without.pipelines.every(({ behaviour }) => behaviour === undefined)).toBe(true);
  });

  it('is asked by an expectation on such a metric', async () => {
    const { expectations } = await runText(
      scenario(`
expectations:
  - { pipeline: counter, metric: recovery.worst, atMost: 30 min }
  - { pipeline: counter, metric: holdover.growth, atMost: 1 ppm }
  - { pipeline: counter, metric: age.max, atLeast: 1 h }
  - { pipeline: counter, metric: drift.rms, atMost: 0.2 ppm }
  - { pipeline: bare-clock, metric: backwardStep, atLeast: 39 ms }
  - { pipeline: bare-clock, metric: drift.max, atMost: 1 }
  - { pipeline: wall, metric: calibration.distance, atMost: 1e-6 }
`),
    );
    expect(expectations.map(({ holds }) => holds)).toEqual([true, true, true, true, true, false, false]);
  });

  it('takes the limit of the scenario', async () => {
    const { pipelines } = await runText(scenario('', 'metrics: { within: 1 s }'), { behaviour: true });
    expect(pipelines[1]!.behaviour).toMatchObject({ within: 1, convergedBy: 0 });
  });
});
