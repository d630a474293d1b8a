import { inject } from 'inversify';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { Poller } from '../../../src/core/contracts/index.js';
import { plugin } from '../../../src/core/plugin/registry.js';
import { Streams } from '../../../src/core/plugin/tokens.js';
import { Record } from '../../support/record.js';
import { runText } from '../../support/run-scenario.js';

const summary = 'An interval at random';

@plugin({ kind: 'poller', name: 'at-random', summary, options: z.strictObject({}) })
class RandomPoller implements Poller {
  private readonly draw: () => number;

  constructor(@inject(Streams) streams: Streams) {
    const stream = streams('interval');
    this.draw = () => 8 + 8 * stream.uniform();
  }

  next(): number {
    return this.draw();
  }
}

async function observe(parts: {
  readonly servers: readonly object[];
  readonly source?: object;
  readonly faults?: readonly object[];
  readonly clock?: object;
  readonly duration?: string;
}): Promise<Record> {
  const record = new Record();
  const { servers, source = {}, faults = [], clock = {}, duration = '10 min' } = parts;
  await runText(
    stringify({
      name: 'source',
      duration,
      world: { clock: { use: 'oscillator', frequencyError: 0, ...clock }, servers, faults },
      sources: { ntp: { use: 'ntp', ...source } },
      pipelines: [{ name: 'any' }],
    }),
    { sinks: [record] },
  );
  return record;
}

const rounded = (values: readonly number[]): readonly number[] => values.map(value => Number(value.toFixed(3)));

describe('the NTP source in the simulated world', () => {
  test('asks every server of the world, four times in quick succession and then every 64 s', async () => {
    const record = await observe({ servers: [{ name: 'a' }, { name: 'b' }] });
    for (const server of ['a', 'b']) {
      expect(rounded(record.sentTo(server))).toEqual([0, 2, 4, 6, 70, 134, 198, 262, 326, 390, 454, 518, 582]);
    }
  });

  test('counts its schedule on its own counter: a clock that is 5 % fast asks early', async () => {
    const record = await observe({ servers: [{ name: 'a' }], clock: { frequencyError: '5 %' }, duration: '100 s' });
    expect(rounded(record.sentTo('a'))).toEqual([0, 2, 4, 6, 70]);
    const asked = record.exchanges.map(({ t }) => Number((t - 0.02002).toFixed(3)));
    expect(asked).toEqual([0, 1.905, 3.81, 5.714, 66.667]);
  });

  test('asks the servers that it names, with the poller that it names', async () => {
    const record = await observe({
      servers: [{ name: 'a' }, { name: 'b' }],
      source: { servers: ['b'], poller: { use: 'fixed', interval: '100 s', burst: 2, burstInterval: '1 s' } },
    });
    expect(record.sentTo('a')).toEqual([]);
    expect(rounded(record.sentTo('b'))).toEqual([0, 1, 101, 201, 301, 401, 501]);
  });

  test('calls a server as it is told to, and no two alike', async () => {
    const servers = [{ name: 'a' }, { name: 'b' }];
    const named = (...chosen: object[]) => observe({ servers, source: { servers: chosen } });
    const record = await named({ server: 'b', name: 'near' }, { server: 'a' });
    expect(record.sentTo('near')).toEqual(record.sentTo('a'));
    expect(record.sentTo('b')).toEqual([]);
    await expect(named({ server: 'a' }, { server: 'b', name: 'a' })).rejects.toThrow('names one server twice');
    await expect(named({ server: 'a', name: 'a, b' })).rejects.toThrow('servers[0].name: expected a name of letters');
  });

  test('measures what the world is made of: offset by the clock, delay by the path', async () => {
    const record = await observe({
      servers: [
        { name: 'a', out: { delay: '10 ms' }, back: { delay: '30 ms' }, processing: '1 ms', timeError: '5 ms' },
      ],
      clock: { timeError: '250 ms' },
      duration: '1 min',
    });
    const [measurement] = record.rounds[0]!.measurements;
    // Behind by −250 ms, the server 5 ms ahead, and half of the 20 ms by which the ways differ.
    expect(measurement!.offset).toBeCloseTo(-0.25 + 0.005 - 0.01, 8);
    expect(measurement!.delay).toBeCloseTo(0.04, 8);
  });

  test('every question ends once, and is no longer outstanding when its end is told', async () => {
    const record = await observe({
      servers: [
        { name: 'a', loss: '30 %' },
        { name: 'b', delay: '300 ms', loss: '30 %' },
      ],
      source: { poller: { use: 'fixed', interval: '5 s' } },
    });
    for (const server of ['a', 'b']) {
      const sent = record.sentTo(server);
      expect(sent.length).toBeGreaterThan(100);
      expect(new Set(sent).size).toBe(sent.length);
      const ends = new Set(record.endsOf(server));
      expect(ends).toEqual(new Set(['exchange', 'timeout']));
    }
    const open = record.exchanges.map(exchange => exchange.open['ntp'] ?? 0);
    expect(new Set(open)).toEqual(new Set([0, 1]));
    expect(record.rounds.every(({ verdicts }) => verdicts.length === 2)).toBe(true);
  });

  test('says of each server why it is of no use', async () => {
    const record = await observe({
      servers: [
        { name: 'good' },
        { name: 'unsynchronised', leap: 3 },
        { name: 'stratum-16', stratum: 16 },
        { name: 'far', rootDispersion: '1 s', rootDelay: '1 s' },
        { name: 'silent', loss: '100 %' },
      ],
      duration: '2 min',
    });
    expect(new Set(record.endsOf('good'))).toEqual(new Set(['exchange']));
    expect(new Set(record.endsOf('unsynchronised'))).toEqual(new Set(['unsynchronised (leap 3)']));
    expect(new Set(record.endsOf('stratum-16'))).toEqual(new Set(['stratum 16']));
    expect(record.endsOf('far')[0]).toMatch(/^root distance 1\.5\d s over the limit of 1\.50 s$/);
    expect(new Set(record.endsOf('silent'))).toEqual(new Set(['timeout']));
    const verdict = record.rounds[0]!.verdicts.find(({ source }) => source === 'unsynchronised');
    expect(verdict).toEqual({ source: 'unsynchronised', used: false, reason: 'unsynchronised (leap 3)' });
  });

  test('obeys kisses: DENY and RSTR are never asked again, RATE ever more rarely', async () => {
    const record = await observe({
      servers: [
        { name: 'deny', stratum: 0, leap: 3, referenceId: 'DENY' },
        { name: 'rstr', stratum: 0, leap: 3, referenceId: 'RSTR' },
        { name: 'rate', stratum: 0, leap: 3, referenceId: 'RATE' },
      ],
      source: { poller: { use: 'fixed', interval: '16 s', burst: 1 } },
      duration: '1 h',
    });
    expect(record.endsOf('deny')).toEqual(['kiss DENY']);
    expect(record.endsOf('rstr')).toEqual(['kiss RSTR']);
    const sent = record.sentTo('rate');
    const gaps = sent.slice(1).map((at, i) => Math.round(at - sent[i]!));
    expect(gaps).toEqual([32, 64, 128, 256, 512, 1024]);
  });

  test('pollers that draw at random draw for each server by itself', async () => {
    const record = await observe({ servers: [{ name: 'a' }, { name: 'b' }], source: { poller: 'at-random' } });
    expect(record.sentTo('a').length).toBeGreaterThan(40);
    expect(record.sentTo('a').slice(1)).not.toEqual(record.sentTo('b').slice(1));
    expect(RandomPoller.name).toBe('RandomPoller');
  });
});

describe('the fixed poller', () => {
  test('never asks sooner than a server has agreed to', async () => {
    const { FixedPoller } = await import('../../../src/plugins/pollers/fixed.js');
    const poller = new FixedPoller({ interval: 64, burst: 4, burstInterval: 2 });
    const state = { missed: 0, reach: 0, interval: undefined, last: undefined };
    const intervals = (floor: number) => [0, 1, 2, 3, 4, 1000].map(sent => poller.next({ ...state, sent, floor }));
    expect(intervals(0)).toEqual([2, 2, 2, 64, 64, 64]);
    expect(intervals(16)).toEqual([16, 16, 16, 64, 64, 64]);
    expect(intervals(128)).toEqual([128, 128, 128, 128, 128, 128]);
  });

  test('a burst that is slower than the interval is as fast as the interval', async () => {
    const { FixedPoller } = await import('../../../src/plugins/pollers/fixed.js');
    const poller = new FixedPoller({ interval: 1, burst: 4, burstInterval: 2 });
    expect(poller.next({ missed: 0, reach: 0, interval: undefined, last: undefined, sent: 0, floor: 0 })).toBe(1);
  });
});

describe('servers that are asked together', () => {
  const adaptive = { use: 'rfc5905', min: '16 s', max: '256 s', burst: 4 };

  /** Of each server, when it was asked, as the number of a time at which any was. */
  const rounds = (record: Record, servers: readonly string[]): readonly (readonly number[])[] => {
    const times = [...new Set(servers.flatMap(server => rounded(record.sentTo(server))))].sort((a, b) => a - b);
    return servers.map(server => rounded(record.sentTo(server)).map(t => times.indexOf(t)));
  };

  test('keep step while their pollers lengthen the interval, at the pace of the one that wants it shortest', async () => {
    const record = await observe({
      // One of them is too noisy to be asked rarely.
      servers: [{ name: 'a' }, { name: 'b' }, { name: 'c', timeError: '1 ms' }],
      source: { poller: adaptive, together: true },
      duration: '4 h',
    });
    const [a, b, c] = rounds(record, ['a', 'b', 'c']);
    expect(a).toEqual(b);
    expect(a).toEqual(c);
    const sent = record.sentTo('a');
    const gaps = sent.slice(1).map((t, i) => Math.round(t - sent[i]!));
    expect(gaps.slice(0, 3)).toEqual([2, 2, 2]);
    expect(gaps[3]).toBe(16);
    expect(gaps.at(-1)).toBe(256);
    expect(gaps.slice(3).every((gap, i) => i === 0 || gap >= gaps[i + 2]!)).toBe(true);
    expect(record.rounds.every(({ verdicts }) => verdicts.length === 3)).toBe(true);
  });

  test('a silent one neither hurries nor delays the others, and is asked in their rounds when it is asked', async () => {
    const record = await observe({
      servers: [{ name: 'a' }, { name: 'b' }, { name: 'silent', loss: '100 %' }],
      source: { poller: adaptive, together: true },
      duration: '4 h',
    });
    const [a, b, silent] = rounds(record, ['a', 'b', 'silent']);
    expect(a).toEqual(b);
    expect(silent!.every(index => a!.includes(index))).toBe(true);
    const sent = record.sentTo('a');
    expect(Math.round(sent.at(-1)! - sent.at(-2)!)).toBe(256);
  });

  test('one that says RATE is asked more rarely, in rounds of the others', async () => {
    const record = await observe({
      servers: [{ name: 'a' }, { name: 'b' }, { name: 'rate', stratum: 0, leap: 3, referenceId: 'RATE' }],
      source: { poller: { use: 'fixed', interval: '16 s', burst: 1 }, together: true },
      duration: '2 h',
    });
    const [a, b, rate] = rounds(record, ['a', 'b', 'rate']);
    expect(a).toEqual(b);
    expect(a!.length).toBe(450);
    expect(rate!.every(index => a!.includes(index))).toBe(true);
    const gaps = record
      .sentTo('rate')
      .slice(1)
      .map((at, i) => at - record.sentTo('rate')[i]!);
    expect(rate!.length).toBeLessThan(12);
    for (const [i, gap] of gaps.entries()) expect(gap).toBeGreaterThanOrEqual(16 * 2 ** (i + 1) - 1e-6);
  });
});
