import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type PluginKind, pluginsOf } from '../../src/core/plugin/registry.js';
import { formatTime } from '../../src/core/quantity.js';
import { loadAllPlugins } from '../../src/plugins/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(`${root}docs/methods.md`, 'utf8');

/** The cells of the table whose first head cell is this, by row and column. */
function tableOf(corner: string, holding: string): (row: string, column: string) => string | undefined {
  const lines = page.split('\n');
  const cells = (line: string): string[] =>
    line
      .slice(2, -2)
      .split(' | ')
      .map(cell => cell.trim());
  const start = lines.findIndex(line => line.startsWith(`| ${corner} |`) && cells(line).includes(holding));
  const head = cells(lines[start]!);
  const end = lines.findIndex((line, i) => i > start && !line.startsWith('|'));
  const rows = new Map(lines.slice(start + 2, end).map(line => [cells(line)[0], cells(line)]));
  return (row, column) => rows.get(row)?.[head.indexOf(column)];
}

describe('docs/methods.md', () => {
  test('names every method that there is', async () => {
    await loadAllPlugins();
    // Models have pages of their own.
    const elsewhere = ['onnx', 'learned'];
    const kinds = [
      'predictor',
      'corrector',
      'dataset-corrector',
      'timekeeper',
      'supervisor',
      'combiner',
      'filter',
      'poller',
    ];
    for (const kind of kinds as readonly PluginKind[]) {
      const missing = pluginsOf(kind)
        .map(({ name }) => name)
        .filter(name => !elsewhere.includes(name) && !page.includes(`\`${name}\``));
      expect(missing).toEqual([]);
    }
  });

  test('has the figures that `npm run bench:methods` prints today, for one scenario', () => {
    const scenario = 'quiet-lan';
    const { stdout, stderr } = spawnSync(process.execPath, ['bench/methods.js', '--only', scenario, '--json'], {
      cwd: root,
      encoding: 'utf8',
      timeout: 120_000,
    });
    expect(stderr).toBe('');
    const { names, columns, datasetCorrectors, revised } = JSON.parse(stdout) as {
      readonly names: readonly string[];
      readonly columns: readonly { readonly values: readonly number[] }[];
      readonly datasetCorrectors: readonly string[];
      readonly revised: readonly { readonly values: readonly number[] }[];
    };
    const told = tableOf('mean \\|error\\|', scenario);
    names.forEach((name, i) => {
      // The default estimator is judged on its own page.
      if (name === 'ensemble') return;
      expect([name, told(name, scenario)]).toEqual([name, formatTime(columns[0]!.values[i]!)]);
    });
    const log = tableOf('the log looked back on', scenario);
    datasetCorrectors.forEach((name, i) => {
      expect([name, log(name, scenario)]).toEqual([name, formatTime(revised[0]!.values[i]!)]);
    });
    expect(names.length).toBeGreaterThan(30);
  }, 120_000);
});
