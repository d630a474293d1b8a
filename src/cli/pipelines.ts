import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InputError, unknownName } from '../core/errors.js';
import { loadPipelines } from '../core/experiment/load-scenario.js';
import { readText, withPlugins } from './scenario-files.js';

/** The comparison that `replay` and `live` make unless told otherwise: from the simplest way to the good ones. */
const DEFAULT = ['default', 'offset-only', 'regression', 'kalman-hold', 'kalman-drift', 'kalman-anchored'];

/**
 * Pipelines as entries for a scenario's `pipelines`, all defaults filled in. A name is that of a shipped pipeline
 * (scenarios/pipelines/NAME.yaml); anything with a slash or ending in .yaml or .yml is a file with one pipeline, a list
 * of them, or a scenario, whose pipelines are taken. Without names: the default comparison. `external` are plugin
 * modules to load first. Throws an `InputError` on an unknown name, a bad file, or two pipelines of one name.
 */
export async function namedPipelines(
  names: readonly string[] | undefined,
  external: readonly string[] = [],
): Promise<unknown[]> {
  const chosen = names === undefined || names.length === 0 ? DEFAULT : names;
  const found = new Map<string, string>();
  const entries: unknown[] = [];
  for (const name of chosen) {
    const file = isFile(name) ? name : shippedPipeline(name);
    const text = readText(file);
    for (const entry of await withPlugins(text, external, () => loadPipelines(text, file))) {
      const earlier = found.get(entry.name);
      if (earlier !== undefined) {
        throw new InputError(`--pipeline ${name}`, `there are two pipelines named '${entry.name}'`, `also: ${earlier}`);
      }
      found.set(entry.name, name);
      entries.push(entry);
    }
  }
  return entries;
}

function isFile(name: string): boolean {
  return /[/\\]/.test(name) || /\.ya?ml$/i.test(name);
}

function shippedPipeline(name: string): string {
  const folder = join(packageRoot(), 'scenarios', 'pipelines');
  const file = join(folder, `${name}.yaml`);
  if (/^[\w.-]+$/.test(name) && existsSync(file)) return file;
  const known = readdirSync(folder)
    .filter(entry => entry.endsWith('.yaml'))
    .map(entry => basename(entry, '.yaml'))
    .sort();
  throw unknownName('--pipeline', 'pipeline', name, known);
}

/** The folder of the package, wherever the bundler has put this file. */
export function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && /"name":\s*"escapement"/.test(readFileSync(manifest, 'utf8'))) return folder;
    if (folder === dirname(folder)) {
      throw new InputError(fileURLToPath(import.meta.url), 'is not inside the package escapement: install it whole');
    }
  }
}
