import { existsSync, lstatSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { InputError } from '../core/errors.js';
import { extendedBy, type LoadedScenario, loadScenario, namesIn } from '../core/experiment/load-scenario.js';
import { loadAllPlugins, loadPlugins } from '../plugins/index.js';
import { loadExternalPlugins } from './external-plugins.js';

/** What scenarios use without naming it: the defaults of the schemas. */
const DEFAULTS = ['ensemble', 'oscillator', 'honest', 'fixed', 'kalman', 'drift', 'ntp', 'replay', 'system', 'udp'];
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

/**
 * Makes a folder and those that it lies in, one by one: where one takes no others (/proc), Node's own recursive way tries
 * for ever.
 */
export function makeFolder(path: string): void {
  const above = dirname(path);
  if (above !== path && !existsSync(above)) makeFolder(above);
  try {
    mkdirSync(path);
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw missing ? new Error(`no folder can be made in ${above}`) : error;
  }
}

/** One clear error where a folder has a name that `--out` has for a file: to be asked before anything is taken away. */
export function refuseFolders(path: string, names: readonly string[]): void {
  for (const name of names) {
    if (!lstatSync(join(path, name), { throwIfNoEntry: false })?.isDirectory()) continue;
    throw new InputError(`--out ${path}`, `expected ${name} in it to be a file, found a folder; nothing is changed`);
  }
}

/** Writes a file that `--out` asks for, unless `place` says who does. */
export function writeOutput(file: string, content: string | Buffer, place = `--out ${file}`): void {
  try {
    makeFolder(dirname(file));
    writeFileSync(file, content);
  } catch (error) {
    throw new InputError(place, `cannot be written: ${reasonOf(error)}`);
  }
}

/** A scenario file and those that it extends. */
export function filesOf(file: string): readonly string[] {
  const files = [file];
  for (let text = readText(file); files.length <= DEEPEST; text = readText(files.at(-1)!)) {
    const base = extensionOf(text);
    if (base === undefined) break;
    files.push(join(dirname(files.at(-1)!), base));
  }
  return files;
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
  const base = basesOf(text, file);
  return withPlugins([text, ...base].join('\n---\n'), external, () => loadScenario(text, file, base));
}

/** More than this is a circle. */
const DEEPEST = 8;

/** The files of the scenario that one extends, of the one that that extends, and so on, as far as they can be read. */
export function extendedFiles(file: string): readonly string[] {
  const files: string[] = [];
  for (let from = file; files.length < DEEPEST && existsSync(from); from = files.at(-1)!) {
    const base = extensionOf(readText(from));
    if (base === undefined) break;
    files.push(join(dirname(from), base));
  }
  return files;
}

/** The texts of the scenario that one extends, of the one that that extends, and so on. */
function basesOf(text: string, file: string): readonly string[] {
  const bases: string[] = [];
  let from = file;
  for (let base = extensionOf(text); base !== undefined; base = extensionOf(bases.at(-1)!)) {
    if (bases.length === DEEPEST) throw new InputError(`${file} extends`, `goes over more than ${DEEPEST} scenarios`);
    const by = from;
    from = isAbsolute(base) ? base : join(dirname(from), base);
    if (resolve(from) === resolve(file)) throw new InputError(`${by} extends`, `goes in a circle, back to ${file}`);
    try {
      bases.push(readText(from));
    } catch (error) {
      throw error instanceof InputError ? new InputError(`${by} extends`, error.message) : error;
    }
  }
  return bases;
}

function extensionOf(text: string): string | undefined {
  try {
    return extendedBy(text);
  } catch {
    // Not YAML: the loader says so, with the line.
    return undefined;
  }
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
