import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { InputError } from '../core/errors.js';
import { pluginCount } from '../core/plugin/registry.js';

/**
 * Loads plugins from outside: a file (TypeScript without a build step, or JavaScript) or a package. They get this very
 * copy of the framework and of what it re-exports, so that their registration counts here.
 */
export async function loadExternalPlugins(modules: readonly string[]): Promise<void> {
  if (modules.length === 0) return;
  const { createJiti } = await import('jiti').catch(() => {
    throw new InputError(`--plugin ${modules[0]}`, 'needs the package jiti, which is not installed: npm install jiti');
  });
  const [escapement, rxjs, inversify, zod] = await Promise.all([
    import('../index.js'),
    import('rxjs'),
    import('inversify'),
    import('zod'),
  ]);
  const jiti = createJiti(resolve('plugin.js'), {
    virtualModules: { escapement, rxjs, inversify, zod },
    interopDefault: true,
    fsCache: false,
  });
  for (const module of new Set(modules)) {
    const isFile = /^[./\\]|^[A-Za-z]:/.test(module) || /\.[cm]?[jt]s$/.test(module);
    const path = isFile ? resolve(module) : module;
    if (isFile && !existsSync(path)) throw new InputError(`--plugin ${module}`, 'no such file');
    const known = pluginCount();
    try {
      await jiti.import(path);
    } catch (error) {
      if (error instanceof InputError) throw new InputError(`--plugin ${module}`, error.message);
      throw new InputError(`--plugin ${module}`, `cannot be loaded: ${reason(error)}`);
    }
    if (pluginCount() === known && !loaded.has(path)) {
      throw new InputError(
        `--plugin ${module}`,
        'registers no plugin: expected a class with @plugin({ kind, name, … })',
      );
    }
    loaded.add(path);
  }
}

/** Modules are run once in a process. */
const loaded = new Set<string>();

/** The first line of what was thrown; of what cannot be parsed, also where. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [what = '', where = ''] = error.message.split('\n');
  const [, line, column] = /:(\d+):(\d+)$/.exec(where.trim()) ?? [];
  return line === undefined ? what : `${what.trim()} at line ${line}, column ${column}`;
}
