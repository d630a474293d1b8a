import { PLUGIN_KINDS, pluginsOf } from '../plugin/registry.js';
import { optionsJsonSchema, scenarioJsonSchema } from './json-schema.js';
import { METRICS } from './scenario.js';

type Json = { readonly [key: string]: unknown };

/** The scenario reference as Markdown, from the same schemas that validate scenarios. Load all plugins first. */
export function scenarioReference(): string {
  const schema = scenarioJsonSchema();
  const properties = schema['properties'] as Record<string, Json>;
  const worlds = (properties['world'] as { anyOf: Json[] }).anyOf;
  const pipeline = (properties['pipelines'] as { items: Json }).items;
  const simulated = worlds[0]!['properties'] as Record<string, Json>;
  const server = (simulated['servers'] as { items: Json }).items;
  const lines = [
    '# Scenario reference',
    '',
    '<!-- Written by `npm run docs` from the schemas. Do not edit. -->',
    '',
    'A scenario is a YAML file: a world, sources, pipelines, and what is expected of them. Times and ratios are written',
    'with units (`64 s`, `200 ms`, `3 h`; `12 ppm`, `5 %`, `1e-9`); a plain number is SI. Where a plugin stands, write its',
    'name (`kalman`) or its name with options (`{ use: kalman, wander: 1e-9 }`).',
    '',
    'Editors complete scenarios that begin with `# yaml-language-server: $schema=` and the path of',
    '[scenario.schema.json](scenario.schema.json); `escapement schema` prints one that knows your own plugins, too.',
    '',
    '## The scenario',
    '',
    ...table(schema),
    ...worlds.flatMap(world => [
      `## World: ${kindOf(world)}`,
      '',
      String(world['description'] ?? ''),
      '',
      ...table(world),
    ]),
    '### Servers of a simulated world',
    '',
    ...table(server),
    '### Faults of a simulated world',
    '',
    'Each entry names a fault plugin with its options, and when it strikes:',
    '',
    '| key | default | meaning |',
    '|---|---|---|',
    '| `at` | required | When it strikes, in true time from the start of the run. |',
    '| `for` | | How long it lasts. Left out: to the end of the run. |',
    '| `every` | | Strikes again after this long. Left out: once. |',
    '| `chance` | | Probability that a strike happens. Left out: it does. |',
    '',
    '## Pipelines',
    '',
    ...table(pipeline),
    '## Expectations',
    '',
    'A limit (`atMost`, `atLeast`) on a metric of a pipeline (or of `bare-clock`, the uncorrected wall clock). A broken',
    'one makes `escapement run` exit with 1. A bias is judged by its size. Metrics:',
    '',
    Object.keys(METRICS)
      .map(metric => `\`${metric}\``)
      .join(', '),
    '',
  ];
  for (const kind of PLUGIN_KINDS) {
    const plugins = pluginsOf(kind);
    if (plugins.length === 0) continue;
    lines.push(`## Plugins: ${kind}`, '');
    for (const plugin of plugins) {
      lines.push(`### ${kind} \`${plugin.name}\``, '', `${plugin.summary}.`, '', ...table(optionsJsonSchema(plugin)));
    }
  }
  return `${lines
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trim()}\n`;
}

function kindOf(world: Json): string {
  const kind = (world['properties'] as Record<string, Json>)['kind'] as { const?: string };
  return kind.const ?? '';
}

function table(schema: Json): string[] {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Json>).filter(
    ([key]) => key !== '$schema',
  );
  if (properties.length === 0) return [];
  const required = (schema['required'] ?? []) as readonly string[];
  return [
    '| key | default | meaning |',
    '|---|---|---|',
    ...properties.map(([key, property]) => {
      const given = property['default'];
      const fallback =
        required.includes(key) && given === undefined ? 'required' : given === undefined ? '' : `\`${show(given)}\``;
      return `| \`${key}\` | ${fallback} | ${[String(property['description'] ?? ''), values(property)].filter(Boolean).join(' ')} |`;
    }),
    '',
  ];
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function values(property: Json): string {
  if (Array.isArray(property['enum'])) return `One of ${property['enum'].map(value => `\`${value}\``).join(', ')}.`;
  return '';
}
