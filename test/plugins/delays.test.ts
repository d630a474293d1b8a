import { beforeAll, describe, expect, it } from 'vitest';
import type { DelayLaw } from '../../src/core/contracts/index.js';
import { randomStream } from '../../src/core/world/random.js';
import { loadAllPlugins } from '../../src/plugins/index.js';
import { scratch, write } from '../support/escapement.js';
import { made, problemsOf } from '../support/make-plugin.js';
import { correlation, KS_LIMIT, kolmogorovSmirnov, mean, normalCdf, variance } from '../support/statistics.js';

beforeAll(loadAllPlugins);

const N = 20_000;

function sample(law: DelayLaw, n = N, at: (i: number) => number = i => 64 * i): number[] {
  const random = randomStream('1', 'packets');
  return Array.from({ length: n }, (_, i) => law.draw(random, at(i)));
}

/** Regularised lower incomplete gamma function by its series. */
function gammaCdf(shape: number, x: number): number {
  let term = 1 / shape;
  let sum = term;
  for (let k = 1; k < 2000 && term > sum * 1e-16; k++) {
    term *= x / (shape + k);
    sum += term;
  }
  return sum * Math.exp(shape * Math.log(x) - x - logGamma(shape));
}

/** Lanczos's approximation, g = 7. */
function logGamma(z: number): number {
  const c = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  if (z < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * z)) - logGamma(1 - z);
  const x = z - 1;
  const sum = c.reduce((total, value, i) => (i === 0 ? value : total + value / (x + i)), 0);
  const t = x + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (x + 0.5) * Math.log(t) - t + Math.log(sum);
}

const exponential = (mean: number) => (x: number) => -Math.expm1(-x / mean);

describe('delay laws follow their distribution (Kolmogorov–Smirnov)', () => {
  it.each<[string, Readonly<Record<string, unknown>>, (x: number) => number]>([
    ['exponential', { mean: '2 ms' }, exponential(2e-3)],
    ['normal', { deviation: '2 ms' }, x => 2 * normalCdf(x / 2e-3) - 1],
    ['gamma', { mean: '3 ms', shape: 3 }, x => gammaCdf(3, x / 1e-3)],
    ['gamma', { mean: '1 ms', shape: 0.4 }, x => gammaCdf(0.4, x / 2.5e-3)],
    ['weibull', { scale: '2 ms', shape: 0.6 }, x => -Math.expm1(-((x / 2e-3) ** 0.6))],
    ['weibull', { scale: '2 ms', shape: 3 }, x => -Math.expm1(-((x / 2e-3) ** 3))],
    ['log-normal', { median: '2 ms', sigma: 0.8 }, x => normalCdf(Math.log(x / 2e-3) / 0.8)],
    ['pareto', { scale: '1 ms', shape: 1.2, cap: '50 ms' }, x => (1 - (1 + x / 1e-3) ** -1.2) / (1 - (1 + 50) ** -1.2)],
    [
      'mixture',
      {
        of: [
          { weight: 3, law: { use: 'exponential', mean: '1 ms' } },
          { weight: 1, law: { use: 'exponential', mean: '20 ms' } },
        ],
      },
      x => 0.75 * exponential(1e-3)(x) + 0.25 * exponential(20e-3)(x),
    ],
  ])('%s %o', (use, options, cdf) => {
    const drawn = sample(made('delay', { use, ...options }));
    expect(drawn.every(delay => delay >= 0 && Number.isFinite(delay))).toBe(true);
    expect(kolmogorovSmirnov(drawn, cdf)).toBeLessThan(KS_LIMIT);
  });

  it('constant', () => {
    expect(new Set(sample(made('delay', { use: 'constant', by: '3 ms' }), 100))).toEqual(new Set([3e-3]));
  });

  it('empirical: as the numbers of a file, in their unit', () => {
    const folder = scratch();
    const values = Array.from({ length: 500 }, (_, i) => 10 + (i / 499) ** 2 * 30);
    const file = write(folder, 'delays.csv', `t,delay_ms\n${values.map((value, i) => `${i},${value}`).join('\n')}\n`);
    const choice = { use: 'empirical', file, column: 'delay_ms', unit: '1 ms' };
    const drawn = sample(made('delay', choice));
    expect(kolmogorovSmirnov(drawn, x => Math.sqrt(Math.max(0, (x * 1e3 - 10) / 30)))).toBeLessThan(KS_LIMIT);
    const queueing = sample(made('delay', { ...choice, minimum: 'subtract' }));
    expect(Math.min(...queueing)).toBeLessThan(1e-5);
    expect(() => made('delay', { ...choice, column: 'delay' })).toThrow(/unknown column 'delay'/);
    expect(() => made('delay', { ...choice, file: 'none.csv' })).toThrow(/none\.csv: cannot be read: no such file/);
    write(folder, 'negative.txt', '1\n-2\n3\n');
    const negative = { use: 'empirical', file: `${folder}/negative.txt` };
    expect(() => made('delay', negative)).toThrow(/expected delays, from 0 on, found -2/);
  });
});

describe('pareto', () => {
  it('never waits longer than its cap', () => {
    const drawn = sample(made('delay', { use: 'pareto', scale: '1 ms', shape: 0.5, cap: '100 ms' }));
    expect(Math.max(...drawn)).toBeLessThanOrEqual(0.1);
    expect(drawn.filter(delay => delay > 0.05).length).toBeGreaterThan(100);
  });
});

describe('an M/M/1 queue', () => {
  const service = 1e-3;

  it.each([0.3, 0.6, 0.8, 0.9])('waits as theory has it at %f utilisation', utilisation => {
    const drawn = sample(made('delay', { use: 'queue', service, utilisation }));
    const idle = drawn.filter(delay => delay === 0).length / N;
    expect(Math.abs(idle - (1 - utilisation))).toBeLessThan(4 * Math.sqrt((utilisation * (1 - utilisation)) / N));
    const expected = (utilisation * service) / (1 - utilisation);
    const spread = Math.sqrt(variance(drawn) / N);
    expect(Math.abs(mean(drawn) - expected)).toBeLessThan(4 * spread);
    const waiting = drawn.filter(delay => delay > 0);
    expect(kolmogorovSmirnov(waiting, exponential(service / (1 - utilisation)))).toBeLessThan(KS_LIMIT);
  });

  it('is the same queue for packets that follow each other, and another one later', () => {
    const law = made('delay', { use: 'queue', service, utilisation: 0.7 });
    // Relaxation time s/(1 − √ρ)² = 37 ms.
    const random = randomStream('1', 'unused');
    const early: number[] = [];
    const soon: number[] = [];
    const later: number[] = [];
    for (let i = 0; i < 5000; i++) {
      early.push(law.draw(random, i));
      soon.push(law.draw(random, i + service / 10));
      later.push(law.draw(random, i + 0.5));
    }
    expect(correlation(early, soon)).toBeGreaterThan(0.97);
    expect(Math.abs(correlation(early, later))).toBeLessThan(0.06);
  });

  it('forgets as fast as a queue that is never drawn anew', () => {
    const utilisation = 0.6;
    const law = made('delay', { use: 'queue', service, utilisation });
    const random = randomStream('1', 'reference');
    const step = 5e-3;
    const n = 40_000;
    const ours = Array.from({ length: n }, (_, i) => law.draw(random, i * step));
    const reference: number[] = [];
    let work = 0;
    let time = 0;
    let next = 0;
    for (let i = 0; i < n; i++) {
      for (; next <= i * step; next += (service / utilisation) * random.exponential()) {
        work = Math.max(0, work - (next - time)) + service * random.exponential();
        time = next;
      }
      reference.push(Math.max(0, work - (i * step - time)));
    }
    for (const lag of [1, 2, 4]) {
      const own = correlation(ours.slice(lag), ours.slice(0, -lag));
      const real = correlation(reference.slice(lag), reference.slice(0, -lag));
      expect(Math.abs(own - real), `lag ${lag}`).toBeLessThan(0.06);
    }
  });

  it('waits the same whoever else asks', () => {
    const choice = { use: 'queue', service, utilisation: 0.8 };
    const [alone, busy] = [made('delay', choice), made('delay', choice)];
    const random = randomStream('1', 'unused');
    for (let i = 1; i < 300; i++) {
      const expected = alone.draw(random, 17.3 * i);
      for (let early = 17.3 * i - 0.2; early < 17.3 * i; early += 0.013) busy.draw(random, early);
      expect(busy.draw(random, 17.3 * i)).toBe(expected);
    }
  });
});

describe('congestion', () => {
  const states = [
    { lasts: '30 min', law: { use: 'constant', by: '1 ms' } },
    { lasts: '10 min', law: { use: 'constant', by: '40 ms' } },
  ];

  it('comes and goes: each state its share of the time, in exponential stretches', () => {
    const law = made('delay', { use: 'markov', states });
    const step = 10;
    const drawn = sample(law, 400_000, i => i * step);
    const congested = drawn.filter(delay => delay > 0.02).length / drawn.length;
    expect(Math.abs(congested - 0.25)).toBeLessThan(0.03);
    const stretches: number[] = [];
    let since = 0;
    drawn.forEach((delay, i) => {
      if (i === 0 || delay === drawn[i - 1]) return;
      if (delay === 1e-3) stretches.push((i - since) * step);
      since = i;
    });
    expect(Math.abs(mean(stretches) / 600 - 1)).toBeLessThan(0.15);
    expect(Math.abs(Math.sqrt(variance(stretches)) / mean(stretches) - 1)).toBeLessThan(0.15);
  });

  it('starts in any state, as often as it is in it, and visits three by their weights', () => {
    const three = [
      { lasts: 100, weight: 2, law: { use: 'constant', by: 1 } },
      { lasts: 200, weight: 1, law: { use: 'constant', by: 2 } },
      { lasts: 400, weight: 1, law: { use: 'constant', by: 3 } },
    ];
    // Visits by w·(W − w): 4, 3, 3; time: 400, 600, 1200.
    const share = (values: readonly number[], of: number): number =>
      values.filter(value => value === of).length / values.length;
    const starts = Array.from({ length: 2000 }, (_, seed) => {
      const law = made('delay', { use: 'markov', states: three }, String(seed));
      return law.draw(randomStream('1', 'unused'), 0);
    });
    const run = sample(made('delay', { use: 'markov', states: three }), 100_000, i => i * 50);
    for (const [state, expected] of [
      [1, 400 / 2200],
      [2, 600 / 2200],
      [3, 1200 / 2200],
    ] as const) {
      expect(Math.abs(share(starts, state) - expected)).toBeLessThan(0.045);
      expect(Math.abs(share(run, state) - expected)).toBeLessThan(0.03);
    }
  });

  it('is the same weather whoever asks', () => {
    const [alone, busy] = [made('delay', { use: 'markov', states }), made('delay', { use: 'markov', states })];
    const random = randomStream('1', 'unused');
    const times = Array.from({ length: 500 }, (_, i) => 173 * i);
    const expected = times.map(t => alone.draw(random, t));
    expect(
      times.map(t => {
        for (let early = Math.max(0, t - 100); early < t; early += 7) busy.draw(random, early);
        return busy.draw(random, t);
      }),
    ).toEqual(expected);
    expect(new Set(expected).size).toBe(2);
  });

  it('follows the day', () => {
    const law = made('delay', {
      use: 'periodic',
      law: { use: 'constant', by: '10 ms' },
      period: '1 d',
      peak: '18 h',
      amplitude: '50 %',
    });
    const random = randomStream('1', 'unused');
    const at = (hour: number): number => law.draw(random, hour * 3600);
    expect(at(18)).toBeCloseTo(15e-3, 12);
    expect(at(6)).toBeCloseTo(5e-3, 12);
    expect(at(12)).toBeCloseTo(10e-3, 12);
    expect(at(18 + 24 * 30)).toBeCloseTo(15e-3, 12);
  });
});

describe('bad options', () => {
  it('are told', () => {
    expect(problemsOf('delay', { use: 'queue', utilisation: '100 %' })).toEqual([
      'utilisation: expected at most 0.99, found 1',
    ]);
    expect(problemsOf('delay', { use: 'mixture', of: [] })[0]).toMatch(/^of: /);
    expect(problemsOf('delay', { use: 'mixture', of: [{ weight: 1, law: 'gama' }] })).toEqual([
      "of.0.law.use: unknown delay 'gama' (did you mean 'gamma'?)",
    ]);
    expect(problemsOf('delay', { use: 'markov', states: states(1) })[0]).toMatch(/^states: /);
    expect(problemsOf('delay', { use: 'pareto', cap: 0 })).toEqual(['cap: expected more than 0, found 0']);
  });
});

function states(n: number): unknown[] {
  return Array.from({ length: n }, () => ({ lasts: 1, law: 'constant' }));
}
