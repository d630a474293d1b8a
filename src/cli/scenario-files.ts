import { readFileSync } from 'node:fs';
import { InputError } from '../core/errors.js';
import { type LoadedScenario, loadScenario, namesIn } from '../core/experiment/load-scenario.js';
import { loadAllPlugins, loadPlugins } from '../plugins/index.js';
import { loadExternalPlugins } from './external-plugins.js';

/** What scenarios use without naming it: the defaults of the schemas. */
const DEFAULTS = ['ensemble', 'oscillator', 'fixed', 'kalman', 'drift', 'ntp', 'replay', 'system', 'udp'];
const SINKS = ['csv', 'summary-json', 'table', 'progress', 'log'];

/** Reads a text file for people: one clear error if it cannot be read. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new InputError(file, `cannot be read: ${reasonOf(error)}`);
  }
}

export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'no such file or folder';
  if (code === 'EISDIR') return 'it is a folder';
  if (code === 'EACCES') return 'permission denied';
  return error instanceof Error ? error.message : String(error);
}

/** Reads a scenario and loads the plugins that it names, and only those unless something is unknown. */
export async function openScenario(file: string, external: readonly string[] = []): Promise<LoadedScenario> {
  return parseScenario(readText(file), file, external);
}

export async function parseScenario(
  text: string,
  file: string,
  external: readonly string[] = [],
): Promise<LoadedScenario> {
  return withPlugins(text, external, () => loadScenario(text, file));
}

/** Loads the plugins that a YAML text names (and those from outside), then reads it with `load`. */
export async function withPlugins<T>(text: string, external: readonly string[], load: () => T): Promise<T> {
  let names: ReadonlySet<string>;
  try {
    names = namesIn(text);
  } catch {
    // Not YAML: `load` says so, with the line.
    names = new Set();
  }
  await loadPlugins(new Set([...names, ...DEFAULTS, ...SINKS]));
  await loadExternalPlugins(external);
  try {
    return load();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    // A name that is not known yet may be a default of a plugin, or misspelt: then all names are candidates.
    await loadAllPlugins();
    return load();
  }
}
