// node bench/chrony-suite.js [-- --seeds N] [--json]: chrony's simulation suite, as scenarios/chrony-suite/ has it, as a
// Markdown table: for every limit what was found, the worst of N seeds.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { formatTime, openScenario, runScenario } from '../dist/bench.js';
import { count, parsed } from './options.js';

const { values } = parsed({ options: { seeds: { type: 'string', default: '1' }, json: { type: 'boolean' } } });
const seeds = count('--seeds', values.seeds);
const folder = fileURLToPath(new URL('../scenarios/chrony-suite/', import.meta.url));
const files = readdirSync(folder).filter(file => file.endsWith('.yaml') && file !== 'pipeline.yaml');
files.sort((a, b) => Number(b === 'defaults.yaml') - Number(a === 'defaults.yaml') || (a < b ? -1 : 1));

const rows = [];
for (const file of files) {
  const { scenario, file: place } = await openScenario(`${folder}${file}`);
  const found = new Map();
  for (let seed = 1; seed <= seeds; seed++) {
    const { expectations } = await runScenario({ scenario: { ...scenario, seed: String(seed) }, file: place });
    for (const one of expectations) {
      const key = `${one.pipeline} ${one.metric}`;
      const before = found.get(key);
      const worse = before === undefined || Math.abs(one.found ?? Infinity) > Math.abs(before.found ?? Infinity);
      const holds = one.holds && (before?.holds ?? true);
      found.set(key, { ...(worse ? one : before), holds });
    }
  }
  rows.push({ name: file.replace('.yaml', ''), description: scenario.description.trim(), found: [...found.values()] });
}

if (values.json) {
  process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
} else {
  const time = value => (value === null ? '–' : formatTime(value));
  const show = ({ metric, found, limit, holds }) =>
    `${holds ? '' : '**broken** '}${/winRate|frequency/.test(metric) ? Number(found?.toPrecision(2)) : time(found)} (${limit})`;
  const columns = ['convergedBy', 'error.max', 'error.rms', 'frequency.max', 'frequency.rms'];
  console.log(`| scenario | ${columns.join(' | ')} | other |\n|---${'|---'.repeat(columns.length + 1)}|`);
  for (const { name, found } of rows) {
    for (const pipeline of new Set(found.map(one => one.pipeline))) {
      const own = found.filter(one => one.pipeline === pipeline);
      const cells = columns.map(column =>
        own
          .filter(({ metric }) => metric.startsWith(column))
          .map(show)
          .join(', '),
      );
      const others = own.filter(({ metric }) => !columns.some(column => metric.startsWith(column)));
      const other = others.map(one => `${one.metric} ${show(one)}`).join(', ');
      console.log(`| ${name}${pipeline === 'tested' ? '' : ` (${pipeline})`} | ${cells.join(' | ')} | ${other} |`);
    }
  }
}
if (rows.some(({ found }) => found.some(({ holds }) => !holds))) process.exitCode = 1;
