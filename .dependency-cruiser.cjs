/** The layers of docs/concepts.md, held in CI by `npm run check`. */
module.exports = {
  forbidden: [
    {
      name: 'core-names-no-plugin',
      comment: 'core is the framework: it imports neither plugins nor commands.',
      severity: 'error',
      from: { path: '^src/core' },
      to: { path: '^src/(plugins|cli|platform)' },
    },
    {
      name: 'core-does-no-io',
      comment: 'I/O stands at the rim: in plugins and commands.',
      severity: 'error',
      from: { path: '^src/core' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(url|path)$' },
    },
    {
      name: 'plugins-import-no-sibling',
      comment: 'a plugin is one file: it imports the core and libraries, never another plugin or a command.',
      severity: 'error',
      from: { path: '^src/plugins/[^/]+/' },
      to: { path: '^src/(plugins|cli)/' },
    },
    {
      name: 'report-names-no-plugin',
      comment: 'what draws charts runs here and in browsers: it imports the core alone.',
      severity: 'error',
      from: { path: '^src/(report|web)' },
      to: { path: '^src/(plugins|cli)' },
    },
    {
      name: 'report-does-no-io',
      severity: 'error',
      from: { path: '^src/(report|web)' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'core-draws-nothing',
      severity: 'error',
      from: { path: '^src/(core|plugins)' },
      to: { path: '^src/(report|web)' },
    },
    {
      name: 'platform-names-no-plugin',
      comment: 'platform is what plugins and commands ask of the operating system: it imports the core alone.',
      severity: 'error',
      from: { path: '^src/platform' },
      to: { path: '^src/(plugins|cli)/' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true, dependencyTypesNot: ['type-only'] } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
