import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, release } from 'node:os';
import { join, relative } from 'node:path';
import { parse, stringify } from 'yaml';
import { version } from '../../package.json';
import { InputError } from '../core/errors.js';
import { BARE_CLOCK } from '../core/experiment/load-scenario.js';
import type { Scenario } from '../core/experiment/scenario.js';
import { PLUGIN_KINDS, pluginsOf } from '../core/plugin/registry.js';
import { makeFolder, reasonOf, refuseFolders } from './scenario-files.js';

const MANIFEST = 'manifest.json';
/** The manifest while it is written: it takes the other's place when it is whole. */
const PART = 'manifest.json.part';
const SCENARIO = 'scenario.yaml';

/** What a run may leave in its folder, beside the manifest. */
const FILES = [SCENARIO, 'summary.json', 'measurements.csv', 'events.csv', 'world-events.csv', 'report.html', PART];

/** What it may leave there for each that tells a time. */
function filesFor(name: string): readonly string[] {
  const tables = ['samples', 'estimates', 'scored', 'validation'].map(kind => `${kind}-${name}.csv`);
  return [...tables, `validation-${name}.log`];
}

/**
 * Where a run's files go. Holds a manifest from the first moment, so that a killed run is recognised as one. An earlier
 * run's files are replaced, and no others: a folder that holds something other than a run is left alone, and so is whatever
 * lies beside one.
 */
export class OutputDirectory {
  private manifest: Record<string, unknown> = {};

  private constructor(
    readonly path: string,
    /** Who tells a time, as the run's files have it in their names. */
    private readonly told: readonly string[],
  ) {}

  /** Makes the folder, and takes away what an earlier run has left there. `told`: who tells a time, beside the bare clock. */
  static create(out: string, below: string | undefined, told: readonly string[]): OutputDirectory {
    const path = below === undefined ? out : join(out, below);
    const all = [BARE_CLOCK, ...told];
    try {
      const held = existsSync(path) ? readdirSync(path) : [];
      if (held.length > 0) {
        const manifest = manifestIn(path);
        if (manifest === undefined) {
          throw new InputError(
            `--out ${path}`,
            'the folder holds something other than a run; it is left alone',
            held.includes(MANIFEST) ? `its ${MANIFEST} is no run's` : `found ${held[0]} and no ${MANIFEST}`,
          );
        }
        const own = [...FILES, ...toldIn(manifest, path).flatMap(filesFor)];
        refuseFolders(path, [...own, ...all.flatMap(filesFor)]);
        // The manifest stays until there is another: a run that is killed meanwhile leaves a run's folder. Only what is
        // held goes: a name in a manifest may lead elsewhere.
        for (const name of held) if (own.includes(name)) rmSync(join(path, name));
      }
      makeFolder(path);
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(`--out ${path}`, `cannot be made: ${reasonOf(error)}`);
    }
    return new OutputDirectory(path, all);
  }

  /** The path as people would type it from here. */
  get shown(): string {
    return join(relative('.', this.path) || '.', '/');
  }

  begin(scenario: Scenario, external: readonly string[]): void {
    this.manifest = {
      escapement: version,
      scenario: scenario.name,
      seed: scenario.seed,
      started: new Date().toISOString(),
      status: 'running',
      node: process.version,
      platform: `${platform()} ${release()} ${arch()}`,
      cpu: cpus()[0]?.model ?? 'unknown',
      externalPlugins: external,
      pipelines: this.told,
      plugins: Object.fromEntries(PLUGIN_KINDS.map(kind => [kind, pluginsOf(kind).map(({ name }) => name)])),
    };
    this.write();
    writeFileSync(join(this.path, SCENARIO), stringify(scenario));
  }

  /** Adds what is known only once the run has started. */
  add(facts: Readonly<Record<string, unknown>>): void {
    this.manifest = { ...this.manifest, ...facts };
    this.write();
  }

  /** A phase of a pipeline begins at `t` seconds of the run. */
  phase(part: string, name: string, t: number): void {
    const phases = (this.manifest['phases'] ?? {}) as Record<string, Record<string, number>>;
    this.add({ phases: { ...phases, [part]: { ...phases[part], [name]: t } } });
  }

  end(status: 'finished' | 'interrupted' | 'failed'): void {
    this.manifest = { ...this.manifest, status, ended: new Date().toISOString() };
    this.write();
  }

  private write(): void {
    const part = join(this.path, PART);
    writeFileSync(part, `${JSON.stringify(this.manifest, null, 2)}\n`);
    renameSync(part, join(this.path, MANIFEST));
  }
}

/** A folder's manifest, if it is one of ours: others' programs call files so, too. */
function manifestIn(folder: string): Readonly<Record<string, unknown>> | undefined {
  const file = join(folder, MANIFEST);
  try {
    if (!statSync(file).isFile()) return undefined;
    const manifest = JSON.parse(readFileSync(file, 'utf8'));
    return ['escapement', 'scenario', 'started', 'status'].every(key => typeof manifest[key] === 'string')
      ? manifest
      : undefined;
  } catch {
    return undefined;
  }
}

/** Who told a time in an earlier run. Manifests once did not say it: the scenario that lies beside them does. */
function toldIn({ pipelines }: Readonly<Record<string, unknown>>, folder: string): readonly string[] {
  if (Array.isArray(pipelines)) return pipelines.map(String);
  try {
    const scenario: Pick<Scenario, 'pipelines'> = parse(readFileSync(join(folder, SCENARIO), 'utf8'));
    return scenario.pipelines.map(({ name }) => name);
  } catch {
    return [];
  }
}
