import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EnsembleEstimator, IDEAS } from '../../../src/core/estimation/ensemble-estimator.js';
import { type ClockEstimate, offsetAfter, varianceAfter } from '../../../src/core/estimation/observation.js';
import { gaussian } from '../../support/gaussian.js';
import { exchangesOf, type Path, type Seen } from '../../support/paths.js';

const wan: Path = { source: 'wan', there: 0.01, back: 0.01, queue: 1e-3 };
const three: readonly Path[] = [
  { source: 'a', there: 0.005, back: 0.005, queue: 5e-4 },
  { source: 'b', there: 0.012, back: 0.012, queue: 1e-3 },
  { source: 'c', there: 0.02, back: 0.02, queue: 1e-3 },
];

interface Heard {
  readonly seen: Seen;
  readonly told: ClockEstimate;
  readonly error: number;
}

function heard(exchanges: readonly Seen[], estimator = new EnsembleEstimator()): readonly Heard[] {
  return exchanges.map(seen => {
    const { truth, ...observation } = seen;
    const told = estimator.observe(observation);
    return { seen, told, error: told.offset - truth };
  });
}

const rms = (all: readonly Heard[]): number =>
  Math.sqrt(all.reduce((sum, { error }) => sum + error ** 2, 0) / all.length);

describe('the estimator on one server', () => {
  it('is ten times better than the measurements themselves, and holds its own intervals', () => {
    let inside = 0;
    let count = 0;
    for (const seed of ['1', '2', '3', '4', '5', '6', '7', '8']) {
      const all = heard(exchangesOf([wan], { seed, count: 300 })).slice(20);
      // The offsets themselves scatter by s/√2 = 0.7 ms.
      expect(rms(all)).toBeLessThan(1.2e-4);
      for (const { told, error } of all) {
        count += 1;
        if (Math.abs(error) <= told.scale95 * Math.sqrt(told.p00)) inside += 1;
        expect(Math.abs(error)).toBeLessThanOrEqual(told.maxError);
      }
    }
    expect(inside / count).toBeGreaterThan(0.9);
  });

  it('starts well: within the exchange’s own bounds from the first, and with the drift after a few minutes', () => {
    const all = heard(exchangesOf([wan], { drift: 5e-3, offset: 3, count: 20 }));
    for (const { error, seen } of all.slice(0, 4)) expect(Math.abs(error)).toBeLessThan(seen.delay / 2);
    expect(all.at(-1)!.told.drift).toBeCloseTo(-5e-3, 4);
    expect(Math.abs(all.at(-1)!.error)).toBeLessThan(1e-3);
  });

  it('is not misled by first exchanges that were mostly queue', () => {
    // Queues of 0.1 s on a path of 0.2 ms: the first delays say nothing of the base, and would be taken for it.
    for (const seed of ['1', '2', '3', '4', '5', '6']) {
      const all = heard(exchangesOf([{ source: 'bad', there: 1e-4, back: 1e-4, queue: 0.1 }], { seed, drift: 1e-4 }));
      for (const { told, error } of all.slice(4)) {
        expect(Math.abs(told.drift + 1e-4)).toBeLessThan(2e-4);
        expect(Math.abs(error)).toBeLessThan(0.2);
      }
      expect(Math.abs(all.at(-1)!.told.drift + 1e-4)).toBeLessThan(1e-5);
    }
  });

  it('takes a leap of UTC as one, not as a step of the clock', () => {
    const exchanges = exchangesOf([wan], { count: 200 });
    const estimator = new EnsembleEstimator();
    heard(exchanges.slice(0, 100), estimator);
    estimator.leap(-1);
    for (const { truth, ...seen } of exchanges.slice(100)) {
      const told = estimator.observe({ ...seen, offset: seen.offset - 1 });
      expect(Math.abs(told.offset - (truth - 1))).toBeLessThan(5e-4);
      expect(Math.abs(told.drift + 2e-5)).toBeLessThan(1e-7);
    }
  });

  it('follows a step of the local clock at once, and keeps the drift', () => {
    const all = heard(exchangesOf([wan], { step: { at: 6000, by: 0.2 }, count: 160 }));
    const at = all.findIndex(({ seen }, i) => i > 0 && seen.truth - all[i - 1]!.seen.truth > 0.1);
    expect(at).toBeGreaterThan(50);
    for (const { error } of all.slice(at)) expect(Math.abs(error)).toBeLessThan(2e-3);
    for (const { told } of all.slice(at)) expect(Math.abs(told.drift + 2e-5)).toBeLessThan(2e-7);
  });

  it('does not move when a route becomes longer by as much both ways', () => {
    const all = heard(exchangesOf([{ ...wan, longer: { from: 9000, by: 0.005 } }], { count: 300 }));
    expect(rms(all.slice(150))).toBeLessThan(2e-4);
  });

  it('says in its bounds, not in its interval, that a path may be asymmetric', () => {
    const all = heard(exchangesOf([{ source: 'far', there: 0.02, back: 0.001, queue: 1e-4 }]));
    const { told, error } = all.at(-1)!;
    expect(Math.abs(error)).toBeGreaterThan(0.008);
    expect(Math.abs(error)).toBeLessThan(told.maxError);
  });

  it('holds its interval between polls that are far apart, where the clock wanders farther than queues are long', () => {
    const near: Path = { source: 'lan', there: 5e-5, back: 5e-5, queue: 1e-5 };
    const held = [0, 0, 0];
    let polls = 0;
    for (let seed = 1; seed <= 24; seed++) {
      const estimator = new EnsembleEstimator();
      let told: ClockEstimate | undefined;
      let since = 0;
      exchangesOf([near], { seed: `far/${seed}`, poll: 256, count: 200 }).forEach(({ truth, ...observation }, i) => {
        // One in four is shown, every 1024 s; between them the truth judges what was forecast.
        if (i < 20 || i % 4 === 0) {
          told = estimator.observe(observation);
          since = 0;
          if (i >= 20) polls += 1;
          return;
        }
        const ahead = observation.at - told!.at;
        const half = told!.scale95 * Math.sqrt(varianceAfter(told!, ahead));
        if (Math.abs(offsetAfter(told!, ahead) - truth) <= half) held[since]! += 1;
        since += 1;
      });
    }
    for (const count of held) {
      expect(count / polls).toBeGreaterThan(0.92);
      expect(count / polls).toBeLessThan(0.98);
    }
  });

  it('widens in silence as the drift and its wander allow, and the drift goes to its mean', () => {
    const told = heard(exchangesOf([wan], { count: 300 })).at(-1)!.told;
    expect(told.relaxation).toBeGreaterThan(0);
    expect(Math.abs(told.meanDrift - told.drift)).toBeLessThan(1e-6);
    expect(offsetAfter(told, 3600)).toBeCloseTo(told.offset + told.drift * 3600, 3);
    expect(told.randomWalkFm).toBeGreaterThan(0);
  });
});

describe('offsets that scatter for reasons that no delay shows', () => {
  it('are averaged by the members that do not listen to delays; without those the error is twice as large', () => {
    const draw = gaussian('late');
    const late = exchangesOf([{ ...wan, queue: 1e-5 }], { count: 300 }).map(seen => ({
      ...seen,
      offset: seen.offset + 5e-4 * draw(),
    }));
    const deaf = rms(heard(late).slice(60));
    const trusting = rms(heard(late, new EnsembleEstimator({ without: ['delay-deaf'] })).slice(60));
    expect(deaf).toBeLessThan(2.5e-4);
    expect(trusting).toBeGreaterThan(2 * deaf);
  });
});

describe('the estimator on several servers', () => {
  it('is better than on the best alone', () => {
    const [together, alone] = [three, three.slice(0, 1)].map(paths =>
      Math.hypot(...['1', '2', '3'].map(seed => rms(heard(exchangesOf(paths, { seed, count: 200 })).slice(60)))),
    );
    expect(together).toBeLessThan(alone!);
  });

  it('is not misled by a liar among three, and does not trust it', () => {
    const estimator = new EnsembleEstimator();
    const paths = three.map((path, i) => (i === 0 ? { ...path, lie: 0.1 } : path));
    const all = heard(exchangesOf(paths), estimator);
    for (const { error } of all.slice(30)) expect(Math.abs(error)).toBeLessThan(1.5e-3);
    expect(estimator.sources().map(({ source, trusted }) => [source, trusted])).toEqual([
      ['a', false],
      ['b', true],
      ['c', true],
    ]);
    expect(estimator.sources()[0]!.apparentOffset).toBeCloseTo(0.1, 2);
  });

  it('believes two that agree rather than a third with an asymmetric path', () => {
    const paths = three.map((path, i) => (i === 1 ? { ...path, there: path.there + 0.003 } : path));
    expect(rms(heard(exchangesOf(paths)).slice(90))).toBeLessThan(3e-4);
  });

  it('knows the size of its memory: a hundred servers and thousands of exchanges do not make it grow', () => {
    const estimator = new EnsembleEstimator();
    const size = () => JSON.stringify(estimator.snapshot()).length;
    let largest = 0;
    for (let i = 0; i < 3000; i++) {
      const source = `s${i < 1500 ? i % 5 : i % 100}`;
      estimator.observe({
        source,
        at: 16 * i,
        offset: 1e-3 * Math.sin(i),
        delay: 0.02 + 1e-3 * Math.sin(i * 5) ** 2 + (Math.floor(i / 300) % 2) * 0.01,
        rootDelay: 0,
        rootDispersion: 0,
        precision: 1e-6,
        stratum: 1,
      });
      if (i % 250 === 0) largest = Math.max(largest, size());
    }
    expect(largest).toBeLessThan(300_000);
    expect(estimator.sources().length).toBeLessThanOrEqual(12);
  });
});

describe('whatever comes', () => {
  const number = fc.oneof(
    fc.double({ min: -10, max: 10, noNaN: true }),
    fc.constantFrom(0, 1e-9, -1e-3, 1000, Number.NaN, Number.POSITIVE_INFINITY),
  );
  const given = fc.record({
    source: fc.constantFrom('a', 'b', 'c'),
    wait: fc.constantFrom(0, 1e-3, 1, 64, 1024, 86400, -0.5, -4000),
    offset: number,
    delay: number,
  });

  it('its answer is finite, its covariance is one, and a measurement that is none changes nothing', () => {
    fc.assert(
      fc.property(fc.array(given, { minLength: 1, maxLength: 40 }), fc.subarray([...IDEAS]), (all, without) => {
        const estimator = new EnsembleEstimator({ without });
        let at = 1000;
        let last: ClockEstimate | undefined;
        for (const { source, wait, offset, delay } of all) {
          at += wait;
          const rest = { rootDelay: 0.01, rootDispersion: 1e-3, precision: 1e-6, stratum: 2 };
          const told = estimator.observe({ source, at, offset, delay, ...rest });
          for (const value of Object.values(told)) expect(Number.isFinite(value)).toBe(true);
          expect(told.p00).toBeGreaterThan(0);
          expect(told.p11).toBeGreaterThan(0);
          expect(told.p01 ** 2).toBeLessThanOrEqual(told.p00 * told.p11 * (1 + 1e-6));
          expect(told.maxError).toBeGreaterThanOrEqual(0);
          expect(told.scale68).toBeLessThan(told.scale95);
          if (!Number.isFinite(offset + delay) && last !== undefined) expect(told).toEqual(last);
          last = told;
        }
      }),
      { numRuns: 150 },
    );
  });

  it('the same exchanges give the same answers', () => {
    const exchanges = exchangesOf(three, { count: 60 });
    expect(heard(exchanges)).toEqual(heard(exchanges));
  });

  it('an answer does not depend on when the counter began', () => {
    const exchanges = exchangesOf([wan], { count: 80 });
    const later = exchanges.map(seen => ({ ...seen, at: seen.at + 2 ** 20 }));
    heard(exchanges).forEach(({ told }, i) => {
      const { error, told: other } = heard(later)[i]!;
      expect(other.offset).toBeCloseTo(told.offset, 8);
      expect(Number.isFinite(error)).toBe(true);
    });
  });
});

describe('a state that was saved', () => {
  // In the middle of all that has a memory: a route just changed, a step just seen, a falseticker among them.
  const exchanges = exchangesOf(
    [{ ...wan, longer: { from: 5000, by: 0.004 } }, ...three.map((p, i) => (i === 2 ? { ...p, lie: 0.3 } : p))],
    { count: 150, step: { at: 7000, by: 0.1 } },
  );

  it.each([0, 3, 40, 320, 350, 440, 444])('goes on through JSON as if nothing had been, after %d exchanges', cut => {
    const first = new EnsembleEstimator();
    heard(exchanges.slice(0, cut), first);
    const second = new EnsembleEstimator();
    second.restore(JSON.parse(JSON.stringify(first.snapshot())));
    const rest = exchanges.slice(cut);
    expect(heard(rest, second)).toEqual(heard(rest, first));
  });
});
