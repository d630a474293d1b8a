import 'reflect-metadata';
import { dirname } from 'node:path';
import { Container } from 'inversify';
import {
  type Answer,
  type Axis,
  type ClockModel,
  type ClockPlugin,
  type ClockReading,
  type ExchangeRecord,
  type MachineClock,
  type ModelTotals,
  type Predictor,
  type RecordedTruth,
  type Recording,
  type RunInfo,
  type RunSummary,
  type Sink,
  type Source,
  type SourceEvent,
  type TimeService,
  World,
} from '../contracts/index.js';
import { guarded, InputError, UnavailableError, unknownName } from '../errors.js';
import { agreeing } from '../ntp/agreement.js';
import { referenceIdOf } from '../ntp/packet.js';
import { type Outcome, Pipeline } from '../pipeline/pipeline.js';
import { SteeredWall, WALL } from '../pipeline/steered-wall.js';
import { makePlugin, type PluginChoice, type PluginKind, type PluginKinds } from '../plugin/registry.js';
import {
  InputFolder,
  OutputFolder,
  PartName,
  Playback,
  PluginFactory,
  Report,
  ServerNames,
  Streams,
} from '../plugin/tokens.js';
import { randomStream } from '../world/random.js';
import { RealtimeScheduler } from '../world/realtime-scheduler.js';
import { ReplayedWorld } from '../world/replayed-world.js';
import type { KnownClock } from '../world/simulated-clock.js';
import type { PathModel, SimulatedServerOptions } from '../world/simulated-network.js';
import { SimulatedWorld } from '../world/simulated-world.js';
import type { Tampering } from '../world/tampering.js';
import type { RunControl } from '../world/virtual-scheduler.js';
import { judge, wantsBehaviour } from './expectations.js';
import { Keeper, type KeptState } from './keeping.js';
import { formatPath, sourcesOf } from './load-scenario.js';
import { RecordedAnswers } from './recorded-answers.js';
import type { PipelineSpec, Scenario, ServerSpec, WorldSpec } from './scenario.js';
import { isMeasurable, type MeasurementScore, Scorer, sinkThrew, type Wanted } from './scoring.js';
import { Hearing, Vigil } from './vigil.js';

export interface RunInputs {
  readonly scenario: Scenario;
  /** Where the scenario came from, for error messages. */
  readonly file: string;
  /** What a replayed world plays back. */
  readonly recording?: Recording;
  readonly truth?: RecordedTruth;
  /** Sinks besides those of the scenario. */
  readonly sinks?: readonly Sink[];
  readonly outputFolder?: string;
  readonly signal?: AbortSignal;
  /** What an earlier run has kept, in a real world. */
  readonly kept?: KeptState | undefined;
  /** Called once the run is under way in a real world. */
  readonly underWay?: (handle: RunHandle) => void;
  /** Scores how pipelines behave, too, also where no expectation asks for it. */
  readonly behaviour?: boolean;
}

/** What whoever keeps a run going may do to it. */
export interface RunHandle {
  /** What is worth keeping of it as it stands. */
  keep(): KeptState;
  /** Tells the sinks of something that people should know of. */
  report(part: string, what: string): void;
}

type Make = <K extends PluginKind>(kind: K, choice: PluginChoice, place: string, part: string) => PluginKinds[K];

/** One of the three worlds, ready to be driven. */
interface Stage {
  readonly view: World;
  readonly servers: readonly string[];
  /** Start and end of the run in the stage's own time. */
  readonly start: number;
  readonly end: number;
  /** The local clock as a function of true time, where that is known at any instant. */
  readonly known: KnownClock | undefined;
  readonly reference: 'truth' | 'ntp';
  /** What a real clock is read through, and where its counter began. */
  readonly clock?: string;
  readonly counterOrigin?: bigint | undefined;
  now(): number;
  /** What the local clock reads at a time of the stage, now or before the next event; where `known` is undefined. */
  readAt(t: number): ClockReading;
  /** clock − true at the event now being handled. */
  truthNow(): ExchangeRecord['truth'];
  onAdvance(listener: (to: number) => void): void;
  /** Before an event of a world whose time is not driven from here: lets listeners sample what was until now. */
  advance?(): void;
  run(control: RunControl): Promise<boolean>;
  stop(): void;
  readonly playback: Playback | undefined;
  /** This machine's clock, in a real world. */
  readonly machine?: MachineClock;
  /** Where faults may have a hand in the predictors. */
  readonly tampering?: Tampering;
  /** Puts what goes wrong on the timeline. */
  strike(report: (part: string, what: string) => void): void;
}

/** Runs a scenario to its end (or the signal's) and returns what `summary.json` holds. */
export async function runScenario(inputs: RunInputs): Promise<RunSummary> {
  const { scenario, signal } = inputs;
  // Plugins may report from the moment they are made; the sinks hear of it once they have started.
  const early: (readonly [part: string, what: string])[] = [];
  let report: (part: string, what: string) => void = (part, what) => void early.push([part, what]);
  const askers: { readonly part: string; readonly predictor: Predictor }[] = [];
  const models = (): readonly ModelTotals[] =>
    askers.flatMap(({ part, predictor }) => {
      const use = predictor.modelUse?.();
      return use === undefined ? [] : [{ part, ...use }];
    });
  const { make, keeper, stage, sources, pipelines } = assemble(
    inputs,
    (part, what) => report(part, what),
    (kind, one, _place, part) => {
      if (kind === 'predictor') askers.push({ part, predictor: one as Predictor });
    },
  );
  for (const pipeline of pipelines) keeper.openPipeline(pipeline);
  keeper.report();
  const sinks = [
    ...scenario.sinks.map((chosen, index) => make('sink', chosen, `${inputs.file} sinks[${index}]`, `sink-${index}`)),
    ...(inputs.sinks ?? []),
  ];
  const duration = scenario.duration ?? (Number.isFinite(stage.end) ? stage.end - stage.start : undefined);
  const info: RunInfo = {
    scenario: scenario.name,
    description: scenario.description,
    seed: scenario.seed,
    world: stage.view.kind,
    epoch: stage.view.epoch,
    duration,
    warmup: scenario.warmup,
    start: stage.start,
    pipelines: pipelines.map(pipeline => pipeline.name),
    reference: stage.reference,
    addresses: Object.assign({}, ...sources.map(([, { addresses }]) => addresses)),
    ...(stage.clock !== undefined && { clock: stage.clock }),
    ...(stage.counterOrigin !== undefined && { counterOrigin: stage.counterOrigin }),
    ...(stage.view.clock.oneClock && { oneClock: true }),
  };
  const { machine } = stage;
  const vigil =
    machine &&
    new Vigil(machine, {
      report: (part, what) => report(part, what),
      displaced: (axis, by, deviation) => {
        for (const pipeline of pipelines) pipeline.displaced(axis, by, deviation);
      },
      resumed: () => {
        for (const [, source] of sources) source.askNow?.();
      },
    });
  const hearing = machine && new Hearing((part, what) => report(part, what));
  const ahead = (seconds: number, name = pipelines[0]!.name, from = stage.view.clock.read()): Answer => {
    const pipeline = pipelines.find(one => one.name === name);
    if (pipeline === undefined) throw unknownName('time service', 'pipeline', name, info.pipelines);
    vigil?.look();
    const reading = seconds === 0 ? from : { wall: from.wall + seconds, counter: from.counter + seconds };
    return { pipeline: name, reading, told: pipeline.tell(reading), estimate: pipeline.estimate };
  };
  const time: TimeService = { now: name => ahead(0, name).told, read: name => ahead(0, name), ahead, models };
  let failure: unknown;
  const fail = (error: unknown): void => {
    failure ??= error;
    stage.stop();
  };
  for (const sink of sinks) {
    try {
      await sink.start?.(info, time);
    } catch (error) {
      throw sinkThrew(sink, error);
    }
  }
  const { warmup, level } = scenario;
  const wanted = wantedBy(scenario);
  const answers = Object.entries(inputs.recording?.answers ?? {}).map(
    ([name, given]) => new RecordedAnswers(name, level, given),
  );
  const walls = pipelines.flatMap(({ wall }) => wall ?? []);
  const from = stage.start + warmup;
  const limits = inputs.behaviour || wantsBehaviour(scenario) ? scenario.metrics : undefined;
  const scorer = new Scorer(
    pipelines,
    [...answers, ...walls],
    sinks,
    from,
    level,
    stage.reference,
    stage.start,
    fail,
    wanted,
    limits,
  );
  if (stage.known !== undefined) {
    const { interval, jitter } = scenario.sampling;
    const stream = randomStream(scenario.seed, 'sampling');
    const draw = jitter === 0 ? () => 0 : () => (2 * stream.uniform() - 1) * Math.min(jitter, interval / 2);
    stage.onAdvance(scorer.gridListener(stage.known, interval, stage.start, draw));
  } else {
    stage.onAdvance(to => scorer.sampleUntil(to, t => stage.readAt(t)));
  }

  if (vigil !== undefined) stage.onAdvance(() => vigil.look());

  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      fail(error);
    }
  };
  const exchanges = { answered: 0, failed: 0 };
  // Records and scores are taken before any pipeline hears of an event.
  for (const [group, source] of sources) {
    const round: MeasurementScore[] = [];
    const handle = (event: SourceEvent): void => {
      stage.advance?.();
      const t = stage.now();
      const { outstanding } = source;
      if (event.type === 'exchange') exchanges.answered += 1;
      else exchanges.failed += 1;
      hearing?.hear(event);
      if (event.type === 'exchange' && stage.known === undefined && isMeasurable(event.exchange)) {
        const truth = stage.truthNow();
        const score = scorer.scoreAt(t, event.exchange, truth);
        if (truth === undefined) round.push(score);
        else scorer.commit(score);
      }
      // Against NTP only a measurement that agrees with its round counts: a falseticker is no reference.
      if (outstanding === 0 && round.length > 0) {
        const agrees = agreeing(round.map(({ measurement }) => measurement));
        round.forEach((score, index) => {
          if (agrees[index]) scorer.commit(score);
        });
        round.length = 0;
      }
      scorer.exchange(() => ({ t, event, group, truth: stage.truthNow(), open: openQuestions(sources) }));
    };
    source.events.subscribe({ next: event => attempt(() => handle(event)), error: fail });
  }
  const readingNow = () => ({ reading: stage.view.clock.read(), truth: stage.truthNow() });
  // Before pipelines begin: their first phase does so at once.
  report = (part, what) => scorer.event({ t: stage.now(), part, what });
  pipelines.forEach((pipeline, index) => {
    const { known } = stage;
    if (pipeline.trajectory !== undefined && known !== undefined) {
      scorer.follow(pipeline.trajectory, index, () => known.sampleAt(stage.now()));
    }
    const record = (outcome: Outcome): void => scorer.round(index, stage.now(), outcome, readingNow);
    pipeline.outcomes.subscribe({ next: outcome => attempt(() => record(outcome)), error: fail });
  });
  stage.strike((part, what) => {
    scorer.struck(part, stage.now(), what === 'begins');
    report(part, what);
  });
  for (const [part, what] of early) report(part, what);
  for (const [name, source] of sources) guarded(`source '${name}'`, () => source.start());
  if (machine !== undefined) {
    inputs.underWay?.({ keep: () => keeper.take(machine, pipelines), report: (part, what) => report(part, what) });
  }

  const started = stage.start;
  const control: RunControl = {
    ...(signal && { signal }),
    onSlice: time => {
      const done = duration === undefined ? 0 : (time - started) / duration;
      for (const sink of sinks) attempt(() => sink.progress?.(Math.min(1, done)));
    },
  };
  // Something may have failed before there was anything to stop.
  const finished =
    failure === undefined &&
    (await stage.run(control).catch(error => {
      fail(error);
      return false;
    }));
  for (const [, source] of sources) source.stop();
  for (const pipeline of pipelines) pipeline.trajectory?.end();

  const results = scorer.summaries(stage.now());
  const summary: RunSummary = {
    scenario: scenario.name,
    seed: scenario.seed,
    duration: finished && duration !== undefined ? duration : stage.now() - started,
    warmup: scenario.warmup,
    world: stage.view.kind,
    interrupted: !finished,
    exchanges,
    models: models(),
    pipelines: results,
    expectations: judge(scenario.expectations, results),
  };
  for (const sink of sinks) {
    try {
      await sink.finish?.(summary);
    } catch (error) {
      // The others still close their files; the first thing that went wrong is what is told.
      failure ??= sinkThrew(sink, error);
    }
  }
  if (failure !== undefined) throw failure;
  return summary;
}

/** What a scenario names, made for its world; all but its sinks. */
interface Assembly {
  readonly make: Make;
  readonly keeper: Keeper;
  readonly stage: Stage;
  readonly sources: readonly (readonly [string, Source])[];
  readonly pipelines: readonly Pipeline[];
}

/** Makes what a scenario names. `made` is told of every plugin, with its place in the file and its part. */
function assemble(
  inputs: RunInputs,
  report: (part: string, what: string) => void,
  made: (kind: PluginKind, one: object, place: string, part: string) => void,
): Assembly {
  const { scenario, file } = inputs;
  const root = new Container();
  const keeper = new Keeper(inputs.kept, report);
  let open: Open = (_kind, one) => one;
  const make = maker(
    root,
    scenario.seed,
    inputs.outputFolder,
    dirname(file),
    report,
    (kind, one, chosen, part, place) => {
      made(kind, one, place, part);
      const opened = open(kind, one, chosen.use, part);
      keeper.open(kind, opened, chosen, part);
      return opened;
    },
  );
  const stage = stageFor(inputs, make, keeper);
  open = openTo(stage);
  root.bind(World).toConstantValue(stage.view);
  root.bind(ServerNames).toConstantValue(stage.servers);
  if (stage.playback !== undefined) root.bind(Playback).toConstantValue(stage.playback);
  const sources = Object.entries(sourcesOf(scenario)).map(
    ([name, chosen]) => [name, make('source', chosen, `${file} sources.${name}`, name)] as const,
  );
  const pipelines = scenario.pipelines.map((spec, index) =>
    makePipeline(spec, index, inputs, make, sources, stage.view, report),
  );
  return { make, keeper, stage, sources, pipelines };
}

/**
 * Makes what a scenario names, as a run does, and has its predictors check what they load: files that cannot be used are
 * an error with their place, and what this machine cannot try is returned, one line each. Sinks are left out: they open
 * what they write.
 */
export async function tryScenario(inputs: RunInputs): Promise<readonly string[]> {
  const checks: (readonly [place: string, check: () => PromiseLike<void>])[] = [];
  assemble(
    inputs,
    () => {},
    (kind, one, place) => {
      const predictor = kind === 'predictor' ? (one as Predictor) : undefined;
      if (predictor?.check !== undefined) checks.push([place, () => predictor.check!()]);
    },
  );
  const untried: string[] = [];
  for (const [place, check] of checks) {
    try {
      await check();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const placed = inPlace(error, place);
      if (!(error instanceof UnavailableError)) throw placed;
      untried.push(placed.message);
    }
  }
  return untried;
}

/** What the scenario's expectations need to be measured besides the error statistics. */
function wantedBy({ pipelines, expectations }: Scenario): Wanted {
  // Disciplined wall clocks are scored after the pipelines.
  const walls = pipelines.flatMap(({ name, discipline }) => (discipline === undefined ? [] : [`${name}${WALL}`]));
  const names = [...pipelines.map(({ name }) => name), ...walls];
  const placeOf = (name: string): number => names.indexOf(name);
  const convergence = new Map<string, Wanted['convergence'][number]>();
  const frequency = new Set<number>();
  for (const { pipeline, metric, within, of = pipeline } of expectations) {
    for (const place of [pipeline, of].map(placeOf)) {
      if (within !== undefined) convergence.set(`${place} ${within}`, { pipeline: place, within });
      if (metric.startsWith('frequency.')) frequency.add(place);
    }
  }
  return { convergence: [...convergence.values()], frequency: [...frequency] };
}

/** Questions that are still open, by source. */
function openQuestions(sources: readonly (readonly [string, Source])[]): Readonly<Record<string, number>> {
  const open: Record<string, number> = {};
  for (const [name, { outstanding }] of sources) if (outstanding > 0) open[name] = outstanding;
  return open;
}

function maker(
  root: Container,
  seed: string,
  outputFolder: string | undefined,
  inputFolder: string,
  report: (part: string, what: string) => void,
  opened: Made,
): Make {
  root.bind(OutputFolder).toConstantValue(outputFolder);
  root.bind(InputFolder).toConstantValue(inputFolder);
  const make: Make = (kind, chosen, place, part) => {
    const scope = new Container({ parent: root });
    scope.bind(PartName).toConstantValue(part);
    scope.bind(Report).toConstantValue((what: string) => report(part, what));
    scope.bind(Streams).toConstantValue((name: string) => randomStream(seed, `${part}/${name}`));
    const factory: PluginFactory = (innerKind, innerChoice, name) => {
      const path = pathTo(chosen, innerChoice);
      const inner = path === undefined ? place : `${place}.${formatPath(path)}`;
      return make(innerKind, innerChoice, inner, `${part}/${name ?? innerKind}`);
    };
    scope.bind(PluginFactory).toConstantValue(factory);
    try {
      return opened(kind, makePlugin(kind, chosen, place, scope), chosen, part, place);
    } catch (error) {
      // Sources and sinks say themselves where they stand.
      throw error instanceof InputError && kind !== 'source' && kind !== 'sink' ? inPlace(error, place) : error;
    }
  };
  return make;
}

/** Where in a plugin's options the choice of another one stands; undefined where it stands in none: it is made up. */
function pathTo(options: unknown, chosen: PluginChoice): readonly PropertyKey[] | undefined {
  if (options === chosen) return [];
  if (typeof options !== 'object' || options === null) return undefined;
  for (const [key, value] of Object.entries(options)) {
    const path = pathTo(value, chosen);
    if (path !== undefined) return [Array.isArray(options) ? Number(key) : key, ...path];
  }
  return undefined;
}

/** An error of a file, say, that tells where in the scenario it was named. */
function inPlace(error: InputError, place: string): InputError {
  // What stands within another has its place already.
  if (error.place.startsWith(place)) return error;
  return new InputError(`${place}: ${error.place}`, error.problem, error.hint);
}

/** What every plugin goes through when it is made. */
type Made = <K extends PluginKind>(
  kind: K,
  made: PluginKinds[K],
  chosen: PluginChoice,
  part: string,
  place: string,
) => PluginKinds[K];

/** Faults may have a hand in some. */
type Open = <K extends PluginKind>(kind: K, made: PluginKinds[K], use: string, part: string) => PluginKinds[K];

function openTo({ tampering }: Stage): Open {
  return (kind, made, use, part) =>
    tampering === undefined || kind !== 'predictor'
      ? made
      : (tampering.open(made as PluginKinds['predictor'], use, part) as typeof made);
}

function makePipeline(
  spec: PipelineSpec,
  index: number,
  { scenario, file }: RunInputs,
  make: Make,
  sources: readonly (readonly [string, Source])[],
  view: World,
  report: (part: string, what: string) => void,
): Pipeline {
  const place = `${file} pipelines[${index}]`;
  const part = `pipelines/${spec.name}`;
  const wanted = spec.source === undefined ? undefined : [spec.source].flat();
  const axis: Axis = spec.axis;
  return new Pipeline(
    {
      name: spec.name,
      axis,
      level: spec.level ?? scenario.level,
      sources: sources.filter(([name]) => wanted?.includes(name) ?? true).map(([, source]) => source),
      filtersFor: source =>
        spec.filters.map((chosen, i) =>
          make('filter', chosen, `${place}.filters[${i}]`, `${part}/filter-${i}/${source}`),
        ),
      combiner: spec.combiner && make('combiner', spec.combiner, `${place}.combiner`, `${part}/combiner`),
      predictor: make('predictor', spec.predictor, `${place}.predictor`, `${part}/predictor`),
      corrector: make('corrector', spec.corrector, `${place}.corrector`, `${part}/corrector`),
      timekeeper: make('timekeeper', spec.timekeeper, `${place}.timekeeper`, `${part}/timekeeper`),
      supervisors: spec.supervisors.map((chosen, i) =>
        make('supervisor', chosen, `${place}.supervisors[${i}]`, `${part}/supervisor-${i}`),
      ),
      predictEvery: spec.predictEvery,
      deadline: spec.deadline,
      datasetCorrector:
        spec.datasetCorrector &&
        make('dataset-corrector', spec.datasetCorrector, `${place}.datasetCorrector`, `${part}/dataset-corrector`),
      context: spec.context,
      phases: spec.phases && {
        warmUp: spec.phases.warmUp,
        serve: make('predictor', spec.phases.serve, `${place}.phases.serve`, `${part}/serve`),
      },
      wall:
        spec.discipline &&
        new SteeredWall(
          `${spec.name}${WALL}`,
          spec.level ?? scenario.level,
          make('discipline', spec.discipline, `${place}.discipline`, `${part}/discipline`),
        ),
      report: what => report(part, what),
    },
    view,
  );
}

function stageFor(inputs: RunInputs, make: Make, keeper: Keeper): Stage {
  const { world } = inputs.scenario;
  switch (world.kind) {
    case 'simulated':
      return simulatedStage(inputs, world, make);
    case 'replayed':
      return replayedStage(inputs);
    case 'real':
      return realStage(inputs, world, make, keeper);
  }
}

/** A simulated world with what goes wrong in it, ready to be driven. */
export interface ReadyWorld {
  readonly world: SimulatedWorld;
  readonly faults: number;
  /** Puts what goes wrong on the timeline. */
  strike(report: (part: string, what: string) => void): void;
}

/**
 * A scenario's simulated world without anybody in it, for programs that are to meet its servers. `epoch` is the Unix
 * second at which its time begins, and its servers' clocks are `ahead` besides, seconds.
 */
export function emptyWorld({ scenario, file }: RunInputs, epoch: number, ahead: number): ReadyWorld {
  const { world } = scenario;
  if (world.kind !== 'simulated') {
    throw new InputError(`${file} world`, `expected a simulated world, found a ${world.kind} one`);
  }
  const make = maker(
    new Container(),
    scenario.seed,
    undefined,
    dirname(file),
    () => {},
    (_kind, made) => made,
  );
  return readyWorld({ scenario, file }, world, make, epoch, ahead);
}

function readyWorld(
  { scenario, file }: RunInputs,
  spec: WorldSpec & { kind: 'simulated' },
  make: Make,
  epoch = Math.floor(Date.parse(scenario.epoch) / 1000),
  ahead = 0,
): ReadyWorld {
  const model = make('clock', spec.clock, `${file} world.clock`, 'clock');
  if (model.world !== 'simulated') {
    throw new InputError(`${file} world.clock`, `'${spec.clock.use}' is a real clock: a simulated world needs a model`);
  }
  const servers = spec.servers.map((server, index) => {
    const options = serverOptions(server, index, file, make);
    return ahead === 0 ? options : { ...options, timeError: options.timeError + ahead };
  });
  const world = new SimulatedWorld(scenario.seed, epoch, model, servers);
  // Named by what they are and when they strike, so that one more fault in the list leaves the others' draws alone.
  const namesakes = new Map<string, number>();
  const faults = spec.faults.map((entry, index) => {
    const name = `faults/${entry.fault.use}@${entry.at}`;
    const earlier = namesakes.get(name) ?? 0;
    namesakes.set(name, earlier + 1);
    const part = earlier === 0 ? name : `${name}#${earlier}`;
    return { entry, part, fault: make('fault', entry.fault, `${file} world.faults[${index}]`, part) };
  });
  return {
    world,
    faults: faults.length,
    strike: report => {
      for (const { entry, part, fault } of faults) {
        world.strike(fault, entry, part, what => report(entry.fault.use, what));
      }
    },
  };
}

function simulatedStage(inputs: RunInputs, spec: WorldSpec & { kind: 'simulated' }, make: Make): Stage {
  const { scenario } = inputs;
  const { world, faults, strike } = readyWorld(inputs, spec, make);
  return {
    view: world.view,
    servers: world.network.names,
    start: 0,
    end: scenario.duration ?? 0,
    known: world.clock,
    reference: 'truth',
    now: () => world.truth.time,
    readAt: t => world.clock.sampleAt(t)?.reading ?? world.clock.read(),
    truthNow: () => {
      const now = world.clock.sampleAt(world.truth.time);
      return now && { wall: now.wallError, counter: now.counterError };
    },
    onAdvance: listener => void world.truth.onAdvance(listener),
    run: control => world.truth.run(scenario.duration ?? 0, control),
    stop: () => world.truth.stop(),
    playback: undefined,
    ...(faults > 0 && { tampering: world.tampering }),
    strike,
  };
}

function modelOf(clock: ClockPlugin, place: string): ClockModel {
  if (clock.world === 'simulated') return clock;
  throw new InputError(`${place}.clock`, 'is a real clock: a simulated server needs a model');
}

function serverOptions(spec: ServerSpec, index: number, file: string, make: Make): SimulatedServerOptions {
  const place = `${file} world.servers[${index}]`;
  const way = (direction: 'out' | 'back'): PathModel => {
    const own = spec[direction];
    const jitter = own.jitter ?? spec.jitter;
    const loss = own.loss ?? spec.loss;
    return {
      delay: own.delay ?? spec.delay,
      loss:
        typeof loss === 'number' ? loss : make('loss', loss, `${place}.loss`, `network/${spec.name}/${direction}/loss`),
      jitter: jitter && make('delay', jitter, `${place}.jitter`, `network/${spec.name}/${direction}`),
    };
  };
  const { name, timeError, frequencyError, processing, leap, stratum, rootDelay, rootDispersion, referenceId } = spec;
  return {
    name,
    out: way('out'),
    back: way('back'),
    timeError,
    frequencyError,
    clock: spec.clock && modelOf(make('clock', spec.clock, `${place}.clock`, `servers/${name}/clock`), place),
    processing,
    behaviour: make('server', spec.behaviour, `${place}.behaviour`, `servers/${name}/behaviour`),
    lookUp: spec.lookUp,
    smear: spec.smear,
    state: {
      leap,
      stratum,
      precision: Math.max(-127, Math.round(Math.log2(spec.precision))),
      rootDelay,
      rootDispersion,
      referenceId: referenceIdOf(referenceId),
    },
  };
}

function replayedStage({ scenario, recording, truth, file }: RunInputs): Stage {
  if (recording === undefined) throw new InputError(file, 'a replayed world needs its recording to be read first');
  const world = new ReplayedWorld(recording, truth, scenario.seed, file);
  const { start } = world;
  const end = scenario.duration === undefined ? world.end : Math.min(world.end, start + scenario.duration);
  const truthful = world.known !== undefined || recording.events.every(event => event.truth !== undefined);
  return {
    view: world.view,
    servers: world.servers,
    start,
    end,
    known: world.known,
    reference: truthful ? 'truth' : 'ntp',
    now: () => world.truth.time,
    readAt: t => world.readAt(t),
    truthNow: () => world.truthOfCurrent,
    onAdvance: listener => void world.truth.onAdvance(listener),
    run: control => world.truth.run(end, control),
    stop: () => world.truth.stop(),
    playback: world.playback,
    strike: () => {},
  };
}

function realStage(
  { scenario, file }: RunInputs,
  spec: WorldSpec & { kind: 'real' },
  make: Make,
  keeper: Keeper,
): Stage {
  const clock = make('clock', spec.clock, `${file} world.clock`, 'clock');
  if (clock.world !== 'real') {
    throw new InputError(`${file} world.clock`, `'${spec.clock.use}' is a model: a real world needs a real clock`);
  }
  const network = make('network', spec.network, `${file} world.network`, 'network').connect(clock);
  keeper.resume(clock);
  const scheduler = new RealtimeScheduler(clock);
  const start = clock.read().counter;
  return {
    view: Object.freeze({
      kind: 'real' as const,
      clock: Object.freeze({ read: (): ClockReading => clock.read() }),
      network,
      scheduler,
      random: () => secureStream,
      epoch: Number(clock.epoch / 1_000_000_000n),
    }),
    servers: [],
    start,
    end: start + (scenario.duration ?? Number.POSITIVE_INFINITY),
    known: undefined,
    reference: 'ntp',
    clock: clock.description,
    machine: clock,
    counterOrigin: clock.counterOrigin,
    now: () => scheduler.time,
    readAt: counter => {
      const now = clock.read();
      return { counter, wall: counter + now.wall - now.counter };
    },
    truthNow: () => undefined,
    onAdvance: listener => scheduler.onAdvance(listener),
    advance: () => scheduler.advance(),
    run: control => scheduler.run(start + (scenario.duration ?? Number.POSITIVE_INFINITY), control),
    stop: () => scheduler.stop(),
    playback: undefined,
    strike: () => {},
  };
}

/** Real randomness: nonces must not be guessed. */
const secureStream = {
  uint32: (): number => crypto.getRandomValues(new Uint32Array(1))[0]!,
  uniform: (): number => secureStream.uint32() / 4294967296,
  exponential: (): number => -Math.log(1 - secureStream.uniform()),
  normal: (): number =>
    Math.sqrt(-2 * Math.log(1 - secureStream.uniform())) * Math.cos(2 * Math.PI * secureStream.uniform()),
};
