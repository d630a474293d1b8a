import { beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadScenario } from '../../../src/core/experiment/load-scenario.js';
import { loadAllPlugins } from '../../../src/plugins/index.js';

const FILE = 's.yaml';
/** Lines 1 and 2, 3 to 5, 6 and 7 of every text below. */
const HEAD = 'name: x\nduration: 1 h\n';
const WORLD = 'world:\n  servers:\n    - name: a\n';
const PIPELINES = 'pipelines:\n  - name: p\n';
const pipeline = (line: string): string => `${HEAD}${WORLD}${PIPELINES}    ${line}\n`;
const server = (line: string): string => `${HEAD}${WORLD}      ${line}\n${PIPELINES}`;
const fault = (entry: string): string => `${HEAD}${WORLD}  faults:\n    - ${entry}\n${PIPELINES}`;
const expectation = (entry: string): string => `${HEAD}${WORLD}${PIPELINES}expectations:\n  - ${entry}\n`;
const top = (line: string): string => `${HEAD}${line}\n${WORLD}${PIPELINES}`;

beforeAll(loadAllPlugins);

function problemOf(text: string): string {
  try {
    loadScenario(text, FILE);
  } catch (error) {
    expect(error).toMatchObject({ name: 'InputError' });
    return (error as Error).message;
  }
  return 'none';
}

const TIME = 'expected a time such as 64 s, 200 ms or 3 h';
const RATIO = 'expected a ratio such as 12 ppm, 1e-9 or 5 %';
const TIME_UNITS = '(known: s, ms, us, µs, μs, ns, ps, min, h, d, day, days)';
const RATIO_UNITS = '(known: %, ppm, ppb, ppt, us/s, µs/s, ms/s, ns/s, s/s)';

describe('a scenario that is none', () => {
  const none = 's.yaml: expected a scenario (a map with `name`, `world`, …), found';
  test.each([
    ['an empty file', '', `${none} nothing`],
    ['a comment', '# nothing\n', `${none} nothing`],
    ['a list', '- a\n- b\n', `${none} a list`],
    ['a text', 'hello\n', `${none} a text`],
    [
      'a list that does not end',
      'name: x\nworld: [\n',
      's.yaml:3: is not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['tabs', 'name: x\n\tworld: y\n', 's.yaml:2: is not YAML: Tabs are not allowed as indentation'],
    ['a key twice', `${HEAD}name: y\n`, 's.yaml:3: is not YAML: Map keys must be unique'],
    ['two documents', `${HEAD}---\nname: y\n`, 's.yaml:3: is not YAML: expected one document, found several'],
    [
      'an alias of nothing',
      `${HEAD}world: *w\n`,
      's.yaml: is not YAML: Unresolved alias (the anchor must be set before the alias): w',
    ],
    [
      'aliases that would fill the memory',
      'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c]\n',
      's.yaml: is not YAML: Excessive alias count indicates a resource exhaustion attack',
    ],
  ])('%s', (_, text, message) => {
    expect(problemOf(text)).toBe(message);
  });
});

describe('one problem, in one line: where it is, what was expected, what was found', () => {
  test.each([
    ['no world', `${HEAD}${PIPELINES}`, 's.yaml:1 world: expected a map, found nothing'],
    ['no name', `duration: 1 h\n${WORLD}${PIPELINES}`, 's.yaml:1 name: expected a text, found nothing'],
    ['no duration', `name: x\n${WORLD}${PIPELINES}`, 's.yaml:1: a simulated run needs a `duration`'],
    [
      'no pipeline',
      `${HEAD}${WORLD}pipelines: []\n`,
      's.yaml:6 pipelines: expected at least 1 entry, found an empty list',
    ],
    [
      'no server',
      `${HEAD}world: { servers: [] }\n`,
      's.yaml:3 world.servers: expected at least 1 entry, found an empty list',
    ],
    [
      'a name with a blank',
      `name: a b\n`,
      `s.yaml:1 name: expected a name of letters, digits, "-", "_" and ".", found 'a b'`,
    ],
    ['a misspelt key', top('warmpu: 5 min'), "s.yaml:3 warmpu: is not an option here (did you mean 'warmup'?)"],
    [
      'a key misspelt where it is needed',
      `${HEAD}world:\n  server:\n    - name: a\n`,
      "s.yaml:4 world.server: is not an option here (did you mean 'servers'?)",
    ],
    [
      'a misspelt key of a server',
      server('dealy: 3 ms'),
      "s.yaml:6 world.servers[0].dealy: is not an option here (did you mean 'delay'?)",
    ],
    [
      'of one way to it',
      server('out: { los: 0 }'),
      "s.yaml:6 world.servers[0].out.los: is not an option here (did you mean 'loss'?)",
    ],
    [
      'of a pipeline',
      pipeline('timekeper: hold'),
      "s.yaml:8 pipelines[0].timekeper: is not an option here (did you mean 'timekeeper'?)",
    ],
    [
      'of an expectation',
      expectation('{ pipeline: p, metric: winRate, atleast: 1 }'),
      "s.yaml:9 expectations[0].atleast: is not an option here (did you mean 'atLeast'?)",
    ],
    [
      'of the sampling',
      top('sampling: { intervall: 1 s }'),
      "s.yaml:3 sampling.intervall: is not an option here (did you mean 'interval'?)",
    ],
    ['a key like no other', top('qqq: 1'), 's.yaml:3 qqq: is not an option here'],
    [
      'an unknown plugin',
      pipeline('corrector: kalmann'),
      "s.yaml:8 pipelines[0].corrector.use: unknown corrector 'kalmann' (did you mean 'kalman'?)",
    ],
    [
      'an unknown fault',
      fault('{ use: outrage, at: 1 min }'),
      "s.yaml:7 world.faults[0].use: unknown fault 'outrage' (did you mean 'outage'?)",
    ],
    [
      'an unknown sink',
      `${HEAD}${WORLD}sinks: [csvv]\n`,
      "s.yaml:6 sinks[0].use: unknown sink 'csvv' (did you mean 'csv'?)",
    ],
    [
      'a misspelt option of a plugin',
      pipeline('corrector: { use: kalman, gaet: 3 }'),
      "s.yaml:8 pipelines[0].corrector.gaet: is not an option here (did you mean 'gate'?)",
    ],
    [
      'of a plugin in a list',
      pipeline('filters: [popcorn, { use: warm-up, measurement: 3 }]'),
      "s.yaml:8 pipelines[0].filters[1].measurement: is not an option here (did you mean 'measurements'?)",
    ],
    [
      'of the jitter',
      server('jitter: { use: exponential, men: 3 ms }'),
      "s.yaml:6 world.servers[0].jitter.men: is not an option here (did you mean 'mean'?)",
    ],
    [
      'of the poller in a source',
      top('sources: { ntp: { use: ntp, poller: { use: fixed, intervall: 8 s } } }'),
      "s.yaml:3 sources.ntp.poller.intervall: is not an option here (did you mean 'interval'?)",
    ],
    [
      'an unknown plugin inside another',
      server('jitter: exponetial'),
      "s.yaml:6 world.servers[0].jitter.use: unknown delay 'exponetial' (did you mean 'exponential'?)",
    ],
    [
      'a number for a plugin',
      pipeline('corrector: 5'),
      's.yaml:8 pipelines[0].corrector: expected the name of a corrector, or { use: NAME, … }, found 5',
    ],
    [
      'a list for a plugin',
      pipeline('corrector: [kalman]'),
      's.yaml:8 pipelines[0].corrector: expected the name of a corrector, or { use: NAME, … }, found a list',
    ],
    [
      'a plugin without its name',
      pipeline('corrector: { gate: 3 }'),
      's.yaml:8 pipelines[0].corrector.use: expected a text, found nothing',
    ],
    [
      'a plugin for a list of them',
      pipeline('filters: popcorn'),
      "s.yaml:8 pipelines[0].filters: expected a list, found 'popcorn'",
    ],
    [
      'a unit of time for a ratio',
      pipeline('corrector: { use: kalman, drift: 5 ms }'),
      `s.yaml:8 pipelines[0].corrector.drift: ${RATIO}, found unit 'ms' ${RATIO_UNITS}`,
    ],
    [
      'an unknown unit',
      `name: x\nduration: 1 hour\n${WORLD}`,
      `s.yaml:2 duration: ${TIME}, found unit 'hour' ${TIME_UNITS}`,
    ],
    ['a word for a time', `name: x\nduration: long\n${WORLD}`, `s.yaml:2 duration: ${TIME}, found 'long'`],
    ['a list for a time', `name: x\nduration: [1]\n${WORLD}`, `s.yaml:2 duration: ${TIME}, found a list`],
    ['nothing for a time', `name: x\nduration:\n${WORLD}`, `s.yaml:2 duration: ${TIME}, found nothing`],
    ['a duration of nothing', `name: x\nduration: 0 s\n${WORLD}`, 's.yaml:2 duration: expected more than 0, found 0'],
    [
      'a negative mean',
      server('jitter: { use: exponential, mean: -3 ms }'),
      's.yaml:6 world.servers[0].jitter.mean: expected at least 0, found -0.003',
    ],
    ['a probability over one', server('loss: 120 %'), 's.yaml:6 world.servers[0].loss: expected at most 1, found 1.2'],
    [
      'a stratum that no byte holds',
      server('stratum: 300'),
      's.yaml:6 world.servers[0].stratum: expected at most 255, found 300',
    ],
    ['a stratum in words', server('stratum: two'), "s.yaml:6 world.servers[0].stratum: expected a number, found 'two'"],
    [
      'half a measurement',
      pipeline('combiner: { use: median, quorum: 1.5 }'),
      's.yaml:8 pipelines[0].combiner.quorum: expected a whole number, found 1.5',
    ],
    ['a level over one', top('level: 95'), 's.yaml:3 level: expected less than 1, found 95'],
    [
      'a word for one of a few',
      pipeline('axis: both'),
      "s.yaml:8 pipelines[0].axis: expected one of counter, wall, found 'both'",
    ],
    [
      'a world of no kind',
      `${HEAD}world: { kind: simulatd }\n`,
      "s.yaml:3 world.kind: expected one of simulated, replayed, real, found 'simulatd' (did you mean 'simulated'?)",
    ],
    [
      'a recording that is not named',
      `name: x\nworld: { kind: replayed }\n`,
      's.yaml:2 world.trace: expected a text, found nothing',
    ],
    [
      'a server by its name only',
      `${HEAD}world: { servers: [a] }\n`,
      "s.yaml:3 world.servers[0]: expected a map, found 'a'",
    ],
    [
      'a date in words',
      top('epoch: tomorrow'),
      "s.yaml:3 epoch: expected a date such as 2026-01-01 or 2026-01-01T12:00:00Z, found 'tomorrow'",
    ],
    ['a list for a seed', top('seed: [1]'), 's.yaml:3 seed: expected a text or a number, found a list'],
    ['a fault at no time', fault('{ use: outage }'), `s.yaml:7 world.faults[0].at: ${TIME}, found nothing`],
    [
      'a fault without what it needs',
      fault('{ use: clock-step, at: 1 min }'),
      `s.yaml:7 world.faults[0].by: ${TIME}, found nothing`,
    ],
    [
      'a misspelt option of a fault',
      fault('{ use: outage, at: 1 min, server: [a] }'),
      "s.yaml:7 world.faults[0].server: is not an option here (did you mean 'servers'?)",
    ],
    [
      'an unknown pipeline in a fault',
      fault('{ use: predictor-nan, at: 1 min, pipelines: [q] }'),
      "s.yaml:7 world.faults[0].pipelines[0]: unknown pipeline 'q' (known: p)",
    ],
    [
      'a clock that stands still',
      `${HEAD}world: { servers: [{ name: a }], clock: { use: oscillator, frequencyError: -1 } }\n${PIPELINES}`,
      's.yaml:3 world.clock.frequencyError: expected more than -1, found -1',
    ],
    [
      'an unknown server in a fault',
      fault('{ use: outage, at: 1 min, servers: [a, aa] }'),
      "s.yaml:7 world.faults[0].servers[1]: unknown server 'aa' (did you mean 'a'?)",
    ],
    [
      'an unknown server in a source',
      top('sources: { ntp: { use: ntp, servers: [far-away] } }'),
      "s.yaml:3 sources.ntp.servers[0]: unknown server 'far-away' (known: a)",
    ],
    [
      'an unknown source in a pipeline',
      pipeline('source: npt'),
      "s.yaml:8 pipelines[0].source: unknown source 'npt' (did you mean 'ntp'?)",
    ],
    [
      'an unknown pipeline in an expectation',
      expectation('{ pipeline: kalman, metric: winRate, atLeast: 1 }'),
      "s.yaml:9 expectations[0].pipeline: unknown pipeline 'kalman' (known: bare-clock, p)",
    ],
    [
      'no limit in an expectation',
      expectation('{ pipeline: p, metric: winRate }'),
      's.yaml:9 expectations[0]: expected `atMost` or `atLeast`, found neither',
    ],
    [
      'a time for the limit of a share',
      expectation('{ pipeline: p, metric: winRate, atLeast: 5 ms }'),
      `s.yaml:9 expectations[0].atLeast: ${RATIO}, found unit 'ms' ${RATIO_UNITS}`,
    ],
    [
      'two pipelines of one name',
      pipeline('axis: wall\n  - name: p'),
      "s.yaml:9 pipelines[1].name: there are two pipelines named 'p'",
    ],
    [
      'two servers of one name',
      `${HEAD}${WORLD}    - name: a\n${PIPELINES}`,
      "s.yaml:6 world.servers[1].name: there are two servers named 'a'",
    ],
    [
      'a pipeline named like the bare clock',
      `${HEAD}${WORLD}pipelines: [{ name: bare-clock }]\n`,
      "s.yaml:6 pipelines[0].name: 'bare-clock' names the uncorrected clock",
    ],
    [
      'a warm-up that never ends',
      top('warmup: 2 h'),
      's.yaml:3 warmup: expected less than the duration (3600 s), found 7200 s',
    ],
  ])('%s', (_, text, message) => {
    expect(problemOf(text)).toBe(message);
    expect(message).not.toMatch(/\n|undefined|\[object|ZodError/);
  });

  test('a metric that is not known: all there are, and the nearest', () => {
    expect(problemOf(expectation('{ pipeline: p, metric: error.rmse, atMost: 1 ms }'))).toMatch(
      /^s\.yaml:9 expectations\[0\]\.metric: expected one of error\.mae, .*, found 'error\.rmse' \(did you mean 'error\.rms'\?\)$/,
    );
  });

  test('a plugin of another kind: which kind it is, and what there is of the one expected', () => {
    expect(problemOf(pipeline('combiner: popcorn'))).toMatch(
      /^s\.yaml:8 pipelines\[0\]\.combiner\.use: expected a combiner, found the filter 'popcorn' \(known: best, .*, median/,
    );
  });

  test('lines are counted through comments, and paths through quoted keys', () => {
    const text = `# one\n\n# two\n${HEAD}"world":\n  # three\n  "servers":\n    - "name": a\n      'stratum': two\n`;
    expect(problemOf(text)).toBe("s.yaml:10 world.servers[0].stratum: expected a number, found 'two'");
  });
});

describe('a good scenario', () => {
  test('has all defaults filled in', () => {
    const { scenario } = loadScenario(`${HEAD}${WORLD}${PIPELINES}`, FILE);
    expect(scenario).toMatchObject({
      name: 'x',
      seed: '1',
      duration: 3600,
      warmup: 0,
      level: 0.95,
      sampling: { interval: 1, jitter: 0 },
      world: { kind: 'simulated', clock: { use: 'oscillator', frequencyError: 1e-5 }, faults: [] },
      pipelines: [{ name: 'p', axis: 'counter', filters: [], predictor: { use: 'kalman' } }],
    });
  });

  test('is read again from what it resolves to, as the same', () => {
    const text = `${HEAD}seed: abc\n${WORLD}      jitter: { use: exponential, mean: 1 ms }\n  faults:\n    - { use: delay-burst, at: 5 min, every: 10 min, for: 1 min, servers: [a] }\nsources: { s: { use: ntp, poller: { use: fixed, interval: 16 s } } }\n${PIPELINES}    filters: [popcorn]\n    combiner: median\nexpectations: [{ pipeline: p, metric: error.rms, atMost: 5 ms }]\n`;
    const { scenario } = loadScenario(text, FILE);
    const resolved = stringify(scenario);
    expect(loadScenario(resolved, FILE).scenario).toEqual(scenario);
    expect(parse(resolved).world.faults[0].fault.mean).toBe(0.02);
  });

  test('may use anchors and aliases', () => {
    const text = `${HEAD}world:\n  servers:\n    - &a { name: a, delay: 3 ms }\n    - { <<: *a, name: b }\n`;
    expect(problemOf(text.replace('<<: *a, ', ''))).toBe('none');
  });
});

test('a fault that would strike after the end is a warning', () => {
  expect(loadScenario(fault('{ use: outage, at: 59 min }'), FILE).warnings).toEqual([]);
  expect(loadScenario(fault('{ use: outage, at: 1 h }'), FILE).warnings).toEqual([
    's.yaml:7 world.faults[0].at never strikes: the run lasts 1 h',
  ]);
});
