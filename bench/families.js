// The situations of the recordings, and two more, in our own simulator: scenarios by name, for any seed. `symmetric` says
// whether the interval at a level has to hold (it assumes symmetric minimum paths).
const exponential = mean => ({ use: 'exponential', mean });
const clock = (more = {}) => ({
  use: 'oscillator',
  timeError: '50 ms',
  frequencyError: '20 ppm',
  wander: 1e-9,
  ...more,
});
const server = (name, delay, jitter, more = {}) => ({ name, delay, jitter, precision: '120 ns', ...more });
const wan = (more = {}) => server('wan', '10 ms', exponential('1 ms'), more);

/** As chronyd polls by default. */
const defpoll = { use: 'rfc5905', min: 64, max: 1024, burst: 4 };

function family(
  servers,
  {
    poll = '64 s',
    poller = { use: 'fixed', interval: poll },
    duration = '6 h',
    warmup = '20 min',
    faults = [],
    axis,
    oscillator,
  } = {},
) {
  return {
    symmetric: true,
    scenario: {
      duration,
      warmup,
      world: { clock: clock(oscillator), servers, faults },
      sources: { ntp: { use: 'ntp', poller } },
    },
    ...(axis && { axis }),
  };
}

/** Heavy tails and spikes, in the manner of the recordings: each way one of these, never their sum. */
const heavy = {
  use: 'mixture',
  of: [
    { weight: 0.68, law: exponential('0.8 ms') },
    { weight: 0.3, law: { use: 'pareto', scale: '1 ms', shape: 1.5, cap: '500 ms' } },
    { weight: 0.02, law: exponential('50 ms') },
  ],
};
const four = [
  server('a', '8 ms', exponential('1 ms')),
  server('b', '12 ms', exponential('0.8 ms')),
  server('c', '18 ms', exponential('2 ms')),
  server('d', '30 ms', exponential('3 ms')),
];
const five = [
  wan(),
  server('b', '11 ms', exponential('1 ms')),
  server('c', '12 ms', exponential('1 ms')),
  server('liar', '10 ms', exponential('1 ms'), { timeError: '100 ms' }),
  server('accomplice', '11 ms', exponential('1 ms'), { timeError: '100 ms' }),
];
/** ±2 ppm by ±2 K, from peak to peak in four hours. */
const warm = {
  use: 'temperature',
  lag: 0,
  linear: '1 ppm',
  ambient: [{ shape: 'sinusoid', amplitude: 2, period: '4 h' }],
};
const congestion = (directions, mean) => [
  { use: 'delay-burst', at: '20 min', for: '10 min', every: '30 min', mean, ...(directions && { directions }) },
];

const lan = server('lan', '100 us', exponential('10 us'));

export const FAMILIES = {
  'lan-quiet': family([lan]),
  'lan-quiet-defpoll': family([lan], { poller: defpoll }),
  'wan-exp': family([wan()]),
  'wan-exp-poll256': family([wan()], { poll: '256 s' }),
  'wan-exp-defpoll': family([wan()], { poller: defpoll }),
  'wan-heavy': family([server('wan', '10 ms', heavy)]),
  'four-servers-sym': family(four),
  falseticker: family(five),
  'freq-step': family([wan()], { faults: [{ use: 'frequency-step', at: '3 h', by: '5 ppm' }] }),
  // On the wall clock, which is the one that can be stepped: the counter would not notice.
  'time-step': family([wan()], { faults: [{ use: 'clock-step', at: '3 h', by: '200 ms' }], axis: 'wall' }),
  'temp-cycle': family([wan()], { oscillator: { parts: [warm] } }),
  sparse: family([wan()], { poll: '1024 s', duration: '24 h', warmup: '4 h' }),
  outage: family([wan()], { duration: '8 h', faults: [{ use: 'outage', at: '3 h', for: '2 h' }] }),
  'bad-osc': family([wan()], { oscillator: { wander: 1e-7 } }),
  congestion: family([wan()], { faults: congestion(undefined, '20 ms') }),
  'congestion-one-way': family([wan()], { faults: congestion(['out'], '10 ms') }),
  // One path of four is 3 ms longer there than back: 1.5 ms that the other three can see.
  'one-asymmetric': {
    ...family([...four.slice(0, 3), server('d', '30 ms', exponential('3 ms'), { out: { delay: '33 ms' } })]),
    symmetric: false,
  },
  'route-change': family([wan()], { faults: [{ use: 'delay-burst', at: '3 h', least: '5 ms', mean: 0 }] }),
};

/** One realisation of a family as a scenario's text; `pipelines` are its pipelines' entries. */
export function scenarioOf(name, seed, pipelines) {
  const { scenario, axis } = FAMILIES[name];
  const entries = pipelines.map(entry => (axis ? { ...entry, axis } : entry));
  return JSON.stringify({ ...scenario, name, seed, sampling: { interval: '10 s' }, pipelines: entries });
}
