// Bundles src/ into dist/ with code splitting: every plugin file and every command is a chunk of its own, so that a
// plugin (and whatever heavy package it needs) is loaded only when a scenario names it.
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { platform } from 'node:os';
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

/** zod's messages in English only: its thirty other languages are half of the bundle. */
const oneLanguage = {
  name: 'one-language',
  setup({ onLoad }) {
    onLoad({ filter: /zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
      loader: 'js',
    }));
  },
};

rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: ['src/index.ts', 'src/client.ts', 'src/cli/main.ts', 'src/bench.ts'],
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
  plugins: [glob, oneLanguage],
  // CommonJS dependencies inside an ESM bundle ask for `require`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  logLevel: 'warning',
});

// `npx escapement` in a clone. npm links the commands of dependencies only, and what it does for a package's own `bin`
// (installing it into its cache) fails in npm 11; so package.json gets its `bin` when it is packed, and a clone this:
const commands = 'node_modules/.bin';
if (existsSync(commands)) {
  rmSync(`${commands}/escapement`, { force: true });
  if (platform() === 'win32')
    writeFileSync(`${commands}/escapement.cmd`, '@node "%~dp0\\..\\..\\bin\\escapement.js" %*\r\n');
  else symlinkSync('../../bin/escapement.js', `${commands}/escapement`);
}
