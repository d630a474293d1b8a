// Bundles src/ into dist/ with code splitting: one entry for the command, one for the library, one for every plugin
// file, so that a plugin (and whatever heavy package it needs) is loaded only when a scenario names it.
import { readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const plugins = readdirSync('src/plugins', { recursive: true, encoding: 'utf8' })
  .filter(file => file.endsWith('.ts'))
  .map(file => `src/plugins/${file}`);

rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: ['src/index.ts', 'src/cli/main.ts', ...plugins],
  outdir: 'dist',
  outbase: 'src',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'bundle',
  external: ['koffi', 'onnxruntime-node', 'jiti'],
  // CommonJS dependencies inside an ESM bundle ask for `require`.
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
  sourcemap: false,
  logLevel: 'warning',
});
