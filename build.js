// Bundles src/ into dist/ with code splitting: every plugin file and every command is a chunk of its own, so that a
// plugin (and whatever heavy package it needs) is loaded only when a scenario names it.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

// import.meta.glob as Vite has it: a map from each file to a function that imports it.
const glob = {
  name: 'import-meta-glob',
  setup({ onLoad }) {
    onLoad({ filter: /src[\\/]plugins[\\/]index\.ts$/ }, ({ path }) => {
      const files = readdirSync('src/plugins', { recursive: true, encoding: 'utf8' })
        .map(file => `./${file.replaceAll('\\', '/')}`)
        .filter(file => /^\.\/[^/]+\/[^/]+\.ts$/.test(file))
        .sort();
      const map = files.map(file => `${JSON.stringify(file)}: () => import(${JSON.stringify(file)})`).join(', ');
      return {
        contents: readFileSync(path, 'utf8').replace(/import\.meta\.glob\([^)]*\)/, `({ ${map} })`),
        loader: 'ts',
      };
    });
  },
};

rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: ['src/index.ts', 'src/cli/main.ts', 'src/bench.ts'],
  outdir: 'dist',
  outbase: 'src',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  minifySyntax: true,
  minifyWhitespace: false,
  external: ['koffi', 'onnxruntime-node', 'jiti'],
  plugins: [glob],
  // CommonJS dependencies inside an ESM bundle ask for `require`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
