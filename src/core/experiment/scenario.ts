import { z } from 'zod';
import { choice, resolveChoice } from '../plugin/choice.js';
import type { PluginChoice } from '../plugin/registry.js';
import { duration, parseQuantity, probability, ratio, time } from '../quantity.js';

/** The key under which the schema says that the options of one plugin, without its name, stand here. */
export const OPTIONS_KEY = 'x-escapement-options';

/** The corrector that an `ntp_correction:` block configures. */
export const NTP_CORRECTION = 'drift-aware';

const NAME = z.string().regex(/^[A-Za-z0-9][\w.-]*$/, 'expected a name of letters, digits, "-", "_" and "."');

const Way = {
  delay: time('Shortest delay of one way, without queueing.', { min: 0 }),
  jitter: choice('delay', "The law of a packet's queueing delay on top of `delay`."),
  loss: z
    .union([probability('Probability'), choice('loss', 'Law')])
    .meta({ description: 'Probability that a packet is lost, each by itself, or the law by which packets are lost.' }),
};

const Server = z
  .strictObject({
    name: NAME.meta({ description: 'What sources and faults call it.' }),
    delay: Way.delay.prefault('10 ms'),
    jitter: Way.jitter.optional(),
    loss: Way.loss.prefault(0),
    out: z
      .strictObject({ delay: Way.delay.optional(), jitter: Way.jitter.optional(), loss: Way.loss.optional() })
      .meta({ description: 'The way from the client to the server, where it differs.' })
      .prefault({}),
    back: z
      .strictObject({ delay: Way.delay.optional(), jitter: Way.jitter.optional(), loss: Way.loss.optional() })
      .meta({ description: 'The way from the server to the client, where it differs.' })
      .prefault({}),
    timeError: time("The server's clock − true, at the start.").prefault(0),
    frequencyError: ratio("The server's clock's fractional frequency error.").prefault(0),
    clock: choice('clock', "The server's oscillator, on top of `timeError` and `frequencyError`.").optional(),
    processing: time('From the arrival of a question to the departure of its answer.', { min: 0 }).prefault('20 us'),
    stratum: z
      .int()
      .min(0)
      .max(255)
      .default(1)
      .meta({ description: 'Hops to a reference clock; 16 and above: unsynchronised.' }),
    leap: z.int().min(0).max(3).default(0).meta({ description: 'Leap indicator; 3: unsynchronised.' }),
    rootDelay: time('Round trip to the reference clock.', { min: 0 }).prefault(0),
    rootDispersion: time('Dispersion to the reference clock.', { min: 0 }).prefault('1 ms'),
    precision: time("Precision of the server's clock.", { above: 0 }).prefault('1 us'),
    referenceId: z.string().max(4).default('SIM').meta({ description: 'Four characters; at stratum 0 the kiss code.' }),
    behaviour: choice('server', 'How it answers.').prefault('honest'),
    lookUp: time('How long it takes to look up its name, before the first question.', { min: 0 }).prefault(0),
    smear: time('A leap second is smeared over this, half of it before the leap; 0: the server steps and announces.', {
      min: 0,
    }).prefault(0),
  })
  .meta({ description: 'An NTP server and the path to it.' });

const Timing = {
  at: time('When it strikes, in true time from the start of the run.', { min: 0 }),
  for: duration('How long it lasts. Left out: to the end of the run.').optional(),
  every: duration('Strikes again after this long. Left out: once.').optional(),
  chance: probability('Probability that a strike happens. Left out: it does.').optional(),
};

export interface FaultChoice {
  readonly at: number;
  readonly for?: number | undefined;
  readonly every?: number | undefined;
  readonly chance?: number | undefined;
  readonly fault: PluginChoice;
}

/** The key under which the schema says that a fault on the timeline stands here. */
export const FAULT_KEY = 'x-escapement-fault';

const FaultEntry = z
  .union([
    z.looseObject({ use: z.string(), ...Timing }),
    // A resolved scenario has the fault's options apart from its timing.
    z.strictObject({ ...Timing, fault: choice('fault', 'The fault and its options.') }),
  ])
  .meta({ description: 'A fault on the timeline.', [FAULT_KEY]: true })
  .transform((value, context): FaultChoice => {
    if (!('use' in value)) return value;
    const { at, for: lasting, every, chance, ...fault } = value;
    return { at, for: lasting, every, chance, fault: resolveChoice('fault', fault, context) };
  });

const SimulatedWorld = z
  .strictObject({
    kind: z.literal('simulated').default('simulated').meta({ description: 'Which world this is.' }),
    clock: choice('clock', "The machine's oscillator.").prefault('oscillator'),
    servers: z.array(Server).min(1).meta({ description: 'NTP servers and the paths to them.' }),
    faults: z.array(FaultEntry).default([]).meta({ description: 'What goes wrong, and when.' }),
  })
  .meta({ description: 'A synthetic world in which the truth is known.' });

const ReplayedWorld = z
  .strictObject({
    kind: z.literal('replayed').meta({ description: 'Which world this is.' }),
    trace: z.string().meta({ description: 'A recording, relative to the scenario file.' }),
    truth: z.string().optional().meta({
      description: "The local clock's error against truth, where it is known: t_true_s, free_running_error_s.",
    }),
    format: z.string().optional().meta({ description: 'Name of the format; left out, it is recognised.' }),
  })
  .meta({ description: 'Measurements from a file.' });

const RealWorld = z
  .strictObject({
    kind: z.literal('real').meta({ description: 'Which world this is.' }),
    clock: choice('clock', "This machine's clock.").prefault('system'),
    network: choice('network', 'How datagrams travel.').prefault('udp'),
  })
  .meta({ description: "This machine's clock and real servers." });

/** The design document's `ntp_correction:` block, pasted as it stands, is the corrector `drift-aware`. */
const NtpCorrection = z
  .looseObject({})
  .meta({
    description: 'The corrector `drift-aware` by its old name.',
    [OPTIONS_KEY]: { kind: 'corrector', name: NTP_CORRECTION },
  })
  .transform(
    (options, context): PluginChoice => resolveChoice('corrector', { ...options, use: NTP_CORRECTION }, context),
  );

const PipelineEntry = z
  .strictObject({
    name: NAME.meta({ description: 'What tables and files call it.' }),
    source: z
      .union([z.string(), z.array(z.string()).min(1)])
      .optional()
      .meta({ description: 'Which sources it listens to; left out: all.' }),
    axis: z.enum(['counter', 'wall']).default('counter').meta({ description: 'Which of the two clocks it estimates.' }),
    level: z.number().gt(0).lt(1).optional().meta({ description: 'Level of its interval; left out: the scenario’s.' }),
    filters: z
      .array(choice('filter', 'Looks at one source’s measurements.'))
      .default([])
      .meta({ description: 'Each looks at one source’s measurements, in this order.' }),
    combiner: choice('combiner', 'Selects and combines a round; left out: every measurement is taken.').optional(),
    predictor: choice('predictor', 'Gives the prior.').prefault('kalman'),
    predictEvery: duration('Predictions between measurements, on an interval of its own; left out: none.').optional(),
    deadline: duration(
      'In real time, how long an answer of the predictor is waited for; then the last estimate, carried on, stands in.',
    ).prefault('1 s'),
    context: z.enum(['measurements', 'trajectory']).default('measurements').meta({
      description: 'What the predictor learns from. `trajectory` adds its own past predictions: it diverges.',
    }),
    phases: z
      .strictObject({
        warmUp: time('From when the model is loaded to its first prediction.', { min: 0 }).prefault('180 s'),
        serve: choice('predictor', 'Predicts until then.').prefault('last-value'),
      })
      .optional()
      .meta({ description: 'Warm-up before the predictor has the word; measurements are served meanwhile.' }),
    corrector: choice('corrector', 'Gives the posterior; left out: kalman.').optional(),
    ntp_correction: NtpCorrection.optional(),
    datasetCorrector: choice('dataset-corrector', 'Revises past predictions at each measurement.').optional(),
    supervisors: z
      .array(choice('supervisor', 'Acts on what is told, and on nothing else.'))
      .default([])
      .meta({ description: 'Each acts on what is told, and on nothing else, in this order.' }),
    timekeeper: choice('timekeeper', 'Tells the time from the estimate.').prefault('drift'),
    discipline: choice(
      'discipline',
      'Steers a wall clock of its own by what is told; scored beside the pipeline as NAME.wall. Simulated worlds only.',
    ).optional(),
  })
  .meta({ description: 'One pipeline of plugins.' })
  .transform(({ ntp_correction, ...entry }, context) => {
    const problem = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', message, path: [path], input: entry });
    if (ntp_correction !== undefined && entry.corrector !== undefined) {
      problem('ntp_correction', 'is a corrector, and `corrector` names another: expected one of them');
    }
    if (entry.predictEvery === undefined) {
      if (entry.datasetCorrector !== undefined)
        problem('datasetCorrector', 'needs past predictions: add `predictEvery`');
      if (entry.context === 'trajectory') problem('context', 'needs past predictions: add `predictEvery`');
    }
    const corrector = ntp_correction ?? entry.corrector ?? resolveChoice('corrector', 'kalman', context);
    // In the order in which a measurement meets them, however they were written: a resolved scenario reads the same.
    const { datasetCorrector, supervisors, timekeeper, corrector: _, ...before } = entry;
    return { ...before, corrector, ...(datasetCorrector && { datasetCorrector }), supervisors, timekeeper };
  });

/** Everything in a summary that an expectation can limit, and what it is counted in. */
export const METRICS = {
  'error.mae': 'time',
  'error.rms': 'time',
  'error.std': 'time',
  'error.bias': 'time',
  'error.p50': 'time',
  'error.p95': 'time',
  'error.p99': 'time',
  'error.max': 'time',
  winRate: 'ratio',
  'bounds.coverage': 'ratio',
  'bounds.meanWidth': 'time',
  'bounds.maxErrorCoverage': 'ratio',
  'bounds.maxErrorMeanWidth': 'time',
  backwardStep: 'time',
  'drift.rms': 'ratio',
  'drift.max': 'ratio',
  'age.mean': 'time',
  'age.max': 'time',
  'holdover.growth': 'ratio',
  'holdover.max': 'time',
  'recovery.worst': 'time',
  'calibration.distance': 'ratio',
  /** When the error was last beyond `within`; also before the warm-up. */
  convergedBy: 'time',
  /** How fast told − true grows. */
  'frequency.rms': 'ratio',
  'frequency.max': 'ratio',
} as const;

export type Metric = keyof typeof METRICS;

const limit = z.union([z.number(), z.string()]);

const Expectation = z
  .strictObject({
    pipeline: z.string(),
    metric: z.enum(Object.keys(METRICS) as [Metric, ...Metric[]]),
    within: time('Of `convergedBy`: the error counts as converged while it is within this.', { above: 0 }).optional(),
    of: z.string().optional().meta({
      description: 'The limits are multiples of the same metric of this pipeline: `atMost: 0.85, of: model-only`.',
    }),
    atMost: limit.optional(),
    atLeast: limit.optional(),
  })
  .meta({ description: 'A limit that makes `run` exit with 1 when it is broken.' })
  .transform((value, context) => {
    const read = (side: 'atMost' | 'atLeast'): number | undefined => {
      const given = value[side];
      if (given === undefined) return undefined;
      const parsed = parseQuantity(given, value.of === undefined ? METRICS[value.metric] : 'ratio');
      if (typeof parsed === 'number') return parsed;
      context.addIssue({ code: 'custom', message: parsed, path: [side], input: given });
      return z.NEVER;
    };
    if (value.atMost === undefined && value.atLeast === undefined) {
      context.addIssue({ code: 'custom', message: 'expected `atMost` or `atLeast`, found neither', input: value });
    }
    if ((value.metric === 'convergedBy') !== (value.within !== undefined)) {
      const message =
        value.within === undefined
          ? 'expected `within` beside `convergedBy`, found nothing'
          : 'only `convergedBy` has a `within`';
      context.addIssue({ code: 'custom', message, path: ['within'], input: value });
    }
    const { pipeline, metric, within, of } = value;
    return { pipeline, metric, within, of, atMost: read('atMost'), atLeast: read('atLeast') };
  });

export const ScenarioSchema = z
  .strictObject({
    $schema: z.string().optional(),
    extends: z.string().optional().meta({
      description:
        'Another scenario, relative to this one, that this one adds to: maps are merged, lists and values replaced.',
    }),
    name: NAME.meta({ description: 'Names the run, its folder and its table.' }),
    description: z.string().default('').meta({ description: 'What happens, and what it shows.' }),
    seed: z
      .union([z.string(), z.number()])
      .default(1)
      .meta({ description: 'The same scenario and seed give the same bytes.' })
      .transform(String),
    epoch: z
      .union([z.iso.datetime(), z.iso.date()], 'expected a date such as 2026-01-01 or 2026-01-01T12:00:00Z')
      .default('2026-01-01T00:00:00Z')
      .meta({ description: 'True UTC at the start of a simulated run.' }),
    duration: duration('How long it runs.').optional(),
    warmup: time('Errors are not scored before this.', { min: 0 }).prefault(0),
    level: z.number().gt(0).lt(1).default(0.95).meta({ description: 'Level of the statistical intervals.' }),
    world: z
      .union([SimulatedWorld, ReplayedWorld, RealWorld])
      .meta({ description: 'Where it plays: simulated, replayed or real; see below.' }),
    sources: z.record(NAME, choice('source', 'Asks servers, or reads the recording.')).optional().meta({
      description: 'Sources by name; left out, one that asks every server every 64 s (or plays the recording).',
    }),
    pipelines: z
      .array(PipelineEntry)
      .min(1)
      .meta({ description: 'What is compared, all on one realisation; left out: the default estimator.' })
      .prefault([{ name: 'default', corrector: 'ensemble' }]),
    ntp_correction: NtpCorrection.optional().meta({
      description: 'The corrector `drift-aware` by its old name, for every pipeline that names no corrector.',
      [OPTIONS_KEY]: { kind: 'corrector', name: NTP_CORRECTION },
    }),
    sampling: z
      .strictObject({
        interval: duration('The grid on which errors against truth are scored.').prefault('1 s'),
        jitter: time('Moves every instant of the grid at random by up to this much, to either side.', {
          min: 0,
        }).prefault(0),
      })
      .meta({ description: '`interval` (1 s) and `jitter` (0) of the grid on which errors against truth are scored.' })
      .prefault({}),
    metrics: z
      .strictObject({
        within: time('What counts as converged and as recovered: |error| at most this.', { above: 0 }).prefault('1 ms'),
        holdoverAfter: duration('How long without a reference counts as holdover.').prefault('15 min'),
      })
      .meta({
        description:
          '`within` (1 ms): what counts as converged and recovered; `holdoverAfter` (15 min): what counts as holdover.',
      })
      .prefault({}),
    sinks: z
      .array(choice('sink', 'Writes, shows or serves what the run produces.'))
      .default([])
      .meta({ description: 'Outputs besides those of the command line.' }),
    expectations: z.array(Expectation).default([]).meta({ description: 'Limits that make the scenario a test.' }),
  })
  .meta({ title: 'An Escapement scenario' });

export type Scenario = z.output<typeof ScenarioSchema>;
export type PipelineSpec = Scenario['pipelines'][number];
export type WorldSpec = Scenario['world'];
export type ServerSpec = z.output<typeof Server>;
