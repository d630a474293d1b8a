import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { namedPipelines } from '../../src/cli/pipelines.js';
import { parseScenario } from '../../src/cli/scenario-files.js';

const folder = mkdtempSync(join(tmpdir(), 'pipelines-'));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const named = async (...names: string[]) =>
  (await namedPipelines(names)).map(entry => (entry as { name: string }).name);

test('without names there is a comparison: the default, and from offset-only to a Kalman filter with each timekeeper', async () => {
  expect((await namedPipelines(undefined)).map(entry => (entry as { name: string }).name)).toEqual([
    'default',
    'offset-only',
    'regression',
    'kalman-hold',
    'kalman-drift',
    'kalman-anchored',
  ]);
  expect(await namedPipelines([])).toEqual(await namedPipelines(undefined));
});

test('the entries stand in a scenario as they are', async () => {
  const pipelines = await namedPipelines(['kalman-drift', 'kalman-wall']);
  const text = stringify({ name: 'x', duration: '1 h', world: { servers: [{ name: 'a' }] }, pipelines });
  const { scenario } = await parseScenario(text, 'x.yaml');
  expect(scenario.pipelines).toEqual(pipelines);
  expect(scenario.pipelines[1]).toMatchObject({ name: 'kalman-wall', axis: 'wall', corrector: { use: 'kalman' } });
});

test('a file holds one pipeline, a list of them, or a scenario', async () => {
  const one = file('one.yaml', 'name: one\ncorrector: { use: offset-only, strength: 0.5 }\n');
  const list = file('list.yaml', '- { name: first, timekeeper: hold }\n- name: second\n');
  const scenario = file('scenario.yaml', 'name: s\nworld: { kind: real }\npipelines: [{ name: from-scenario }]\n');
  expect(await named(one, list, scenario, 'regression')).toEqual([
    'one',
    'first',
    'second',
    'from-scenario',
    'regression',
  ]);
  expect((await namedPipelines([one]))[0]).toMatchObject({ corrector: { use: 'offset-only', strength: 0.5 } });
});

test.each([
  ['kalman-drif', "--pipeline: unknown pipeline 'kalman-drif' (did you mean 'kalman-drift'?)"],
  ['../kalman-drift', '../kalman-drift: cannot be read: no such file or folder'],
  ['missing.yaml', 'missing.yaml: cannot be read: no such file or folder'],
])('%s is refused with one clear message', async (name, message) => {
  await expect(namedPipelines([name])).rejects.toThrow(message);
});

test.each([
  ['- name: a\n- { name: b, corrector: { use: kalman, gaet: 3 } }\n', ':2 [1].corrector.gaet: is not an option here'],
  [
    'pipelines:\n  - name: a\n    corrector: kalmann\n',
    ":3 pipelines[0].corrector.use: unknown corrector 'kalmann' (did you mean 'kalman'?)",
  ],
  ['name: a\ntimekeper: hold\n', ":2 timekeper: is not an option here (did you mean 'timekeeper'?)"],
  ['name: [\n', ':2: is not YAML'],
  ['just text\n', ': expected a pipeline (a map with `name`, `corrector`, …), a list of them, or a scenario'],
  ['[]\n', ':1: '],
])('what is wrong in a file is named with its line: %j', async (text, message) => {
  const path = file('bad.yaml', text);
  await expect(namedPipelines([path])).rejects.toThrow(`${path}${message}`);
});

test('two pipelines of one name are refused', async () => {
  const again = file('again.yaml', 'name: regression\n');
  await expect(namedPipelines(['regression', again])).rejects.toThrow(
    `--pipeline ${again}: there are two pipelines named 'regression' (also: regression)`,
  );
});
