import { Subject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import type {
  ClockModel,
  Combiner,
  CorrectedTime,
  Corrector,
  DelayLaw,
  Estimate,
  Fault,
  Filter,
  LossLaw,
  Poller,
  Predictor,
  ServerBehaviour,
  Sink,
  Source,
  SourceEvent,
  Supervisor,
  Timekeeper,
} from '../../../src/core/contracts/index.js';
import { bareTime } from '../../../src/core/pipeline/telling.js';
import { plugin } from '../../../src/core/plugin/registry.js';
import { at, measured } from '../../support/estimation.js';
import { Record } from '../../support/record.js';
import { runText } from '../../support/run-scenario.js';

const options = z.strictObject({});
const summary = 'Fails';

function fail(): never {
  throw new Error('on purpose\nsecond line');
}

/** Registers a plugin that is this object's method, made anew for each use. */
function failing<T extends object>(make: () => T): new () => T {
  return class {
    constructor() {
      Object.assign(this, make());
    }
  } as new () => T;
}

plugin({ kind: 'filter', name: 'throws', summary, options })(failing<Filter>(() => ({ filter: fail })));
plugin({ kind: 'combiner', name: 'throws', summary, options })(failing<Combiner>(() => ({ combine: fail })));
plugin({ kind: 'predictor', name: 'throws', summary, options })(failing<Predictor>(() => ({ predict: fail })));
plugin({ kind: 'predictor', name: 'rejects', summary, options })(
  failing<Predictor>(() => ({ predict: () => Promise.reject(new Error('on purpose')) })),
);
plugin({ kind: 'corrector', name: 'throws', summary, options })(failing<Corrector>(() => ({ correct: fail })));
plugin({ kind: 'timekeeper', name: 'throws', summary, options })(failing<Timekeeper>(() => ({ tell: fail })));
plugin({ kind: 'timekeeper', name: 'throws-late', summary, options })(
  failing<Timekeeper>(() => ({ tell: (_, reading, level) => bareTime(reading, level), adopt: fail })),
);
plugin({ kind: 'supervisor', name: 'throws', summary, options })(failing<Supervisor>(() => ({ supervise: fail })));
plugin({ kind: 'poller', name: 'throws', summary, options })(failing<Poller>(() => ({ next: fail })));
plugin({ kind: 'delay', name: 'throws', summary, options })(failing<DelayLaw>(() => ({ draw: fail })));
plugin({ kind: 'fault', name: 'throws', summary, options })(failing<Fault>(() => ({ inject: fail })));
plugin({ kind: 'fault', name: 'throws-late', summary, options })(failing<Fault>(() => ({ inject: () => fail })));
plugin({ kind: 'sink', name: 'throws', summary, options })(failing<Sink>(() => ({ round: fail })));
plugin({ kind: 'sink', name: 'throws-sampling', summary, options })(
  failing<Sink>(() => ({ interval: 10, sample: fail })),
);
plugin({ kind: 'sink', name: 'throws-at-start', summary, options })(failing<Sink>(() => ({ start: fail })));
plugin({ kind: 'sink', name: 'throws-at-end', summary, options })(failing<Sink>(() => ({ finish: fail })));
plugin({ kind: 'source', name: 'throws', summary, options })(
  failing<Source>(() => ({
    events: new Subject<SourceEvent>(),
    outstanding: 0,
    servers: ['x'],
    start: fail,
    stop: () => {},
  })),
);
plugin({ kind: 'corrector', name: 'unmakable', summary, options })(
  class implements Corrector {
    constructor() {
      fail();
    }
    correct(): undefined {
      return undefined;
    }
  },
);

const model = (phase: (t: number) => number, frequency = (): number => 0): ClockModel => ({
  world: 'simulated',
  granularity: 0,
  phase,
  frequency,
});
plugin({ kind: 'clock', name: 'throws', summary, options })(
  failing<ClockModel>(() => model(t => (t > 100 ? fail() : 0))),
);
plugin({ kind: 'clock', name: 'nan', summary, options })(
  failing<ClockModel>(() => model(t => (t > 100 ? Number.NaN : 0))),
);

const nowhere: Omit<Estimate, 'offset'> = {
  at: at(0),
  axis: 'counter',
  drift: 0,
  p00: 1,
  p01: 0,
  p11: 1,
  whiteFm: 0,
  randomWalkFm: 0,
  maxError: 1,
  maxErrorRate: 0,
  by: 'nan',
};
plugin({ kind: 'corrector', name: 'nan', summary, options })(
  failing<Corrector>(() => ({ correct: () => ({ ...nowhere, offset: Number.NaN }) })),
);
plugin({ kind: 'timekeeper', name: 'nan', summary, options })(
  failing<Timekeeper>(() => ({
    tell: (_, reading, level): CorrectedTime => ({ ...bareTime(reading, level), offset: Number.NaN }),
  })),
);
plugin({ kind: 'timekeeper', name: 'negative', summary, options })(
  failing<Timekeeper>(() => ({
    tell: (_, reading, level): CorrectedTime => ({ ...bareTime(reading, level), uncertainty: -1 }),
  })),
);
for (const [name, value] of Object.entries({ nan: Number.NaN, negative: -1, infinite: Number.POSITIVE_INFINITY })) {
  plugin({ kind: 'delay', name, summary, options })(failing<DelayLaw>(() => ({ draw: () => value })));
  plugin({ kind: 'poller', name, summary, options })(failing<Poller>(() => ({ next: () => value })));
}
/** Answers that are of another kind than the contract has it, as JavaScript allows. */
const as = <T>(answer: unknown): T => answer as T;
plugin({ kind: 'filter', name: 'undefined', summary, options })(
  failing<Filter>(() => ({ filter: () => as(undefined) })),
);
plugin({ kind: 'filter', name: 'nan', summary, options })(
  failing<Filter>(() => ({ filter: measurement => ({ ...measurement, offset: Number.NaN }) })),
);
plugin({ kind: 'combiner', name: 'undefined', summary, options })(
  failing<Combiner>(() => ({ combine: () => as(undefined) })),
);
plugin({ kind: 'combiner', name: 'list', summary, options })(
  failing<Combiner>(() => ({ combine: round => as(round) })),
);
plugin({ kind: 'combiner', name: 'nan', summary, options })(
  failing<Combiner>(() => ({
    combine: ([first]) => ({ measurements: [{ ...first!, delay: Number.NaN }], verdicts: [] }),
  })),
);
plugin({ kind: 'predictor', name: 'null', summary, options })(failing<Predictor>(() => ({ predict: () => as(null) })));
plugin({ kind: 'predictor', name: 'text', summary, options })(
  failing<Predictor>(() => ({ predict: () => Promise.resolve(as<Estimate>('soon')) })),
);
plugin({ kind: 'corrector', name: 'text', summary, options })(failing<Corrector>(() => ({ correct: () => as('yes') })));
plugin({ kind: 'corrector', name: 'null', summary, options })(failing<Corrector>(() => ({ correct: () => as(null) })));
plugin({ kind: 'timekeeper', name: 'undefined', summary, options })(
  failing<Timekeeper>(() => ({ tell: () => as(undefined) })),
);
plugin({ kind: 'loss', name: 'throws', summary, options })(failing<LossLaw>(() => ({ lost: fail })));
plugin({ kind: 'server', name: 'throws', summary, options })(failing<ServerBehaviour>(() => ({ answer: fail })));
plugin({ kind: 'server', name: 'undefined', summary, options })(
  failing<ServerBehaviour>(() => ({ answer: () => as(undefined) })),
);
plugin({ kind: 'server', name: 'never', summary, options })(
  failing<ServerBehaviour>(() => ({ answer: bytes => [{ bytes, after: Number.NaN }] })),
);
plugin({ kind: 'fault', name: 'mangles', summary, options })(
  failing<Fault>(() => ({ inject: target => target.disturb({}, { mangle: fail }) })),
);
plugin({ kind: 'fault', name: 'nan', summary, options })(
  failing<Fault>(() => ({ inject: target => void target.clock.stepWall(Number.NaN) })),
);

/** A source that first tells nonsense, and then one exchange that is sound. */
plugin({ kind: 'source', name: 'nonsense', summary, options })(
  failing<Source>(() => {
    const events = new Subject<SourceEvent>();
    const { exchange } = measured(0, 0.25, 1e-3, 'x');
    return {
      events,
      outstanding: 0,
      servers: ['x'],
      start: () => {
        for (const receive of [Number.NaN, Number.POSITIVE_INFINITY, 0.25]) {
          events.next({ type: 'exchange', exchange: { ...exchange, receive } });
        }
      },
      stop: () => {},
    };
  }),
);

interface Parts {
  readonly pipeline?: object;
  readonly server?: object;
  readonly source?: object;
  readonly clock?: string;
  readonly faults?: readonly object[];
  readonly sinks?: readonly string[];
}

const run = (
  { pipeline = {}, server = {}, source = { use: 'ntp' }, clock = 'oscillator', faults = [], sinks = [] }: Parts,
  record = new Record(),
) =>
  runText(
    stringify({
      name: 'failing',
      duration: '10 min',
      world: { clock, servers: [{ name: 'a', ...server }], faults },
      sources: { s: source },
      pipelines: [{ name: 'p', ...pipeline }],
      sinks,
    }),
    { sinks: [record] },
  );

const thrown = 'threw: on purpose';

describe('a plugin that throws ends the run, in one line that names it:', () => {
  const cases: readonly (readonly [string, Parts, string])[] = [
    ['a filter', { pipeline: { filters: ['throws'] } }, `pipeline 'p', filters: ${thrown}`],
    ['a combiner', { pipeline: { combiner: 'throws' } }, `pipeline 'p', combiner: ${thrown}`],
    ['a predictor', { pipeline: { predictor: 'throws' } }, `pipeline 'p', predictor: ${thrown}`],
    ['a predictor whose promise fails', { pipeline: { predictor: 'rejects' } }, `pipeline 'p', predictor: ${thrown}`],
    ['a corrector', { pipeline: { corrector: 'throws' } }, `pipeline 'p', corrector: ${thrown}`],
    ['a timekeeper', { pipeline: { timekeeper: 'throws' } }, `pipeline 'p', timekeeper: ${thrown}`],
    ['a timekeeper that remembers', { pipeline: { timekeeper: 'throws-late' } }, `pipeline 'p', timekeeper: ${thrown}`],
    ['a supervisor', { pipeline: { supervisors: ['throws'] } }, `pipeline 'p', supervisors: ${thrown}`],
    ['a poller', { source: { use: 'ntp', poller: 'throws' } }, `s/a, poller: ${thrown}`],
    ['a loss law', { server: { loss: { use: 'throws' } } }, `server 'a', loss: ${thrown}`],
    ['a server', { server: { behaviour: 'throws' } }, `server 'a', behaviour: ${thrown}`],
    ['a fault of packets', { faults: [{ use: 'mangles', at: 5 }] }, `faults/mangles@5: ${thrown}`],
    ['a delay law', { server: { jitter: 'throws' } }, `server 'a', jitter: ${thrown}`],
    ['a fault', { faults: [{ use: 'throws', at: 5 }] }, `faults/throws@5: ${thrown}`],
    ['a fault that ends', { faults: [{ use: 'throws-late', at: 5, for: 10 }] }, `faults/throws-late@5: ${thrown}`],
    ['a sink', { sinks: ['throws'] }, `sink 'throws': ${thrown}`],
    ['a sink that samples', { sinks: ['throws-sampling'] }, `sink 'throws-sampling': ${thrown}`],
    ['a sink at the start', { sinks: ['throws-at-start'] }, `sink 'throws-at-start': ${thrown}`],
    ['a sink at the end', { sinks: ['throws-at-end'] }, `sink 'throws-at-end': ${thrown}`],
    ['a source', { source: { use: 'throws' } }, `source 's': ${thrown}`],
    ['a clock', { clock: 'throws' }, `world.clock: ${thrown}`],
    [
      'one that cannot be made',
      { pipeline: { corrector: 'unmakable' } },
      "test.yaml pipelines[0].corrector: corrector 'unmakable' could not be made: on purpose",
    ],
  ];
  test.each(cases)('%s', async (_, parts, message) => {
    await expect(run(parts)).rejects.toMatchObject({ name: 'InputError', message });
  });

  test('and the other sinks are finished nevertheless, so that their files can be read', async () => {
    const record = new Record();
    await expect(run({ pipeline: { filters: ['throws'] } }, record)).rejects.toThrow();
    expect(record.summary).toMatchObject({ interrupted: true });
  });
});

describe('a plugin that answers what is no number ends the run, too:', () => {
  const cases: readonly (readonly [string, Parts, RegExp])[] = [
    ['a corrector', { pipeline: { corrector: 'nan' } }, /^pipeline 'p': 'nan' gave an estimate that is not finite/],
    [
      'a predictor that no corrector listens to',
      { pipeline: { corrector: 'ensemble' }, faults: [{ use: 'predictor-nan', at: 300, for: 200 }] },
      /^pipeline 'p': 'kalman' gave an estimate that is not finite/,
    ],
    [
      'a timekeeper',
      { pipeline: { timekeeper: 'nan' } },
      /^pipeline 'p', timekeeper: told a time of [\d.]+ s .* expected finite numbers$/,
    ],
    ['a timekeeper’s bounds', { pipeline: { timekeeper: 'negative' } }, /^pipeline 'p', timekeeper: told .* ± -1 s/],
    ['a clock', { clock: 'nan' }, /^world\.clock: gave a phase of NaN s at 10[01](\.\d+)? s$/],
    ...['nan', 'negative', 'infinite'].flatMap(name => [
      [
        `a delay law (${name})`,
        { server: { jitter: name } },
        /^server 'a', jitter: gave a delay of (NaN|-1|Infinity) s/,
      ] as const,
      [
        `a poller (${name})`,
        { source: { use: 'ntp', poller: name } },
        /^s\/a: the poller gave an interval of (NaN|-1|Infinity) s/,
      ] as const,
    ]),
  ];
  test.each(cases)('%s', async (_, parts, message) => {
    await expect(run(parts)).rejects.toMatchObject({ name: 'InputError', message: expect.stringMatching(message) });
  });
});

describe('a plugin that answers something else than its contract has it ends the run, too:', () => {
  const estimate = 'expected an estimate';
  const cases: readonly (readonly [string, Parts, string])[] = [
    [
      'a filter',
      { pipeline: { filters: ['undefined'] } },
      "pipeline 'p', filters: gave undefined; expected a measurement or { rejected: why }",
    ],
    [
      'a filter (nan)',
      { pipeline: { filters: ['nan'] } },
      "pipeline 'p', filters: gave what is not a measurement: offset is NaN",
    ],
    [
      'a combiner',
      { pipeline: { combiner: 'undefined' } },
      "pipeline 'p', combiner: expected an answer { measurements, verdicts }, both lists",
    ],
    [
      'a combiner (list)',
      { pipeline: { combiner: 'list' } },
      "pipeline 'p', combiner: expected an answer { measurements, verdicts }, both lists",
    ],
    [
      'a combiner (nan)',
      { pipeline: { combiner: 'nan' } },
      "pipeline 'p', combiner: gave what is not a measurement: delay is NaN",
    ],
    [
      'a predictor',
      { pipeline: { predictor: 'null' } },
      `pipeline 'p', predictor: gave null; ${estimate} or undefined`,
    ],
    [
      'a predictor’s promise',
      { pipeline: { predictor: 'text' } },
      `pipeline 'p', predictor: gave 'soon'; ${estimate} or undefined`,
    ],
    [
      'a corrector',
      { pipeline: { corrector: 'text' } },
      `pipeline 'p', corrector: gave 'yes'; ${estimate}, { declined: why } or undefined`,
    ],
    [
      'a corrector (null)',
      { pipeline: { corrector: 'null' } },
      `pipeline 'p', corrector: gave null; ${estimate}, { declined: why } or undefined`,
    ],
    [
      'a timekeeper',
      { pipeline: { timekeeper: 'undefined' } },
      "pipeline 'p', timekeeper: gave undefined; expected a time with its bounds",
    ],
    ...['undefined', 'never'].map(
      behaviour =>
        [
          `a server (${behaviour})`,
          { server: { behaviour } },
          "server 'a', behaviour: expected a list of replies { bytes, after }, `after` a finite number of seconds",
        ] as const,
    ),
    [
      'a fault',
      { faults: [{ use: 'nan', at: 5 }] },
      'faults/nan@5: threw: a step of the wall clock has to be a finite number, found NaN',
    ],
  ];
  test.each(cases)('%s', async (_, parts, message) => {
    await expect(run(parts)).rejects.toMatchObject({ name: 'InputError', message });
  });
});

test('an exchange that holds no number is no measurement: no plugin sees it, its verdict says so, and the run goes on', async () => {
  const record = new Record();
  const result = await run(
    { source: { use: 'nonsense' }, pipeline: { filters: ['delay-excess'], combiner: 'median' } },
    record,
  );
  expect(result.interrupted).toBe(false);
  expect(record.rounds.map(({ verdicts }) => verdicts.map(({ used, reason }) => [used, reason]))).toEqual([
    [[false, 'not a measurement: offset is NaN']],
    [[false, 'not a measurement: offset is Infinity']],
    [[true, expect.stringContaining('combined 1/1')]],
  ]);
  expect(JSON.stringify(result)).not.toContain('NaN');
});
