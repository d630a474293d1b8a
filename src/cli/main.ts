import { Command } from 'commander';
import { version } from '../../package.json';
import { InputError } from '../core/errors.js';

/** Exit codes: 0 done, 1 an expectation is broken, 2 bad input. */
const BAD_INPUT = 2;

const program = new Command('escapement')
  .description('A workbench and a runtime for clock correction.')
  .version(version)
  .showHelpAfterError('(escapement --help says what there is)')
  .exitOverride();

const plugins = ['--plugin <module...>', 'load plugins from files (TypeScript or JavaScript) or packages'] as const;

program
  .command('run')
  .description('run scenarios and print how every pipeline did')
  .argument('<scenario...>', 'scenario files (YAML)')
  .option('--seed <seed>', "another seed than the scenario's")
  .option('--out <dir>', 'write measurements, samples, estimates, summary and manifest to this folder')
  .option('--json', 'one JSON document on standard output, and nothing else there')
  .option('--report', "show the run as a page: report.html in the run's folder (runs/NAME without --out)")
  .option('--watch', 'run again whenever a scenario or a plugin file changes')
  .option(
    '--chaos [runs]',
    'with random faults besides, so many times (20): report every timeline that breaks something',
  )
  .option('--shrink', 'with --chaos: reduce each such timeline to a smallest one that still breaks it')
  .option(...plugins)
  .action(async (files: string[], options) => {
    if (options.watch) await (await import('./watch.js')).watch(files, options.plugin ?? []);
    else if (options.chaos === undefined) await (await import('./run.js')).run(files, options);
    else await (await import('./chaos.js')).chaos(files, options);
  });

program
  .command('replay')
  .description('play a recording to pipelines: what they would have made of it')
  .argument('<trace>', "a file (gzipped or not), a run's folder, or any other folder with measurements.csv[.gz] in it")
  .option('--truth <file>', "the local clock's error: t_true_s, free_running_error_s (found beside: truth.csv[.gz])")
  .option('--pipeline <name...>', 'shipped pipelines by name, or files with pipelines or a scenario (YAML)')
  .option('--format <name>', 'how to read it, where that is not recognised (escapement plugins format)')
  .option('--warmup <duration>', 'score nothing before this, e.g. 20 min')
  .option('--seed <seed>', 'for plugins that draw random numbers')
  .option('--out <dir>', 'write measurements, samples, estimates, summary and manifest to this folder')
  .option('--json', 'one JSON document on standard output, and nothing else there')
  .option(...plugins)
  .action(async (trace: string, options) => (await import('./replay.js')).replay(trace, options));

program
  .command('compare')
  .description('compare pipelines: how far apart they are, and how sure that is')
  .argument('<input...>', 'scenarios (YAML), recordings, or folders of finished runs, also from different machines')
  .option('--baseline <name>', 'a pipeline to compare with besides the bare clock; INPUT/NAME where there are several')
  .option('--seeds <count>', 'how many seeds of a scenario, from its own on', undefined)
  .option('--pipeline <name...>', 'for recordings: shipped pipelines by name, or files with pipelines (YAML)')
  .option('--warmup <duration>', 'for recordings: score nothing before this, e.g. 20 min')
  .option('--level <level>', 'probability of the intervals', '0.95')
  .option('--json', 'one JSON document on standard output, and nothing else there')
  .option(...plugins)
  .action(async (inputs: string[], options) => (await import('./compare.js')).compare(inputs, options));

program
  .command('report')
  .description('show finished runs: one self-contained page, or its charts as pictures')
  .argument('<run-dir...>', 'folders of finished runs (run, replay or live with --out DIR)')
  .option('--format <format>', 'html, svg or png', 'html')
  .option('--out <path>', "the page's file, or the pictures' folder; left out: in the run's folder")
  .option('--chart <name...>', 'only these pictures: error, error-panels, distribution, cdf, adev, tdev, mtie, …')
  .option('--theme <theme>', 'light (unless told otherwise) or dark, for pictures; the page has both')
  .option('--utc', 'time of day instead of time in the run, for pictures; the page has both')
  .action(async (folders: string[], options) => (await import('./report.js')).report(folders, options));

program
  .command('live')
  .description("run pipelines on this machine's clock against NTP servers, as a service if you like")
  .argument('[config]', 'a scenario in the real world (YAML) instead of the options; read again when it changes')
  .option('--server <server...>', 'HOST[:PORT] of servers to ask; left out: four of pool.ntp.org')
  .option('--for <duration>', 'how long, e.g. 10 min; left out: until Ctrl-C')
  .option('--pipeline <name|file...>', 'pipelines to run; left out: default, kalman-median, offset-only, kalman-drift')
  .option('--interval <duration>', 'from question to question, always; the shortest is 64 s, but on loopback')
  .option(
    '--max-interval <duration>',
    'asks less often, up to this, while the clock is steady; left out: 64 s to 1024 s',
  )
  .option('--nts', 'the servers prove themselves by Network Time Security (RFC 8915)')
  .option('--ca <file>', 'with --nts: the authorities to trust (PEM); left out: those that Node trusts')
  .option('--key-file <file>', "symmetric keys in chrony's or ntpd's format")
  .option('--key <number>', 'the key of --key-file that the servers prove themselves by')
  .option('--http [[address:]port]', 'serve the time over HTTP; left out: not, without a port: 127.0.0.1:8623')
  .option('--state <file>', 'keep what is learned here, and go on from it')
  .option('--quiet', 'print events only')
  .option(
    '--sink <name|yaml...>',
    "who is told: sinks (escapement plugins sink), e.g. '{ use: ntp-server, port: 1123 }'",
  )
  .option('--dashboard [port]', 'serve a page that shows the run as it goes, on loopback (port 8623)')
  .option('--demo', 'start NTP servers on loopback, one of which lies, and ask them for half a minute')
  .option('--validation', "ChronoTick's log lines instead of ours and, with --out, its V3 rows")
  .option('--out <dir>', 'write measurements, samples, estimates, summary and manifest to this folder')
  .option('--json', 'one JSON document on standard output, and nothing else there')
  .option(...plugins)
  .action(async (config: string | undefined, options) => (await import('./live.js')).live(config, options));

program
  .command('dataset')
  .description('draw clocks and paths from the simulator and write windows to train a model on')
  .requiredOption('--out <dir>', 'where to')
  .option('--clocks <count>', 'how many clocks, the families in turn', '1200')
  .option('--seed <seed>', 'the same seed and options give the same bytes', '1')
  .option('--families <list>', 'which kinds of clocks and paths; left out: all')
  .option('--polls <range>', 'polling intervals, log-uniform', '16 s..4096 s')
  .option('--turns <range>', 'turns of polling for each clock, log-uniform', '60..800')
  .option('--windows <count>', 'windows of each clock at most, spread over its turns', '80')
  .option('--servers <count>', 'at most so many servers, in the families that have several', '4')
  .option('--randomised <share>', 'share of the clocks on which delays do not bound errors', '0.15')
  .option('--format <name>', 'parquet, or npy for the training script', 'parquet')
  .option('--json', 'one JSON document on standard output, and nothing else there')
  .action(async options => (await import('./dataset.js')).dataset(options));

program
  .command('model')
  .description('check a model and its card, or draft a card for a model made elsewhere')
  .argument('<file>', 'a card (.json), or a model in the ONNX format (.onnx)')
  .option('--like <signature>', 'draft a card as models of this kind have it: chronos-bolt, ttm, n-hits, …')
  .option('--fill', "write into a card what it lacks of the model's SHA-256, opset and golden pair, then check it")
  .option('--out <file>', 'where to write a draft; left out: beside the model')
  .option('--force', 'write a draft over a card that is there already')
  .option('--id <id>', 'what the card calls the model')
  .option('--licence <licence>', "the model's licence, for the card")
  .option('--source <text>', 'where the model comes from, for the card')
  .option('--json', 'one JSON document on standard output, and nothing else there')
  .action(async (file: string, options) => (await import('./model.js')).model(file, options));

program
  .command('mcp')
  .description('tell agents the time, over the Model Context Protocol on standard input and output')
  .option('--server <server...>', 'HOST[:PORT] of servers to ask; left out: four of pool.ntp.org')
  .option('--pipeline <name|file>', 'the pipeline whose time is told; left out: default')
  .option('--interval <duration>', 'from question to question; left out: 64 s, the shortest but on loopback')
  .option('--sink <name|yaml...>', 'others who are told, as of live')
  .option('--demo', 'start NTP servers on loopback, one of which lies, and ask them')
  .option('--out <dir>', 'write measurements, samples, estimates, summary and manifest to this folder')
  .option(...plugins)
  .action(async options =>
    (await import('./live.js')).live(undefined, { ...options, mcp: true, pipeline: [options.pipeline ?? 'default'] }),
  );

program
  .command('serve')
  .description("put a simulated world's servers on UDP ports in real time, for testing other NTP clients")
  .argument('<scenario>', 'scenario file (YAML)')
  .option('--address <address...>', 'where to listen, IPv4 or IPv6: one, or one for each server; left out: 127.0.0.1')
  .option('--port <port>', 'on one address the first one, and one more for each server; left out: free ones')
  .option('--for <duration>', 'how long, e.g. 10 min; left out: until Ctrl-C')
  .option('--with-clock', "the servers part from this machine's clock as from the scenario's")
  .option('--seed <seed>', "another seed than the scenario's")
  .option('--json', 'names and ports as one JSON document on standard output, and nothing else there')
  .option(...plugins)
  .action(async (file: string, options) => (await import('./serve.js')).serve(file, options));

program
  .command('relay')
  .description('forward NTP questions to servers that clients have no route to, each behind a port of its own')
  .requiredOption('--upstream <server...>', 'HOST[:PORT] of servers')
  .option('--address <address...>', 'where to listen, IPv4 or IPv6: one, or one for each server; left out: 127.0.0.1')
  .option('--port <port>', 'on one address the first one, and one more for each server; left out: free ones')
  .option('--for <duration>', 'how long, e.g. 10 min; left out: until Ctrl-C')
  .option('--every <duration>', 'mean interval between questions of one client that are passed on', '1 s')
  .option('--burst <count>', 'questions of one client that may come at once', '16')
  .option('--delay <time>', 'fault: more delay each way')
  .option('--jitter <time>', 'fault: mean of a random delay each way, exponential')
  .option('--asymmetry <time>', 'fault: more delay on the way back; negative: on the way there')
  .option('--loss <probability>', 'fault: of losing a packet, each way, e.g. 5 %')
  .option('--duplication <probability>', 'fault: of an answer that comes twice')
  .option('--late <probability>', 'fault: of an answer that comes when its client asks again')
  .option('--seed <seed>', 'for what is drawn')
  .option('--json', 'upstreams and ports as one JSON document on standard output, and nothing else there')
  .action(async options => (await import('./relay.js')).relay(options));

program
  .command('validate')
  .description('check scenarios without running them')
  .argument('<scenario...>', 'scenario files (YAML)')
  .option('--json', 'one JSON document on standard output, and nothing else there')
  .option(...plugins)
  .action(async (files: string[], options) => (await import('./validate.js')).validate(files, options));

program
  .command('plugins')
  .description('list the plugins, or those of one kind with their options')
  .argument('[kind]', 'clock, source, filter, combiner, predictor, corrector, timekeeper, …')
  .option('--json', 'one JSON document on standard output, and nothing else there')
  .option(...plugins)
  .action(async (kind: string | undefined, options) => (await import('./plugins.js')).plugins(kind, options));

program
  .command('schema')
  .description('print the JSON Schema of scenarios, for editors')
  .option('--out <file>', 'write it to a file instead')
  .option('--markdown', 'the scenario reference for people instead')
  .option(...plugins)
  .action(async options => (await import('./schema.js')).schema(options));

program
  .command('stability')
  .description('Allan deviation and its kin of a series in a file')
  .argument('<file>', 'CSV, or one number a line')
  .option('--phase', 'the file holds time errors in seconds')
  .option('--frequency', 'the file holds fractional frequencies')
  .option('--rate <rate>', 'samples per second', '1')
  .option('--column <column>', 'name of the column, or its number from 1')
  .option('--scale <factor>', 'multiplies every value, e.g. 1e-9 for nanoseconds')
  .option('--estimators <list>', 'adev,oadev,mdev,tdev,hdev,ohdev,totdev,tie,mtie; left out: all')
  .option('--factors <list>', 'averaging factors: octave, decade, all or a list such as 1,10,100', 'octave')
  .option('--level <level>', 'probability of the confidence interval; left out: one sigma, 0.683')
  .option('--json', 'one JSON document on standard output, and nothing else there')
  .action(async (file: string, options) => (await import('./stability.js')).stability(file, options));

// Whoever reads standard output has had enough (head, grep -m): that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.off('exit', forsaken);
  process.exit();
});

// Nothing is left to happen, and the command has not come to its end: only a promise that nobody keeps does that.
const forsaken = (): void => {
  process.stderr.write('escapement: the run waits for an answer that never comes: a plugin has left a promise open\n');
  process.exitCode = BAD_INPUT;
};
process.once('exit', forsaken);
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
} finally {
  process.off('exit', forsaken);
}

function report(error: unknown): number {
  if (error instanceof InputError) {
    process.stderr.write(`escapement: ${error.message}\n`);
    return BAD_INPUT;
  }
  if (error instanceof Error && 'exitCode' in error && 'code' in error && String(error.code).startsWith('commander.')) {
    return error.exitCode === 0 ? 0 : BAD_INPUT;
  }
  if (error instanceof Error && 'code' in error && 'syscall' in error) {
    process.stderr.write(`escapement: ${error.message}\n`);
    return BAD_INPUT;
  }
  throw error;
}
