import { parse, stringify } from 'yaml';
import { InputError } from '../core/errors.js';
import { isLoopback, parseServer } from '../core/ntp/server-address.js';
import { formatDuration, parseQuantity } from '../core/quantity.js';
import { type Demo, startDemo } from './demo.js';
import { expectInternet } from './internet.js';
import { namedPipelines } from './pipelines.js';
import { execute } from './run.js';
import { parseScenario } from './scenario-files.js';

export interface LiveOptions {
  readonly server?: readonly string[];
  readonly for?: string;
  readonly pipeline?: readonly string[];
  readonly interval?: string;
  readonly sink?: readonly string[];
  readonly demo?: boolean;
  readonly validation?: boolean;
  readonly out?: string;
  readonly json?: boolean;
  /** The Model Context Protocol is spoken on standard input and output, until the input ends. */
  readonly mcp?: boolean;
  readonly plugin?: readonly string[];
}

/** The public pool's; https://www.ntppool.org asks for no more than four. */
const POOL = ['0.pool.ntp.org', '1.pool.ntp.org', '2.pool.ntp.org', '3.pool.ntp.org'];

/** The first one's verdicts are what the live view shows of a round. */
const PIPELINES = ['kalman-median', 'offset-only', 'kalman-drift'];

/** Shortest interval for servers that are not on this machine, seconds: NTP's usual shortest (2⁶, RFC 5905's MINPOLL 6). */
const SHORTEST = 64;
const DEMO_INTERVAL = 1;
const DEMO_DURATION = 30;

/** Errors are not scored before this, or the first quarter of a short run: the first questions follow quickly. Seconds. */
const WARM_UP = 10;

/** How long something that cannot be called off (a name being looked up) may hold up the end, milliseconds. */
const LINGER = 200;

/** `escapement live`: pipelines on this machine's clock against real servers. Nothing is ever set. */
export async function live(options: LiveOptions): Promise<void> {
  const asked = options.for === undefined ? undefined : seconds('--for', options.for);
  const given = options.interval === undefined ? undefined : seconds('--interval', options.interval);
  if (options.demo && options.server !== undefined) {
    throw new InputError('--server', 'the demo brings its own servers', 'leave out --server or --demo');
  }
  const servers = options.server ?? POOL;
  const interval = given ?? (options.demo ? DEMO_INTERVAL : SHORTEST);
  if (!options.demo) checkEtiquette(servers, interval);
  const names = options.pipeline === undefined ? PIPELINES : options.pipeline;
  const pipelines = await namedPipelines(names, options.plugin);
  if (!options.demo && options.server === undefined) await expectInternet();

  const demo = options.demo ? await startDemo() : undefined;
  try {
    const duration = asked ?? (demo && !options.mcp ? DEMO_DURATION : undefined);
    await watch(options, { servers: demo?.servers ?? servers, interval, pipelines, duration }, demo);
  } finally {
    demo?.close();
    setTimeout(() => process.exit(), LINGER).unref();
  }
}

async function watch(
  options: LiveOptions,
  run: {
    readonly servers: readonly string[];
    readonly interval: number;
    readonly pipelines: readonly unknown[];
    readonly duration: number | undefined;
  },
  demo: Demo | undefined,
): Promise<void> {
  const { servers, interval, pipelines, duration } = run;
  const { json, mcp } = options;
  const sinks = [...(options.sink ?? []).map(sinkOf), ...(mcp ? [{ use: 'mcp', transport: 'stdio' }] : [])];
  const text = stringify({
    name: demo === undefined ? 'live' : 'live-demo',
    ...(duration !== undefined && { duration }),
    warmup: Math.min(WARM_UP, (duration ?? Number.POSITIVE_INFINITY) / 4),
    world: { kind: 'real' },
    sources: { ntp: { use: 'ntp', servers, poller: { use: 'fixed', interval } } },
    pipelines,
    sinks: [...viewOf(options, demo), ...sinks],
  });
  // Where standard output is one JSON document or a protocol's, the demo's servers are told on the other.
  if (demo !== undefined) (json || mcp ? process.stderr : process.stdout).write(`${demo.description}\n`);
  const summary = await execute(await parseScenario(text, 'live', options.plugin), {
    ...options,
    ...(demo && { extraSinks: [demo.judge] }),
  });
  if (json) process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
  else if (mcp) return;
  else if (demo !== undefined && demo.judge.lines.length > 0) {
    process.stdout.write(`Against the time that the demo simulates:\n${demo.judge.lines.join('\n')}\n`);
  }
  if (summary.interrupted) process.exitCode = 130;
  else if (summary.exchanges.answered === 0) {
    process.stderr.write('escapement: live: no server gave a usable answer\n');
    process.exitCode = 1;
  }
}

/** What shows the run as it goes. A sink that prints is left out where standard output is one JSON document. */
function viewOf({ json, mcp, validation }: LiveOptions, demo: Demo | undefined): readonly object[] {
  if (validation) return [{ use: 'validation-csv' }];
  return json ? [] : [{ use: 'log', ...(demo && { names: demo.names }), ...(mcp && { to: 'stderr' }) }];
}

function seconds(option: string, value: string): number {
  const parsed = parseQuantity(value, 'time');
  if (typeof parsed === 'string') throw new InputError(option, parsed);
  if (!(parsed > 0)) throw new InputError(option, `expected more than 0 s, found ${value}`);
  return parsed;
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

function checkEtiquette(servers: readonly string[], interval: number): void {
  const hosts = servers.map(server => ({ server, ...parseServer(server, `--server ${server}`) }));
  const foreign = hosts.find(({ host }) => !isLoopback(host));
  if (interval < SHORTEST && foreign !== undefined) {
    throw new InputError(
      '--interval',
      `expected at least ${SHORTEST} s, found ${formatDuration(interval)}: ${foreign.server} is not on this machine`,
      'public servers are shared; shorter intervals are for servers on loopback',
    );
  }
}
