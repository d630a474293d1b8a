import { describe, expect, test } from 'vitest';
import {
  hashedExponential,
  hashedNormal,
  hashedNormalPair,
  mix,
  randomStream,
} from '../../../src/core/world/random.js';
import {
  correlation,
  KS_LIMIT,
  kolmogorovSmirnov,
  mean,
  moment,
  normalCdf,
  variance,
} from '../../support/statistics.js';

const N = 200_000;

function draws(make: () => number, n = N): readonly number[] {
  return Array.from({ length: n }, make);
}

describe('a named random stream', () => {
  test.each(['1', '2', 'a long seed in words'])('has normal values, with seed %s', seed => {
    const stream = randomStream(seed, 'clock/noise');
    const values = draws(() => stream.normal());
    expect(kolmogorovSmirnov(values, normalCdf)).toBeLessThan(KS_LIMIT);
    // Four standard deviations of each moment's own scatter.
    expect(Math.abs(mean(values))).toBeLessThan(4 / Math.sqrt(N));
    expect(Math.abs(variance(values) - 1)).toBeLessThan(4 * Math.sqrt(2 / N));
    expect(Math.abs(moment(values, 3))).toBeLessThan(4 * Math.sqrt(6 / N));
    expect(Math.abs(moment(values, 4) - 3)).toBeLessThan(4 * Math.sqrt(96 / N));
  });

  test('has normal values far out in both tails, where the ziggurat has its own rule', () => {
    const stream = randomStream('tail', 'x');
    const n = 4_000_000;
    let above = 0;
    let below = 0;
    let sumAbove = 0;
    for (let i = 0; i < n; i++) {
      const value = stream.normal();
      if (value > 3.442619855899) {
        above += 1;
        sumAbove += value;
      } else if (value < -3.442619855899) below += 1;
    }
    const expected = n * normalCdf(-3.442619855899);
    expect(Math.abs(above - expected)).toBeLessThan(4 * Math.sqrt(expected));
    expect(Math.abs(below - expected)).toBeLessThan(4 * Math.sqrt(expected));
    // The mean of the tail is φ(R)/Q(R).
    const density = Math.exp(-(3.442619855899 ** 2) / 2) / Math.sqrt(2 * Math.PI);
    expect(Math.abs(sumAbove / above - density / normalCdf(-3.442619855899))).toBeLessThan(0.03);
  });

  test('has uniform values on [0, 1) and exponential ones of mean 1', () => {
    const stream = randomStream('1', 'network/near/ntp/near/out');
    const uniform = draws(() => stream.uniform());
    expect(Math.min(...uniform.slice(0, 50_000))).toBeGreaterThanOrEqual(0);
    expect(uniform.every(value => value >= 0 && value < 1)).toBe(true);
    expect(kolmogorovSmirnov(uniform, x => x)).toBeLessThan(KS_LIMIT);
    const exponential = draws(() => stream.exponential());
    expect(exponential.every(value => value >= 0 && Number.isFinite(value))).toBe(true);
    expect(kolmogorovSmirnov(exponential, x => 1 - Math.exp(-x))).toBeLessThan(KS_LIMIT);
  });

  test('has 32-bit integers with every bit set half of the time', () => {
    const stream = randomStream('1', 'nonce');
    const n = 50_000;
    const set = new Array<number>(32).fill(0);
    for (let i = 0; i < n; i++) {
      const value = stream.uint32();
      expect(Number.isInteger(value) && value >= 0 && value < 2 ** 32).toBe(true);
      for (let bit = 0; bit < 32; bit++) set[bit]! += (value >>> bit) & 1;
    }
    for (const count of set) expect(Math.abs(count - n / 2)).toBeLessThan(4.5 * Math.sqrt(n / 4));
  });

  test('is a function of seed and name, and of nothing else', () => {
    const values = (seed: string, path: string) => {
      const stream = randomStream(seed, path);
      return draws(() => stream.normal(), 100);
    };
    expect(values('1', 'a')).toEqual(values('1', 'a'));
    expect(values('1', 'a')).not.toEqual(values('1', 'b'));
    expect(values('1', 'a')).not.toEqual(values('2', 'a'));
  });

  test('is not correlated with its siblings: neighbouring seeds, and names that differ in the last character', () => {
    const n = 5000;
    const siblings = [
      ...Array.from({ length: 12 }, (_, i) => randomStream(String(i), 'clock/noise')),
      ...Array.from({ length: 12 }, (_, i) => randomStream('1', `network/server-${i}/out`)),
    ].map(stream => draws(() => stream.normal(), n));
    for (let i = 0; i < siblings.length; i++) {
      for (let j = 0; j < i; j++) {
        expect(Math.abs(correlation(siblings[i]!, siblings[j]!))).toBeLessThan(4.5 / Math.sqrt(n));
      }
    }
  });

  test('starts anywhere: the first draws over a thousand sibling seeds are uniform and uncorrelated', () => {
    const seeds = Array.from({ length: 2000 }, (_, i) => randomStream(String(i), 'x'));
    const first = seeds.map(stream => stream.uniform());
    const second = seeds.map(stream => stream.uniform());
    expect(kolmogorovSmirnov(first, x => x)).toBeLessThan(KS_LIMIT);
    expect(Math.abs(correlation(first, second))).toBeLessThan(4 / Math.sqrt(2000));
    expect(Math.abs(correlation(first.slice(1), first.slice(0, -1)))).toBeLessThan(4 / Math.sqrt(2000));
  });
});

describe('values that are functions of two integers', () => {
  const salts = [0, 1, 0x9e3779b1, 0xdeadbeef];

  test.each(salts)(
    'are normal and uncorrelated with their neighbours, cell by cell and node by node (salt %i)',
    salt => {
      // As the oscillator asks: a hash for the cell, and the nodes of a binary tree within it.
      const cells = Array.from({ length: 3000 }, (_, k) => (salt + Math.imul(k, 0x9e3779b1)) >>> 0);
      const node = (n: number): readonly number[] => cells.map(cell => hashedNormal(cell, n));
      const all = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 31].map(node);
      for (const values of all) expect(kolmogorovSmirnov(values, normalCdf)).toBeLessThan(KS_LIMIT);
      for (let i = 0; i < all.length; i++) {
        for (let j = 0; j < i; j++) expect(Math.abs(correlation(all[i]!, all[j]!))).toBeLessThan(4.5 / Math.sqrt(3000));
        const values = all[i]!;
        for (const other of all) {
          expect(Math.abs(correlation(values.slice(1), other.slice(0, -1)))).toBeLessThan(4.5 / Math.sqrt(2999));
        }
      }
    },
  );

  test.each(salts)('come in pairs that are independent of each other (salt %i)', salt => {
    const pairs = Array.from({ length: 5000 }, (_, k) => hashedNormalPair((salt + Math.imul(k, 0x9e3779b1)) >>> 0, 1));
    const [first, second] = [pairs.map(([a]) => a), pairs.map(([, b]) => b)];
    expect(kolmogorovSmirnov(first, normalCdf)).toBeLessThan(KS_LIMIT);
    expect(kolmogorovSmirnov(second, normalCdf)).toBeLessThan(KS_LIMIT);
    expect(Math.abs(correlation(first, second))).toBeLessThan(4 / Math.sqrt(5000));
    const squares = (values: readonly number[]) => values.map(value => value ** 2);
    expect(Math.abs(correlation(squares(first), squares(second)))).toBeLessThan(4 / Math.sqrt(5000));
  });

  test.each(salts)('are exponential, their tail included, and uncorrelated one after another (salt %i)', salt => {
    const values = Array.from({ length: N }, (_, n) => hashedExponential(salt, n));
    expect(values.every(value => value >= 0 && Number.isFinite(value))).toBe(true);
    expect(kolmogorovSmirnov(values, x => 1 - Math.exp(-x))).toBeLessThan(KS_LIMIT);
    expect(Math.abs(variance(values) - 1)).toBeLessThan(4 * Math.sqrt(8 / N));
    expect(Math.abs(correlation(values.slice(1), values.slice(0, -1)))).toBeLessThan(4.5 / Math.sqrt(N));
    // Beyond the last layer it has a rule of its own: what is beyond it is exponential again.
    const edge = 7.69711747013105;
    const beyond = Array.from({ length: 4_000_000 }, (_, n) => hashedExponential(n, salt)).filter(x => x > edge);
    const expected = 4e6 * Math.exp(-edge);
    expect(Math.abs(beyond.length - expected)).toBeLessThan(4 * Math.sqrt(expected));
    expect(Math.abs(mean(beyond) - edge - 1)).toBeLessThan(4 / Math.sqrt(expected));
  });

  test('come to an end where the hashes of hashes come round in a circle whose values are all refused', () => {
    // A run once hung on this pair.
    expect(Math.abs(hashedNormal(205660299, 1755))).toBeLessThan(10);
  });

  test('a change of one bit of either integer changes half of the bits', () => {
    let flipped = 0;
    let count = 0;
    for (let a = 0; a < 200; a++) {
      for (let bit = 0; bit < 32; bit++) {
        for (const other of [mix(a ^ (1 << bit), 7), mix(a, 7 ^ (1 << bit))]) {
          for (let rest = (mix(a, 7) ^ other) >>> 0; rest !== 0; rest >>>= 1) flipped += rest & 1;
          count += 32;
        }
      }
    }
    expect(flipped / count).toBeGreaterThan(0.48);
    expect(flipped / count).toBeLessThan(0.52);
  });
});
