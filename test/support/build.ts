import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Builds the command once before the tests, unless nothing has changed since it was built. */
export function setup(): void {
  if (newest('src') > (statSync(join(root, 'dist/cli/main.js'), { throwIfNoEntry: false })?.mtimeMs ?? 0)) {
    execFileSync(process.execPath, ['build.js'], { cwd: root, stdio: 'inherit' });
  }
}

function newest(folder: string): number {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).reduce(
    (latest, file) => Math.max(latest, statSync(join(root, folder, file)).mtimeMs),
    0,
  );
}
