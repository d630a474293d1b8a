// npm run bench:ablation -- [DIR] [--traces DIR] [--seeds N] [--only recordings|traces|simulated] [--family NAME] [--json]: what
// each idea of the default estimator is worth. On every recording of DIR, on real recordings of offsets against NTP, and on
// N realisations of every simulated family: the error with one idea left out, as a multiple of the default's. Above 1, the
// idea pays. The error is RMS against the truth; of real recordings, which have none, the mean against NTP.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IDEAS, openTrace, parseScenario, runScenario } from '../dist/bench.js';
import { FAMILIES, scenarioOf } from './families.js';
import { count, parsed } from './options.js';

const { values, positionals } = parsed({
  allowPositionals: true,
  options: {
    json: { type: 'boolean' },
    seeds: { type: 'string', default: '5' },
    only: { type: 'string' },
    traces: { type: 'string' },
    family: { type: 'string', multiple: true },
  },
});
const folder = positionals[0] ?? fileURLToPath(new URL('../../shared/peer', import.meta.url));
const traces = values.traces ?? fileURLToPath(new URL('../../shared/traces', import.meta.url));
const PARTS = ['recordings', 'traces', 'simulated'];
if (values.only !== undefined && !PARTS.includes(values.only)) {
  console.error(`bench:ablation: --only: expected ${PARTS.join(', ')}, found '${values.only}'`);
  process.exit(2);
}
const unknown = (values.family ?? []).find(name => !Object.hasOwn(FAMILIES, name));
if (unknown !== undefined) {
  console.error(`bench:ablation: --family: no family '${unknown}'; there are ${Object.keys(FAMILIES).join(', ')}`);
  process.exit(2);
}
const wanted = part => values.only === undefined || values.only === part;
const seeds = count('--seeds', values.seeds);
const geometric = numbers => Math.exp(numbers.reduce((sum, x) => sum + Math.log(x), 0) / numbers.length);

const pipelines = [
  { name: 'default', corrector: 'ensemble' },
  ...IDEAS.map(idea => ({ name: idea, corrector: { use: 'ensemble', without: [idea] } })),
];

/** For each family, for each idea: how many times the default's error. */
async function measure(families, metric = 'rms') {
  const table = {};
  for (const [family, runs] of families) {
    const ratios = Object.fromEntries(IDEAS.map(idea => [idea, []]));
    for (const run of runs) {
      const results = (await run()).pipelines;
      const error = name => results.find(one => one.name === name).error[metric];
      for (const idea of IDEAS) ratios[idea].push(error(idea) / error('default'));
    }
    table[family] = Object.fromEntries(IDEAS.map(idea => [idea, geometric(ratios[idea])]));
  }
  return table;
}

const result = {};
if (wanted('recordings') && existsSync(folder)) {
  const families = new Map();
  for (const name of readdirSync(folder).sort()) {
    if (!existsSync(join(folder, name, 'scenario.json'))) continue;
    const run = async () => {
      const { file, truthFile, recording, truth, warmup = 0 } = await openTrace({ trace: join(folder, name) });
      const world = { kind: 'replayed', trace: file, truth: truthFile };
      const sampling = { interval: '5 s' };
      const { scenario } = await parseScenario(JSON.stringify({ name, warmup, world, sampling, pipelines }), name);
      return runScenario({ scenario, file: name, recording, truth });
    };
    const family = name.replace(/-s\d+$/, '');
    families.set(family, [...(families.get(family) ?? []), run]);
  }
  result.recordings = await measure(families);
}
if (wanted('traces') && existsSync(traces)) {
  const families = [];
  for (const name of readdirSync(traces).sort()) {
    const file = join(traces, name);
    const { format, recording } = await openTrace({ trace: file });
    if (format !== 'offset-series') continue;
    const run = async () => {
      const world = { kind: 'replayed', trace: file };
      const { scenario } = await parseScenario(JSON.stringify({ name, world, pipelines }), name);
      return runScenario({ scenario, file: name, recording });
    };
    families.push([name.replace(/_?\d{8}\.csv$/, ''), [run]]);
  }
  result.traces = await measure(families, 'mae');
}
if (wanted('simulated')) {
  result.simulated = await measure(
    (values.family ?? Object.keys(FAMILIES)).map(name => [
      name,
      Array.from({ length: seeds }, (_, i) => async () => {
        const { scenario } = await parseScenario(scenarioOf(name, i + 1, pipelines), name);
        return runScenario({ scenario, file: name });
      }),
    ]),
  );
}

if (values.json) process.stdout.write(`${JSON.stringify({ seeds, ...result }, null, 2)}\n`);
else {
  for (const [where, table] of Object.entries(result)) {
    const families = Object.keys(table);
    console.log(
      `\n${where}: ${where === 'traces' ? 'mean error against NTP' : 'RMS error'} without each idea, times the default's${
        where === 'simulated' ? ` (${seeds} seeds)` : ''
      }\n`,
    );
    console.log(`| family | ${IDEAS.join(' | ')} |`);
    console.log(`|---|${IDEAS.map(() => '---:').join('|')}|`);
    for (const family of families) {
      console.log(`| ${family} | ${IDEAS.map(idea => table[family][idea].toFixed(2)).join(' | ')} |`);
    }
    const overall = IDEAS.map(idea => geometric(families.map(family => table[family][idea])).toFixed(2));
    console.log(`| **geometric mean** | ${overall.join(' | ')} |`);
  }
}
