import { expect, test } from 'vitest';
import { runYaml, type Told } from '../../support/run-yaml.js';

/** Everything random at once: a noisy clock, three servers with losses in bursts, faults with draws of their own. */
const world = {
  clock: { use: 'oscillator', timeError: '30 ms', frequencyError: '15 ppm', whiteFm: '1e-9', wander: '3e-9' },
  servers: [
    {
      name: 'a',
      delay: '5 ms',
      jitter: { use: 'exponential', mean: '1 ms' },
      loss: { use: 'gilbert-elliott', bad: '5 min' },
    },
    {
      name: 'b',
      delay: '9 ms',
      jitter: { use: 'exponential', mean: '2 ms' },
      behaviour: { use: 'anycast', stay: '20 min' },
    },
    { name: 'c', delay: '12 ms', behaviour: { use: 'rate-limited', interval: '90 s', burst: 2 }, lookUp: '40 ms' },
  ],
  faults: [
    { use: 'delay-burst', at: '20 min', for: '5 min' },
    { use: 'malformed-packets', at: '30 min', for: '5 min', share: '30 %' },
    { use: 'frequency-step', at: '40 min', by: '2 ppm' },
    { use: 'vm-pause', at: '50 min', for: '3 s' },
    { use: 'suspend', at: '60 min', for: '10 min' },
    { use: 'duplication', at: '80 min', for: '10 min', share: '40 %' },
    { use: 'clock-step', at: '85 min', by: '200 ms', every: '10 min', chance: '50 %' },
  ],
};
const pipelines = [
  { name: 'counter', source: 'ntp', filters: ['delay-excess'], combiner: 'median' },
  { name: 'wall', source: 'ntp', axis: 'wall', filters: ['delay-excess'], combiner: 'intersection' },
];
const scenario = (more: object = {}): object => ({
  name: 'all',
  duration: '2 h',
  world,
  sources: { ntp: { use: 'ntp' } },
  pipelines,
  ...more,
});

/** What the two pipelines and their source gave, every digit of it. */
const output = (told: Told): string =>
  JSON.stringify({
    samples: told.samples.filter(({ pipeline }) => ['bare-clock', 'counter', 'wall'].includes(pipeline)),
    exchanges: told.exchanges.filter(({ group }) => group === 'ntp').map(({ open: _, ...record }) => record),
    rounds: told.rounds.filter(({ pipeline }) => ['counter', 'wall'].includes(pipeline)),
  });

test('a pipeline that polls every 17.3 s leaves every digit of the others’ output as it was', async () => {
  const plain = await runYaml(scenario());
  const more = await runYaml(
    scenario({
      sources: { ntp: { use: 'ntp' }, often: { use: 'ntp', poller: { use: 'fixed', interval: '17.3 s' } } },
      pipelines: [...pipelines, { name: 'third', source: 'often', filters: ['delay-excess'], discipline: 'adjtimex' }],
    }),
  );
  expect(more.exchanges.filter(({ group }) => group === 'often').length).toBeGreaterThan(700);
  expect(output(more)).toBe(output(plain));
});

test('sampling truth at 0.1 s leaves every digit of what is measured and estimated as it was', async () => {
  const plain = await runYaml(scenario());
  const fine = await runYaml(scenario({ sampling: { interval: '0.1 s' } }));
  expect(fine.summary.pipelines[1]!.samples).toBeGreaterThan(9 * plain.summary.pipelines[1]!.samples);
  expect(output(fine)).toBe(output(plain));
});

test('another server and another fault leave every packet of the first servers as it was', async () => {
  const exchangesOf = (told: Told): unknown[] =>
    told.exchanges
      .map(({ event }) => event)
      .filter(event => event.type === 'exchange' && event.exchange.source === 'a')
      .map(event => event.type === 'exchange' && event.exchange);
  const plain = await runYaml(scenario());
  const more = await runYaml(
    scenario({
      world: {
        ...world,
        servers: [{ name: 'new', jitter: { use: 'exponential', mean: '4 ms' } }, ...world.servers],
        faults: [{ use: 'packet-loss', at: '10 min', servers: ['new'] }, ...world.faults],
      },
    }),
  );
  expect(exchangesOf(more)).toEqual(exchangesOf(plain));
});
