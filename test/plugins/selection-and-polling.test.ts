import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Measurement, PollState } from '../../src/core/contracts/index.js';
import { IntersectionCombiner } from '../../src/plugins/combiners/intersection.js';
import { Rfc5905Poller } from '../../src/plugins/pollers/rfc5905.js';

function measurement(source: string, offset: number, rootDistance = 0.01): Measurement {
  return { source, offset, rootDistance, delay: 0.01, uncertainty: 1e-3, at: { wall: 0, counter: 0 } } as Measurement;
}

describe('the intersection combiner', () => {
  const make = (reports: string[] = []) =>
    new IntersectionCombiner({ survivors: 3, quorum: 1 }, what => void reports.push(what));

  test('follows the majority, whatever a minority says', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -0.005, max: 0.005, noNaN: true }), { minLength: 3, maxLength: 7 }),
        fc.array(fc.double({ min: 0.1, max: 100, noNaN: true }), { maxLength: 2 }),
        (right, wrong) => {
          const round = [
            ...wrong.map((offset, i) => measurement(`wrong${i}`, offset)),
            ...right.map((offset, i) => measurement(`right${i}`, offset)),
          ];
          const { measurements, verdicts } = make().combine(round, []);
          expect(measurements).toHaveLength(1);
          expect(Math.abs(measurements[0]!.offset)).toBeLessThanOrEqual(0.005);
          expect(verdicts.filter(({ source, used }) => used && source.startsWith('wrong'))).toEqual([]);
        },
      ),
    );
  });

  test('takes nothing without a majority, and says so once, and once when there is one again', () => {
    const reports: string[] = [];
    const combiner = make(reports);
    const split = [measurement('a', 0), measurement('b', 1), measurement('c', 2)];
    expect(combiner.combine(split, []).measurements).toEqual([]);
    expect(combiner.combine(split, []).verdicts.every(({ used }) => !used)).toBe(true);
    combiner.combine([measurement('a', 0), measurement('b', 0.001), measurement('c', 2)], []);
    expect(reports).toEqual(['no majority: 0 of 3 agree', 'a majority again: 2 of 3']);
  });

  test('a lone source is followed; beside others that agree against it, it is not', () => {
    expect(make().combine([measurement('a', 3)], []).measurements).toHaveLength(1);
    const others = [measurement('b', 0), measurement('c', 0.001)];
    expect(make().combine([measurement('a', 3)], others).measurements).toEqual([]);
  });
});

describe('the rfc5905 poller', () => {
  /** Intervals asked for, with the offsets that the clock shows at each question; undefined: no answer. */
  function intervals(offsetAt: (t: number) => number | undefined, questions: number): number[] {
    const poller = new Rfc5905Poller({ min: 64, max: 1024, burst: 1, burstInterval: 2, gate: 4 });
    const out: number[] = [];
    let t = 0;
    let last: PollState['last'];
    let missed = 0;
    for (let sent = 0; sent < questions; sent++) {
      const interval = poller.next({ sent, missed, reach: 255, interval: out.at(-1), floor: 0, last });
      const offset = offsetAt(t);
      missed = offset === undefined ? missed + 1 : 0;
      // Delays of 1 ms with queues of up to 0.2 ms.
      if (offset !== undefined) last = { offset, delay: 0.001 + 1e-4 * (sent % 3), at: t };
      out.push(interval);
      t += interval;
    }
    return out;
  }

  test('asks less and less often, up to its limit, while the clock goes straight', () => {
    const asked = intervals(t => 5e-5 * t, 80);
    expect(asked[0]).toBe(64);
    expect(asked.at(-1)).toBe(1024);
    expect(asked.every((interval, i) => i === 0 || interval >= asked[i - 1]!)).toBe(true);
  });

  test('goes on after a restart with the interval and the path that it knows; after a reboot with the path', () => {
    const options = { min: 64, max: 1024, burst: 1, burstInterval: 2, gate: 4 };
    const ask = (poller: Rfc5905Poller, sent: number, t: number) =>
      poller.next({
        sent,
        missed: 0,
        reach: 255,
        interval: undefined,
        floor: 0,
        last: { offset: 5e-5 * t, delay: 0.001 + 1e-4 * (sent % 3), at: t },
      });
    const first = new Rfc5905Poller(options);
    let t = 0;
    for (let sent = 0; sent < 30; sent++) t += ask(first, sent, t);
    const kept = JSON.parse(JSON.stringify(first.snapshot()));
    const second = new Rfc5905Poller(options);
    second.restore(kept, { continues: true, elapsed: 10 });
    const third = new Rfc5905Poller(options);
    third.restore(kept, { continues: false, elapsed: 10 });
    expect(ask(third, 30, t)).toBe(64);
    for (let sent = 30; sent < 80; sent++) {
      const interval = ask(first, sent, t);
      expect(interval).toBeGreaterThan(64);
      expect(ask(second, sent, t)).toBe(interval);
      t += interval;
    }
    expect(() => second.restore({ version: 2, state: {} }, { continues: true, elapsed: 0 })).toThrow('version 1');
  });

  test('asks as often as it may when the clock does not', () => {
    expect(Math.max(...intervals(t => 0.05 * Math.sin(t / 100), 80))).toBe(64);
  });

  test('asks half as often after every twelve questions without an answer, until there is one', () => {
    const asked = intervals(t => (t < 5000 ? undefined : 0), 60);
    expect(asked.slice(0, 12)).toEqual(new Array(12).fill(64));
    expect(asked[13]).toBe(128);
    const back = asked.findIndex((interval, i) => i > 13 && interval === 64);
    expect(back).toBeGreaterThan(13);
  });
});
