import { stringify } from 'yaml';
import { InputError } from '../core/errors.js';
import { type Demo, startDemo } from './demo.js';
import { expectInternet } from './internet.js';
import { type AskingOptions, liveSource, seconds } from './live-source.js';
import { namedPipelines } from './pipelines.js';
import { execute } from './run.js';
import { parseScenario } from './scenario-files.js';

export interface LiveOptions extends AskingOptions {
  readonly for?: string;
  readonly pipeline?: readonly string[];
  readonly validation?: boolean;
  readonly out?: string;
  readonly json?: boolean;
  readonly plugin?: readonly string[];
}

/** The public pool's; https://www.ntppool.org asks for no more than four. */
const POOL = ['0.pool.ntp.org', '1.pool.ntp.org', '2.pool.ntp.org', '3.pool.ntp.org'];

/** The first one's verdicts are what the live view shows of a round. */
const PIPELINES = ['kalman-median', 'offset-only', 'kalman-drift'];

const DEMO_DURATION = 30;

/** Errors are not scored before this, or the first quarter of a short run: the first questions follow quickly. Seconds. */
const WARM_UP = 10;

/** How long something that cannot be called off (a name being looked up) may hold up the end, milliseconds. */
const LINGER = 200;

/** `escapement live`: pipelines on this machine's clock against real servers. Nothing is ever set. */
export async function live(options: LiveOptions): Promise<void> {
  const asked = options.for === undefined ? undefined : seconds('--for', options.for);
  if (options.demo && options.server !== undefined) {
    throw new InputError('--server', 'the demo brings its own servers', 'leave out --server or --demo');
  }
  const servers = options.server ?? POOL;
  // What is wrong with the options is said before anything is started.
  liveSource(servers, options);
  const names = options.pipeline === undefined ? PIPELINES : options.pipeline;
  const pipelines = await namedPipelines(names, options.plugin);
  if (!options.demo && options.server === undefined) await expectInternet();

  const demo = options.demo ? await startDemo() : undefined;
  try {
    const duration = asked ?? (demo && DEMO_DURATION);
    await watch(options, { source: liveSource(demo?.servers ?? servers, options), pipelines, duration }, demo);
  } finally {
    demo?.close();
    setTimeout(() => process.exit(), LINGER).unref();
  }
}

async function watch(
  options: LiveOptions,
  run: {
    readonly source: object;
    readonly pipelines: readonly unknown[];
    readonly duration: number | undefined;
  },
  demo: Demo | undefined,
): Promise<void> {
  const { source, pipelines, duration } = run;
  const { json } = options;
  const text = stringify({
    name: demo === undefined ? 'live' : 'live-demo',
    ...(duration !== undefined && { duration }),
    warmup: Math.min(WARM_UP, (duration ?? Number.POSITIVE_INFINITY) / 4),
    world: { kind: 'real' },
    sources: { ntp: source },
    pipelines,
    sinks: viewOf(options, demo),
  });
  // Where standard output is one JSON document, the demo's servers are told on the other.
  if (demo !== undefined) (json ? process.stderr : process.stdout).write(`${demo.description}\n`);
  const summary = await execute(await parseScenario(text, 'live', options.plugin), {
    ...options,
    ...(demo && { extraSinks: [demo.judge] }),
  });
  if (json) process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
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
function viewOf({ json, validation }: LiveOptions, demo: Demo | undefined): readonly object[] {
  if (validation) return [{ use: 'validation-csv' }];
  return json ? [] : [{ use: 'log', ...(demo && { names: demo.names }) }];
}
