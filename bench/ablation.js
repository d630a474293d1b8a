// npm run bench:ablation -- [DIR] [--seeds N] [--only peer|simulated] [--family NAME] [--json]: what each idea of the default estimator is
// worth. On every recording of DIR, and on N realisations of every simulated family, the RMS error of the default with
// one idea left out, as a multiple of the default's: above 1, the idea pays.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { IDEAS, openTrace, parseScenario, runScenario } from '../dist/bench.js';
import { FAMILIES, scenarioOf } from './families.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean' },
    seeds: { type: 'string', default: '5' },
    only: { type: 'string' },
    family: { type: 'string', multiple: true },
  },
});
const folder = positionals[0] ?? fileURLToPath(new URL('../../shared/peer', import.meta.url));
const seeds = Number(values.seeds);
const geometric = numbers => Math.exp(numbers.reduce((sum, x) => sum + Math.log(x), 0) / numbers.length);

const pipelines = [
  { name: 'default', corrector: 'ensemble' },
  ...IDEAS.map(idea => ({ name: idea, corrector: { use: 'ensemble', without: [idea] } })),
];

/** For each family, for each idea: how many times the default's RMS error. */
async function measure(families) {
  const table = {};
  for (const [family, runs] of families) {
    const ratios = Object.fromEntries(IDEAS.map(idea => [idea, []]));
    for (const run of runs) {
      const results = (await run()).pipelines;
      const rms = name => results.find(one => one.name === name).error.rms;
      for (const idea of IDEAS) ratios[idea].push(rms(idea) / rms('default'));
    }
    table[family] = Object.fromEntries(IDEAS.map(idea => [idea, geometric(ratios[idea])]));
  }
  return table;
}

const result = {};
if (values.only !== 'simulated' && existsSync(folder)) {
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
if (values.only !== 'peer') {
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
      `\n${where}: RMS error without each idea, times the default's${where === 'simulated' ? ` (${seeds} seeds)` : ''}\n`,
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
