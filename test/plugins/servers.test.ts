import { expect, test } from 'vitest';
import type { Exchange } from '../../src/core/contracts/index.js';
import { runYaml, type Told } from '../support/run-yaml.js';

const scenario = (server: object, more: object = {}): object => ({
  name: 'servers',
  duration: '2 h',
  world: {
    clock: { use: 'oscillator', frequencyError: 0, granularity: 0 },
    servers: [{ name: 'a', processing: 0, ...server }],
  },
  sources: { ntp: { use: 'ntp', poller: { use: 'fixed', interval: '16 s', burst: 1 } } },
  pipelines: [{ name: 'p', filters: ['delay-excess'] }],
  ...more,
});
const answers = ({ exchanges }: Told, group = 'ntp'): readonly Exchange[] =>
  exchanges.flatMap(record =>
    record.group === group && record.event.type === 'exchange' ? [record.event.exchange] : [],
  );
const failures = ({ exchanges }: Told): number => exchanges.filter(({ event }) => event.type === 'failure').length;
const offsetOf = ({ sent, arrived, receive, transmit }: Exchange): number =>
  (receive - sent.counter + (transmit - arrived.counter)) / 2;

test('a server has an oscillator of its own, and says of itself what it is told to', async () => {
  const clock = { use: 'oscillator', timeError: '3 ms', frequencyError: '1 ppm' };
  const told = await runYaml(scenario({ clock, stratum: 3, rootDelay: '25 ms', rootDispersion: '5 ms' }));
  const last = answers(told).at(-1)!;
  expect(offsetOf(last)).toBeCloseTo(0.003 + 1e-6 * last.receive, 6);
  expect(last.stratum).toBe(3);
  expect(last.rootDelay).toBeCloseTo(0.025, 4);
  expect(last.rootDispersion).toBeCloseTo(0.005, 4);
});

test('a two-faced server tells one source one time and another source another', async () => {
  const sources = { ntp: { use: 'ntp' }, other: { use: 'ntp' } };
  const told = await runYaml(scenario({ behaviour: { use: 'two-faced', by: '40 ms', to: ['other'] } }, { sources }));
  for (const exchange of answers(told)) expect(offsetOf(exchange)).toBeCloseTo(0, 9);
  for (const exchange of answers(told, 'other')) expect(offsetOf(exchange)).toBeCloseTo(0.04, 9);
});

test('anycast flips between sites, each with its own delay and its own error', async () => {
  const sites = [{}, { farther: '20 ms', timeError: '2 ms' }];
  const told = await runYaml(scenario({ behaviour: { use: 'anycast', sites, stay: '10 min' } }));
  const seen = answers(told).map(exchange => {
    const delay = exchange.arrived.counter - exchange.sent.counter;
    return `${(1000 * delay).toFixed(3)} ${(1000 * offsetOf(exchange)).toFixed(3).replace('-0', '0')}`;
  });
  expect(new Set(seen)).toEqual(new Set(['20.000 0.000', '60.000 2.000']));
  const flips = seen.filter((site, index) => index > 0 && site !== seen[index - 1]).length;
  expect(flips).toBeGreaterThan(3);
  expect(flips).toBeLessThan(40);
});

test('losses in bursts come to the share that their spells make, and stay together', async () => {
  const loss = { use: 'gilbert-elliott', good: '10 min', bad: '5 min', lossInBad: 1 };
  const told = await runYaml(scenario({ out: { loss } }, { duration: '2 d' }));
  const lost = told.exchanges.map(({ event }) => event.type === 'failure');
  expect(failures(told) / lost.length).toBeGreaterThan(0.25);
  expect(failures(told) / lost.length).toBeLessThan(0.42);
  // After a loss the next is lost too, but at the end of a spell of 300 s: 16 s of it.
  const pairs = lost.slice(1).filter((_, index) => lost[index]);
  expect(pairs.filter(Boolean).length / pairs.length).toBeGreaterThan(0.9);
});

test('a slow look-up comes before the exchange and never counts as delay', async () => {
  const told = await runYaml(scenario({ lookUp: '300 ms' }));
  const [first] = answers(told);
  expect(first!.sent.counter).toBeCloseTo(0.3, 6);
  expect(first!.arrived.counter - first!.sent.counter).toBeCloseTo(0.02, 6);
});

test('a leap second is announced and stepped, or smeared and not announced', async () => {
  const at = (told: Told, t: number) => answers(told).find(({ sent }) => sent.counter > t)!;
  const leap = (server: object) => {
    const base = scenario(server, { epoch: '2026-12-31T12:00:00Z', duration: '1 d' }) as { world: object };
    return runYaml({ ...base, world: { ...base.world, faults: [{ use: 'leap-second', at: 0 }] } });
  };
  const stepped = await leap({});
  expect([at(stepped, 1000).leap, at(stepped, 43000).leap, at(stepped, 44000).leap]).toEqual([1, 1, 0]);
  expect(offsetOf(at(stepped, 43000))).toBeCloseTo(0, 9);
  expect(offsetOf(at(stepped, 44000))).toBeCloseTo(-1, 9);
  // The pipeline has heard of it in time: no second of the day is told wrong but the one that is repeated.
  expect(stepped.summary.pipelines[1]!.error!.p99).toBeLessThan(1e-3);
  const smeared = await leap({ smear: '1 d' });
  expect(at(smeared, 43000).leap).toBe(0);
  expect(offsetOf(at(smeared, 43100))).toBeCloseTo(-0.5, 2);
});

test('of several servers most have to announce a leap second', async () => {
  const servers = ['a', 'b', 'c'].map(name => ({ name, leap: name === 'a' ? 1 : 0 }));
  const told = await runYaml(scenario({}, { epoch: '2026-12-31T23:00:00Z', world: { clock: 'oscillator', servers } }));
  expect(told.summary.pipelines[1]!.error!.max).toBeLessThan(0.05);
});
