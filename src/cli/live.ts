import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Sink } from '../core/contracts/index.js';
import { InputError } from '../core/errors.js';
import type { LoadedScenario } from '../core/experiment/load-scenario.js';
import { type Demo, startDemo } from './demo.js';
import { expectInternet } from './internet.js';
import { type AskingOptions, liveSource, seconds } from './live-source.js';
import { makeSink } from './make-sink.js';
import { namedPipelines, packageRoot } from './pipelines.js';
import { filesOf, openScenario, parseScenario } from './scenario-files.js';
import { keepGoing, type Served, type ServiceOptions } from './service.js';

export interface LiveOptions extends AskingOptions {
  readonly state?: string;
  readonly http?: string | true;
  readonly quiet?: boolean;
  readonly for?: string;
  readonly pipeline?: readonly string[];
  readonly validation?: boolean;
  readonly sink?: readonly string[];
  /** A TCP port, or true for the usual one. */
  readonly dashboard?: string | true;
  readonly out?: string;
  readonly json?: boolean;
  /** The Model Context Protocol is spoken on standard input and output, until the input ends. */
  readonly mcp?: boolean;
  readonly plugin?: readonly string[];
}

/** The public pool's; https://www.ntppool.org asks for no more than four. */
const POOL = ['0.pool.ntp.org', '1.pool.ntp.org', '2.pool.ntp.org', '3.pool.ntp.org'];

/** The first one's verdicts are what the live view shows of a round. */
const PIPELINES = ['default', 'kalman-median', 'offset-only', 'kalman-drift'];
/** ChronoTick's log has the MAD of the servers about their median. */
const VOTING_FIRST = ['kalman-median', 'default', 'offset-only', 'kalman-drift'];

const DEMO_DURATION = 30;

/** Errors are not scored before this, or the first quarter of a short run: the first questions follow quickly. Seconds. */
const WARM_UP = 10;

/** How long something that cannot be called off (a name being looked up) may hold up the end, milliseconds. */
const LINGER = 200;

/** Options that a configuration answers itself. */
const ANSWERED = [
  'server',
  'pipeline',
  'interval',
  'maxInterval',
  'nts',
  'ca',
  'keyFile',
  'key',
  'demo',
  'validation',
  'http',
  'sink',
  'dashboard',
] as const;

/** `escapement live`: pipelines on this machine's clock against real servers. */
export async function live(config: string | undefined, options: LiveOptions): Promise<void> {
  try {
    await (config === undefined ? byOptions(options) : configured(config, options));
  } finally {
    setTimeout(() => process.exit(), LINGER).unref();
  }
}

/** A configuration is a scenario in the real world. */
async function configured(file: string, options: LiveOptions): Promise<void> {
  const other = ANSWERED.find(name => options[name] !== undefined);
  if (other !== undefined)
    throw new InputError(
      `--${other.replace(/[A-Z]/g, c => `-${c.toLowerCase()}`)}`,
      `${file} says that`,
      'leave out one of the two',
    );
  const asked = options.for === undefined ? undefined : seconds('--for', options.for);
  const load = async (): Promise<LoadedScenario> => {
    const loaded = await openScenario(file, options.plugin);
    const { scenario } = loaded;
    if (scenario.world.kind !== 'real') {
      throw new InputError(
        `${file} world.kind`,
        `expected real, found ${scenario.world.kind}`,
        `escapement run ${file}`,
      );
    }
    return asked === undefined ? loaded : { ...loaded, scenario: { ...scenario, duration: asked } };
  };
  const first = await load();
  ended(await keepGoing(first, { ...serviceOptions(options), configuration: { files: filesOf(file), load } }), options);
}

/** Options of `live` as a service understands them. */
function serviceOptions(options: LiveOptions): ServiceOptions {
  const { json, quiet, out, plugin, state } = options;
  const { STATE_DIRECTORY: folder } = process.env;
  const kept =
    state !== undefined
      ? { state, statePlace: '--state' }
      : folder !== undefined && folder !== ''
        ? { state: join(folder.split(':')[0]!, 'state.json'), statePlace: 'STATE_DIRECTORY' }
        : {};
  return {
    ...(out !== undefined && { out }),
    ...(json !== undefined && { json }),
    ...(plugin !== undefined && { plugin }),
    quiet,
    ...kept,
    ...(quiet && !json && { extraSinks: [makeSink('log', undefined, { rounds: false })] }),
  };
}

/** The exit code, and what is to be said at the end. */
function ended({ summary, endedBy }: Served, { json }: LiveOptions): void {
  if (json) process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
  if (endedBy === 'SIGINT') process.exitCode = 130;
  else if (endedBy === undefined && summary.exchanges.answered === 0) {
    process.stderr.write('escapement: live: no server gave a usable answer\n');
    process.exitCode = 1;
  }
}

/** Where `--http` listens: ADDRESS:PORT, PORT, or what the sink has by itself. */
function httpSink(where: string | true): object {
  if (where === true) return { use: 'http' };
  const match = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d+)$/.exec(where);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) throw new InputError('--http', `expected [ADDRESS:]PORT, found '${where}'`);
  const host = match[1] ?? match[2];
  return { use: 'http', port, ...(host !== undefined && { host }) };
}

async function byOptions(options: LiveOptions): Promise<void> {
  const asked = options.for === undefined ? undefined : seconds('--for', options.for);
  if (options.demo && options.server !== undefined) {
    throw new InputError('--server', 'the demo brings its own servers', 'leave out --server or --demo');
  }
  const servers = options.server ?? POOL;
  // What is wrong with the options is said before anything is started.
  liveSource(servers, options);
  const names = options.pipeline ?? (options.validation ? VOTING_FIRST : PIPELINES);
  const pipelines = await namedPipelines(names, options.plugin);
  const http = httpOf(options);
  if (!options.demo && options.server === undefined) await expectInternet();

  const demo = options.demo ? await startDemo() : undefined;
  try {
    const duration = asked ?? (demo && !options.mcp ? DEMO_DURATION : undefined);
    await watch(
      options,
      {
        source: { ...liveSource(servers, options), ...(demo && { servers: demo.servers }) },
        pipelines,
        duration,
        http,
      },
      demo,
    );
  } finally {
    demo?.close();
  }
}

async function watch(
  options: LiveOptions,
  run: {
    readonly source: object;
    readonly pipelines: readonly unknown[];
    readonly duration: number | undefined;
    readonly http: object | undefined;
  },
  demo: Demo | undefined,
): Promise<void> {
  const { source, pipelines, duration, http } = run;
  const { json, mcp } = options;
  const before = [...viewOf(options), ...(http === undefined ? [] : [http])];
  const text = stringify({
    name: demo === undefined ? 'live' : 'live-demo',
    ...(duration !== undefined && { duration }),
    warmup: Math.min(WARM_UP, (duration ?? Number.POSITIVE_INFINITY) / 4),
    world: { kind: 'real' },
    sources: { ntp: source },
    pipelines,
    sinks: [...before, ...(options.sink ?? []).map(sinkOf), ...(mcp ? [{ use: 'mcp', transport: 'stdio' }] : [])],
  });
  const loaded = await parseScenario(text, 'live', options.plugin).catch(error => {
    throw bySink(error, before.length, options.sink ?? []);
  });
  // Where standard output is one JSON document or a protocol's, the demo's servers are told on the other.
  const people = json || mcp ? process.stderr : process.stdout;
  if (demo !== undefined) people.write(`${demo.description}\n`);
  const service = serviceOptions(options);
  const served = await keepGoing(loaded, {
    ...service,
    extraSinks: [
      ...(service.extraSinks ?? []),
      ...(demo === undefined ? [] : [demo.judge]),
      ...(options.dashboard === undefined ? [] : [announcer(options.validation ? process.stderr : people)]),
    ],
  });
  if (mcp) return;
  if (!json && demo !== undefined && demo.judge.lines.length > 0) {
    process.stdout.write(`Against the time that the demo simulates:\n${demo.judge.lines.join('\n')}\n`);
  }
  ended(served, options);
}

/** What shows the run as it goes. A sink that prints is left out where standard output is one JSON document. */
function viewOf({ json, quiet, validation, mcp }: LiveOptions): readonly object[] {
  if (validation) return [{ use: 'validation-csv' }];
  if (json || quiet) return [];
  return [{ use: 'log', ...(mcp && { to: 'stderr' }) }];
}

/** The HTTP server that was asked for, with the dashboard's page or without it. */
function httpOf({ http, dashboard }: LiveOptions): object | undefined {
  const sink = http === undefined ? undefined : httpSink(http);
  if (dashboard === undefined) return sink;
  const page = join(packageRoot(), 'dist', 'web', 'dashboard.html');
  const port = dashboard === true ? undefined : Number(dashboard);
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port < 65536)) {
    throw new InputError('--dashboard', `expected a port from 0 to 65535, found '${String(dashboard)}'`);
  }
  if (port !== undefined && sink !== undefined) {
    throw new InputError(
      '--dashboard',
      'has no port of its own beside --http',
      '--dashboard alone serves its page there',
    );
  }
  return { use: 'http', ...sink, ...(port !== undefined && { port }), page };
}

/** Says where the page is once its server listens: the port may have been left to the system. */
function announcer(stream: NodeJS.WriteStream): Sink {
  return {
    event: ({ what }) => {
      const url = /^listens on (http:\S+)$/.exec(what)?.[1];
      if (url !== undefined) stream.write(`Dashboard: ${url}/\n`);
    },
  };
}

/** What is wrong with a sink, in the words of the option instead of a place in a scenario that nobody has seen. */
function bySink(error: unknown, first: number, sinks: readonly string[]): unknown {
  if (!(error instanceof InputError)) return error;
  const [, index, inner] = /^live:\d+ sinks\[(\d+)\]\.?(.*)$/.exec(error.place) ?? [];
  const given = sinks[Number(index) - first];
  if (given === undefined) return error;
  const problem = inner === '' || inner === 'use' ? error.problem : `${inner}: ${error.problem}`;
  return new InputError(`--sink ${given}`, problem, error.hint);
}

/** A sink by its name, or as a scenario has it: NAME, or { use: NAME, … }. */
function sinkOf(text: string): unknown {
  const wanted = `expected the name of a sink, or YAML such as '{ use: ntp-server, port: 1123 }', found '${text}'`;
  let sink: unknown;
  try {
    sink = parse(text);
  } catch {
    throw new InputError('--sink', wanted);
  }
  const named = typeof sink === 'string' || (typeof sink === 'object' && sink !== null && 'use' in sink);
  if (!named) throw new InputError('--sink', wanted);
  return sink;
}
