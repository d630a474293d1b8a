// npm run bench:methods -- [--only SCENARIO …] [--shared DIR] [--json]: every method of the design documents, as
// bench/methods.yaml has it, on the shipped scenarios (mean |error| against true time) and, where they are, on the
// recordings beside the repository: mean |error| against NTP on traces/, RMS over chronyd's own estimate on peer/.
// Prints the tables of docs/methods.md.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { stringify } from 'yaml';
import {
  formatTime,
  namedPipelines,
  openScenario,
  openTrace,
  parseScenario,
  runScenario,
  sourcesOf,
} from '../dist/bench.js';
import { parsed } from './options.js';

const { values } = parsed({
  options: {
    only: { type: 'string', multiple: true },
    shared: { type: 'string' },
    json: { type: 'boolean' },
  },
});
const root = fileURLToPath(new URL('..', import.meta.url));
const shared = values.shared ?? join(root, '..', 'shared');

/** The shipped scenarios; of those that extend another only what differs in its world is of interest. */
const SCENARIOS = [
  'feedback-canary',
  'near-perfect-clock',
  'quiet-lan',
  'wan-jitter',
  'jump-and-drift',
  'falsetickers',
  'outage-holdover',
  'v2-vs-fix1-vs-fix2',
  'offset-versus-true-time',
  'already-disciplined-host',
  'drift-aware-25min',
  'drift-aware-8h',
  'drift-aware-noisy-ntp',
];
const DATASET_CORRECTORS = [
  'none',
  'linear',
  'drift-aware',
  'drift-aware-weighted',
  'advanced',
  'advanced-normalised',
  'advance-absolute',
  'advance-absolute-line',
  'backtracking',
  'backtracking-line',
];
/** Sources of the methods that ask on their own. */
const OWN_SOURCES = {
  sets: { use: 'ntp', poller: { use: 'multi-sample', interval: '64 s', samples: 3, spacing: '2 s' } },
  retries: { use: 'ntp', poller: { use: 'retry', poller: { use: 'fixed', interval: '64 s' } } },
};

const methods = await namedPipelines([join(root, 'bench', 'methods.yaml')]);
const retrospective = DATASET_CORRECTORS.map(use => ({
  name: use,
  combiner: 'median',
  predictor: 'linear-regression',
  predictEvery: '5 s',
  corrector: 'none',
  datasetCorrector: use,
}));

/** What a method is told of by the scenario's own sources; those that ask on their own have their own. */
function listening(pipelines, sources) {
  return pipelines.map(pipeline => (pipeline.source === undefined ? { ...pipeline, source: sources } : pipeline));
}

async function onScenario(name) {
  const file = join(root, 'scenarios', `${name}.yaml`);
  const { scenario } = await openScenario(file);
  const { $schema, extends: _, expectations, pipelines, ...world } = scenario;
  const sources = sourcesOf(scenario);
  const own = Object.keys(sources);
  const run = async chosen => {
    const text = stringify({
      ...world,
      sampling: { interval: '10 s' },
      sources: { ...sources, ...OWN_SOURCES },
      pipelines: listening(chosen, own),
      expectations: [],
    });
    const loaded = await parseScenario(text, file);
    return (await runScenario(loaded)).pipelines;
  };
  return { told: await run(methods), revised: await run(retrospective) };
}

async function onTrace(file) {
  const { recording } = await openTrace({ trace: file });
  const points = recording.events.length;
  const t = recording.events[Math.min(10, Math.floor(points / 4))].event.exchange.arrived.counter;
  const loaded = await parseScenario(
    stringify({
      name: 'trace',
      warmup: Math.max(0, t - 1),
      world: { kind: 'replayed', trace: file },
      pipelines: methods.filter(({ source }) => source === undefined),
    }),
    file,
  );
  return (await runScenario({ ...loaded, recording })).pipelines;
}

async function onPeer(folder) {
  const trace = await openTrace({ trace: folder });
  const warmup = trace.warmup ?? 0;
  const loaded = await parseScenario(
    stringify({
      name: 'peer',
      warmup,
      sampling: { interval: '10 s' },
      world: { kind: 'replayed', trace: trace.file, truth: trace.truthFile },
      pipelines: methods.filter(({ source }) => source === undefined),
    }),
    folder,
  );
  const { recording, truth } = trace;
  const { pipelines } = await runScenario({ ...loaded, recording, truth });
  const [head, ...rows] = gunzipSync(readFileSync(join(folder, 'chrony.csv.gz')))
    .toString()
    .trim()
    .split('\n');
  const names = head.split(',');
  const [time, error] = ['t_true_s', 'chrony_cooked_error_s'].map(column => names.indexOf(column));
  const errors = rows
    .map(row => row.split(',').map(Number))
    .filter(row => row[time] >= warmup && Number.isFinite(row[error]));
  const chronyd = Math.sqrt(errors.reduce((sum, row) => sum + row[error] ** 2, 0) / errors.length);
  return new Map(pipelines.flatMap(({ name, error: own }) => (own === null ? [] : [[name, own.rms / chronyd]])));
}

const maeOf = (pipelines, name) => pipelines.find(one => one.name === name)?.error?.mae ?? null;
const names = ['bare-clock', ...methods.map(({ name }) => name)];
const columns = [];
const revised = [];
for (const name of SCENARIOS.filter(one => values.only === undefined || values.only.includes(one))) {
  const { told, revised: log } = await onScenario(name);
  columns.push({ name, values: names.map(method => maeOf(told, method)) });
  revised.push({
    name,
    values: DATASET_CORRECTORS.map(use => log.find(one => one.name === use).retrospective?.mae ?? null),
  });
}

const recorded = [];
const traces = join(shared, 'traces');
if (values.only === undefined && existsSync(traces)) {
  for (const file of readdirSync(traces).sort()) {
    if (!file.endsWith('.csv') || file.startsWith('internode')) continue;
    const pipelines = await onTrace(join(traces, file));
    recorded.push({ name: file.replace(/_?\d{8}\.csv$/, ''), values: names.map(method => maeOf(pipelines, method)) });
  }
}
const peer = join(shared, 'peer');
let ratios;
if (values.only === undefined && existsSync(peer)) {
  // 5 ms of asymmetry that nobody can see are left out.
  const folders = readdirSync(peer)
    .filter(name => !name.startsWith('wan-asym'))
    .sort();
  const each = [];
  for (const name of folders) each.push(await onPeer(join(peer, name)));
  ratios = names.map(method => {
    const own = each.map(one => one.get(method));
    return own.some(one => one === undefined)
      ? null
      : Math.exp(own.reduce((sum, one) => sum + Math.log(one), 0) / own.length);
  });
}

if (values.json) {
  process.stdout.write(
    `${JSON.stringify({ names, columns, datasetCorrectors: DATASET_CORRECTORS, revised, recorded, ratios }, null, 2)}\n`,
  );
} else {
  const time = value => (value === null ? '–' : formatTime(value));
  const table = (head, rows) => {
    console.log(`| ${head.join(' | ')} |\n|---|${'---:|'.repeat(head.length - 1)}`);
    for (const row of rows) console.log(`| ${row.join(' | ')} |`);
    console.log('');
  };
  const half = Math.ceil(columns.length / 2);
  for (const part of [columns.slice(0, half), columns.slice(half)]) {
    if (part.length === 0) continue;
    table(
      ['mean \\|error\\|', ...part.map(({ name }) => name)],
      names.map((method, i) => [method, ...part.map(column => time(column.values[i]))]),
    );
  }
  table(
    ['the log looked back on', ...revised.map(({ name }) => name)],
    DATASET_CORRECTORS.map((use, i) => [use, ...revised.map(column => time(column.values[i]))]),
  );
  if (recorded.length > 0 || ratios !== undefined) {
    table(
      ['recordings', ...recorded.map(({ name }) => name), ...(ratios === undefined ? [] : ['RMS over chronyd’s'])],
      names.map((method, i) => [
        method,
        ...recorded.map(column => time(column.values[i])),
        ...(ratios === undefined ? [] : [ratios[i] === null ? '–' : ratios[i].toFixed(2)]),
      ]),
    );
  }
}
