import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, release } from 'node:os';
import { join, relative } from 'node:path';
import { stringify } from 'yaml';
import { version } from '../../package.json';
import { InputError } from '../core/errors.js';
import type { Scenario } from '../core/experiment/scenario.js';
import { PLUGIN_KINDS, pluginsOf } from '../core/plugin/registry.js';
import { makeFolder, reasonOf } from './scenario-files.js';

const MANIFEST = 'manifest.json';

/** Where a run's files go. Holds a manifest from the first moment, so that a killed run is recognised as one. */
export class OutputDirectory {
  private manifest: Record<string, unknown> = {};

  private constructor(readonly path: string) {}

  /** Makes the folder. One that holds something other than an earlier run is left alone. */
  static create(out: string, below: string | undefined): OutputDirectory {
    const path = below === undefined ? out : join(out, below);
    try {
      if (existsSync(path)) {
        const held = readdirSync(path);
        if (held.length > 0 && !held.includes(MANIFEST)) {
          throw new InputError(`--out ${path}`, 'the folder holds something other than a run; it is left alone');
        }
        for (const name of held.filter(name => /\.(csv|json|yaml|log)$|^report\.html$/.test(name)))
          rmSync(join(path, name));
      }
      makeFolder(path);
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(`--out ${path}`, `cannot be made: ${reasonOf(error)}`);
    }
    return new OutputDirectory(path);
  }

  /** The path as people would type it from here. */
  get shown(): string {
    return join(relative('.', this.path) || '.', '/');
  }

  begin(scenario: Scenario, external: readonly string[]): void {
    writeFileSync(join(this.path, 'scenario.yaml'), stringify(scenario));
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
      plugins: Object.fromEntries(PLUGIN_KINDS.map(kind => [kind, pluginsOf(kind).map(({ name }) => name)])),
    };
    this.write();
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
    writeFileSync(join(this.path, MANIFEST), `${JSON.stringify(this.manifest, null, 2)}\n`);
  }
}
