import { describe, expect, it } from 'vitest';
import type { Measurement, Poller, PollState } from '../../../src/core/contracts/index.js';
import { isRejection } from '../../../src/core/contracts/index.js';
import { CourteousPoller } from '../../../src/core/ntp/courtesy.js';
import { isLoopback } from '../../../src/core/ntp/server-address.js';
import { loadAllPlugins } from '../../../src/plugins/index.js';
import { at, historyOf, make, measured } from '../../support/estimation.js';
import { gaussian } from '../../support/gaussian.js';
import { Record as Everything } from '../../support/record.js';
import { runText } from '../../support/run-scenario.js';

await loadAllPlugins();

const state = (more: Partial<PollState> = {}): PollState => ({
  sent: 0,
  missed: 0,
  reach: 0,
  interval: undefined,
  floor: 0,
  last: undefined,
  ...more,
});

describe('what one may ask of servers of others', () => {
  const every = (seconds: number): Poller => ({ next: () => seconds, retry: () => seconds });

  it('is a burst of 4 at 2 s and 64 s after that, however much more the poller wants', () => {
    const raised: (readonly [number, number])[] = [];
    const poller = new CourteousPoller(every(0.1), (wanted, least) => raised.push([wanted, least]));
    expect([0, 1, 2, 3, 4, 100].map(sent => poller.next(state({ sent })))).toEqual([2, 2, 2, 64, 64, 64]);
    expect(raised).toEqual([[0.1, 2]]);
    expect(poller.retry(state({ missed: 1 }))).toBe(16);
  });

  it('leaves a poller alone that is courteous', () => {
    const raised: unknown[] = [];
    const poller = new CourteousPoller(every(128), () => raised.push(1));
    expect([0, 3, 9].map(sent => poller.next(state({ sent })))).toEqual([128, 128, 128]);
    expect(raised).toEqual([]);
  });

  it('does not concern this machine', () => {
    expect(['localhost', '127.0.0.1', '127.8.9.1', '::1'].every(isLoopback)).toBe(true);
    expect(['128.0.0.1', 'localhost.example.org', '10.0.0.1', '::2'].some(isLoopback)).toBe(false);
  });
});

describe('retries', () => {
  const outage = (poller: string): string => `
name: retries
duration: 10 min
world:
  servers: [{ name: a }]
  faults: [{ use: outage, at: 100 s, for: 200 s }]
sources: { ntp: { use: ntp, poller: ${poller}, timeout: 1 s } }
pipelines: [{ name: p }]
`;

  it('ask a silent server again after 2, 4 and 8 s, and then not before its next turn', async () => {
    const record = new Everything();
    await runText(outage('{ use: retry, poller: { use: fixed, interval: 60 s, burst: 1 } }'), { sinks: [record] });
    const sent = record.sentTo('a').map(t => Math.round(t));
    // The first is missed at 120 s; each try is given up after 1 s.
    expect(sent).toEqual([0, 60, 120, 123, 128, 137, 180, 240, 300, 360, 420, 480, 540]);
  });

  it('are not made by a poller that has none', async () => {
    const record = new Everything();
    await runText(outage('{ use: fixed, interval: 60 s, burst: 1 }'), { sinks: [record] });
    expect(record.sentTo('a').map(t => Math.round(t))).toEqual([0, 60, 120, 180, 240, 300, 360, 420, 480, 540]);
  });
});

describe('multi-sample mode', () => {
  it('asks in sets: three questions 100 ms apart, once a minute, of all servers at the same time', async () => {
    const record = new Everything();
    await runText(
      `
name: sets
duration: 3 min
world:
  servers: [{ name: a }, { name: b }]
sources: { ntp: { use: ntp, poller: { use: multi-sample, samples: 3, spacing: 100 ms } } }
pipelines: [{ name: p, filters: [{ use: sample-set, samples: 3, spacing: 100 ms }], combiner: median }]
`,
      { sinks: [record] },
    );
    const expected = [0, 0.1, 0.2, 60, 60.1, 60.2, 120, 120.1, 120.2];
    for (const server of ['a', 'b']) {
      const sent = record.sentTo(server);
      expect(sent).toHaveLength(expected.length);
      for (const [i, t] of sent.entries()) expect(t).toBeCloseTo(expected[i]!, 3);
    }
    // One measurement is taken of each set, from both servers.
    const taken = record.rounds.filter(({ taken }) => taken.length > 0);
    expect(taken).toHaveLength(3);
    expect(taken.every(({ verdicts }) => verdicts.filter(({ used }) => used).length === 2)).toBe(true);
  });

  const sample = (t: number, offset: number, delay: number): Measurement => ({
    ...measured(t, offset, 1e-4),
    delay,
  });
  const filtered = (options: object, ...samples: Measurement[]): (Measurement | string)[] => {
    const { plugin } = make('filter', { use: 'sample-set', samples: 3, spacing: 0.1, ...options });
    return samples.map(one => {
      const answer = plugin.filter(one, historyOf([]));
      return isRejection(answer) ? answer.rejected : answer;
    });
  };

  it('takes the median of a set, no surer than the set agrees', () => {
    const set = [sample(0, 3e-3, 0.01), sample(0.1, 9e-3, 0.02), sample(0.2, 4e-3, 0.03)];
    const [first, second, third] = filtered({}, ...set);
    expect([first, second]).toEqual(['sample 1 of 3', 'sample 2 of 3']);
    // Offsets 3, 4 and 9 ms: MAD 1 ms.
    expect(third).toMatchObject({ offset: 4e-3, uncertainty: expect.closeTo(1.4826e-3, 9) });
  });

  it('or the one with the shortest delay', () => {
    const set = [sample(0, 3e-3, 0.02), sample(0.1, 9e-3, 0.01), sample(0.2, 4e-3, 0.03)];
    expect(filtered({ take: 'shortest' }, ...set)[2]).toMatchObject({ offset: 9e-3 });
  });

  it('is not put out of step by a lost sample', () => {
    const answers = filtered(
      {},
      sample(0, 1, 0),
      sample(0.2, 3, 0),
      sample(60, 5, 0),
      sample(60.1, 6, 0),
      sample(60.2, 7, 0),
    );
    expect(answers[1]).toMatchObject({ offset: 1 });
    expect(answers[2]).toBe('sample 1 of 3');
    expect(answers[4]).toMatchObject({ offset: 6 });
    // The last of a set lost: the next set is whole all the same.
    const next = filtered(
      {},
      sample(0, 1, 0),
      sample(0.1, 3, 0),
      sample(60, 5, 0),
      sample(60.1, 6, 0),
      sample(60.2, 7, 0),
    );
    expect(next[2]).toBe('sample 1 of 3');
    expect(next[4]).toMatchObject({ offset: 6 });
  });
});

describe('gated', () => {
  const late = (source: string, delay: number): Measurement => ({ ...measured(0, 1e-3, 1e-3, source), delay });

  it('passes by strict limits, and by twice those where nothing else does', () => {
    const { plugin } = make('combiner', { use: 'gated', maxDelay: 0.1 });
    const strict = plugin.combine([late('a', 0.09), late('b', 0.15)], []);
    expect(strict.verdicts.map(({ source, used }) => [source, used])).toEqual([
      ['a', true],
      ['b', false],
    ]);
    expect(strict.verdicts[1]!.reason).toBe('delay 150 ms, strict limit 100 ms');
    const relaxed = plugin.combine([late('b', 0.15), late('c', 0.25)], []);
    expect(relaxed.measurements).toHaveLength(1);
    expect(relaxed.verdicts.find(({ source }) => source === 'c')!.reason).toBe('delay 250 ms, relaxed limit 200 ms');
    expect(plugin.combine([late('c', 0.25)], []).measurements).toEqual([]);
  });

  it('relaxes where fewer than `least` pass, and hands the rest to its combiner with its quorum', () => {
    const { plugin } = make('combiner', {
      use: 'gated',
      maxDelay: 0.1,
      least: 2,
      combiner: { use: 'median', quorum: 2 },
    });
    const combination = plugin.combine([late('a', 0.09), late('b', 0.15)], []);
    expect(combination.verdicts.every(({ used }) => used)).toBe(true);
  });
});

describe('temporal-outlier', () => {
  const run = (offsets: readonly number[]): string[] => {
    const { plugin } = make('filter', 'temporal-outlier');
    return offsets.map((offset, k) =>
      isRejection(plugin.filter(measured(64 * k, offset), historyOf([]))) ? 'rejected' : 'passed',
    );
  };

  it('rejects a spike, passes drift, and takes three in a row for a step', () => {
    const normal = gaussian('temporal');
    const drifting = (k: number): number => 100e-6 * 64 * k + 50e-6 * normal();
    const spiked = run(Array.from({ length: 30 }, (_, k) => drifting(k) + (k === 20 ? 5e-3 : 0)));
    expect(spiked.filter(verdict => verdict === 'rejected')).toHaveLength(1);
    expect(spiked[20]).toBe('rejected');
    const stepped = run(Array.from({ length: 30 }, (_, k) => drifting(k) + (k >= 20 ? 50e-3 : 0)));
    expect(stepped.slice(19, 24)).toEqual(['passed', 'rejected', 'rejected', 'passed', 'passed']);
  });
});

describe('temporal-outlier over a restart', () => {
  const drifting = (k: number): Measurement => measured(64 * k, 6.4e-3 * k);
  const kept = (): { version: number; state: unknown } => {
    const { plugin } = make('filter', 'temporal-outlier');
    for (let k = 0; k < 12; k++) plugin.filter(drifting(k), historyOf([]));
    return JSON.parse(JSON.stringify(plugin.snapshot!()));
  };

  it('still knows a spike as the first thing that it sees, unless the counter is another', () => {
    const spike = measured(64 * 12, 6.4e-3 * 12 + 5e-3);
    const resumed = make('filter', 'temporal-outlier').plugin;
    resumed.restore!(kept(), { continues: true, elapsed: 10 });
    expect(isRejection(resumed.filter(spike, historyOf([])))).toBe(true);
    const anew = make('filter', 'temporal-outlier').plugin;
    anew.restore!(kept(), { continues: false, elapsed: 10 });
    expect(isRejection(anew.filter(spike, historyOf([])))).toBe(false);
  });

  it('refuses what is not its own', () => {
    const { plugin } = make('filter', 'temporal-outlier');
    const nonsense = { ...kept(), state: { kept: [{ at: 1 }], row: 0, side: 0 } };
    expect(() => plugin.restore!(nonsense, { continues: true, elapsed: 0 })).toThrow('kept.0.at');
  });
});

describe('source-bias', () => {
  it('takes off how far a source is from the others: 5 ms apart, they meet half way', () => {
    const { plugin } = make('combiner', { use: 'source-bias', combiner: 'inverse-variance' });
    const round = (k: number): Measurement[] => [measured(k, 1e-3, 1e-4, 'a'), measured(k, 6e-3, 1e-4, 'b')];
    for (let k = 0; k < 10; k++) plugin.combine(round(k), []);
    const { measurements, verdicts } = plugin.combine(round(10), []);
    expect(measurements[0]!.offset).toBeCloseTo(3.5e-3, 12);
    expect(verdicts[0]!.reason).toMatch(/bias -2\.50 ms taken off/);
  });

  it('makes one series of sources that answer in turn, where the others are known from before', () => {
    const subject = make('combiner', { use: 'source-bias', combiner: 'inverse-variance' }).plugin;
    const offsets: number[] = [];
    let other: Measurement[] = [];
    for (let k = 0; k < 20; k++) {
      const heard = k % 2 === 0 ? measured(k, 1e-3, 1e-4, 'a') : measured(k, 6e-3, 1e-4, 'b');
      offsets.push(subject.combine([heard], other).measurements[0]!.offset);
      other = [heard];
    }
    for (const offset of offsets.slice(12)) expect(offset).toBeCloseTo(3.5e-3, 9);
    expect(offsets[0]).toBe(1e-3);
  });

  it('leaves what all have in common, a source that is alone, and what it has hardly heard', () => {
    const subject = make('combiner', { use: 'source-bias', combiner: 'inverse-variance' }).plugin;
    expect(subject.combine([measured(0, 7e-3, 1e-4, 'a')], []).measurements[0]!.offset).toBe(7e-3);
    const shifted = subject.combine([measured(1, 7e-3, 1e-4, 'a'), measured(1, 9e-3, 1e-4, 'b')], []);
    expect(shifted.measurements[0]!.offset).toBeCloseTo(8e-3, 12);
  });

  it('widens the root distance by what it takes off', () => {
    const { plugin } = make('combiner', { use: 'source-bias', combiner: 'best' });
    const round = [measured(0, 0, 1e-4, 'a'), measured(0, 4e-3, 1e-4, 'b')];
    for (let k = 0; k < 10; k++) plugin.combine(round, []);
    const { measurements } = plugin.combine(round, []);
    expect(measurements[0]!.rootDistance).toBeCloseTo(0.01 + 2e-3, 9);
    expect(measurements[0]!.at).toEqual(at(0));
  });
});
