import { spawn } from 'node:child_process';
import { existsSync, type FSWatcher, watch as watchFolder } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { extendedFiles } from './scenario-files.js';

/** An editor writes a file in several steps; what follows each other faster than this is one change. Milliseconds. */
const QUIET = 150;

/**
 * `run --watch`: runs the same command again whenever a scenario, one that it extends, or a plugin has changed, each
 * time in a process of its own, so that a plugin is read anew. Goes on until Ctrl-C, also after bad input.
 */
export async function watch(files: readonly string[], plugins: readonly string[]): Promise<void> {
  const command = process.argv.slice(1).filter(argument => argument !== '--watch');
  const program = [...process.execArgv, ...command];
  let child: ReturnType<typeof spawn> | undefined;
  let pending: NodeJS.Timeout | undefined;
  let watchers: FSWatcher[] = [];
  let over = false;

  const rerun = (): void => {
    watchers.forEach(watcher => {
      watcher.close();
    });
    watchers = watchersOf(watchedFiles(files, plugins), () => {
      clearTimeout(pending);
      pending = setTimeout(restart, QUIET);
    });
    if (process.stdout.isTTY) process.stdout.write('\x1b[2J\x1b[H');
    child = spawn(process.execPath, program, { stdio: 'inherit' });
    child.once('exit', () => {
      child = undefined;
      if (over) return;
      process.stderr.write(`Watching ${[...files, ...plugins].join(', ')}. Ctrl-C ends.\n`);
    });
  };
  // A run that is under way no longer matters: the next one starts when it is gone.
  const restart = (): void => {
    if (child === undefined) rerun();
    else {
      child.once('exit', rerun);
      child.kill('SIGINT');
    }
  };
  rerun();
  await new Promise<void>(ended => {
    const end = (): void => {
      over = true;
      clearTimeout(pending);
      for (const watcher of watchers) watcher.close();
      if (child === undefined) ended();
      else {
        child.once('exit', () => ended());
        child.kill('SIGINT');
      }
    };
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
  });
}

/** Plugins from packages are left out: they are not what is being written. */
function watchedFiles(files: readonly string[], plugins: readonly string[]): readonly string[] {
  return [
    ...files.flatMap(file => [file, ...extendedFiles(file)]),
    ...plugins.filter(module => existsSync(module)),
  ].map(file => resolve(file));
}

/** Folders are watched, not files: editors put a new file in the place of the old one. */
function watchersOf(files: readonly string[], changed: () => void): FSWatcher[] {
  return [...new Set(files.map(dirname))]
    .filter(folder => existsSync(folder))
    .map(folder => {
      const names = new Set(files.filter(file => dirname(file) === folder).map(file => basename(file)));
      return watchFolder(folder, (_, name) => {
        if (name !== null && names.has(name)) changed();
      });
    });
}
