// Bundles src/ into dist/ with code splitting: every plugin file and every command is a chunk of its own, so that a
// plugin (and whatever heavy package it needs) is loaded only when a scenario names it.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
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
  external: ['koffi', 'onnxruntime-node', 'jiti', '@resvg/resvg-js'],
  plugins: [glob, oneLanguage],
  // CommonJS dependencies inside an ESM bundle ask for `require`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  logLevel: 'warning',
});

/** A page with its script and its style inside it: it needs nothing else, neither a server nor a network. */
async function page(name) {
  const options = {
    bundle: true,
    minify: true,
    write: false,
    platform: 'browser',
    target: 'es2022',
    logLevel: 'warning',
  };
  const folder = `src/web/${name}`;
  const [script, style] = await Promise.all([
    build({ ...options, format: 'esm', entryPoints: [`${folder}/${name}.ts`] }),
    build({ ...options, entryPoints: [`${folder}/${name}.css`] }),
  ]);
  const [js, css] = [script, style].map(({ outputFiles }) => outputFiles[0].text);
  return readFileSync(`${folder}/${name}.html`, 'utf8')
    .replace('/*style*/', () => css)
    .replace('/*script*/', () => js);
}

mkdirSync('dist/web', { recursive: true });
for (const name of ['report', 'dashboard']) writeFileSync(`dist/web/${name}.html`, await page(name));

// The letters of PNG pictures.
for (const font of ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf']) {
  copyFileSync(`node_modules/dejavu-fonts-ttf/ttf/${font}`, `dist/web/${font}`);
}

// `npx escapement` in a clone. npm links the commands of dependencies only, and what it does for a package's own `bin`
// (installing it into its cache) fails in npm 11; so package.json gets its `bin` when it is packed, and a clone this:
const commands = 'node_modules/.bin';
if (existsSync(commands)) {
  rmSync(`${commands}/escapement`, { force: true });
  if (platform() === 'win32')
    writeFileSync(`${commands}/escapement.cmd`, '@node "%~dp0\\..\\..\\bin\\escapement.js" %*\r\n');
  else symlinkSync('../../bin/escapement.js', `${commands}/escapement`);
}
