import Table from 'cli-table3';
import { unknownName } from '../core/errors.js';
import { optionsJsonSchema } from '../core/experiment/json-schema.js';
import { PLUGIN_KINDS, type PluginDescriptor, type PluginKind, pluginsOf } from '../core/plugin/registry.js';
import { loadAllPlugins } from '../plugins/index.js';
import { loadExternalPlugins } from './external-plugins.js';

/** `escapement plugins [KIND]`: what there is; with a kind, also every option with its default. */
export async function plugins(
  kind: string | undefined,
  options: { readonly json?: boolean; readonly plugin?: readonly string[] },
): Promise<void> {
  if (kind !== undefined && !isKind(kind))
    throw unknownName('escapement plugins', 'kind of plugin', kind, PLUGIN_KINDS);
  await loadAllPlugins();
  await loadExternalPlugins(options.plugin ?? []);
  const kinds = kind === undefined ? PLUGIN_KINDS : [kind];
  if (options.json) {
    const all = kinds.flatMap(one =>
      pluginsOf(one).map(plugin => ({
        kind: plugin.kind,
        name: plugin.name,
        summary: plugin.summary,
        options: optionsJsonSchema(plugin),
      })),
    );
    process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
    return;
  }
  for (const one of kinds) {
    const known = pluginsOf(one);
    process.stdout.write(kind === undefined ? `${one}\n` : '');
    for (const plugin of known) {
      process.stdout.write(`  ${plugin.name.padEnd(20)} ${plugin.summary}\n`);
      if (kind !== undefined) process.stdout.write(optionTable(plugin));
    }
  }
  if (kind === undefined) process.stdout.write("\n'escapement plugins KIND' shows their options.\n");
}

function isKind(kind: string): kind is PluginKind {
  return (PLUGIN_KINDS as readonly string[]).includes(kind);
}

function optionTable(plugin: PluginDescriptor): string {
  const schema = optionsJsonSchema(plugin) as {
    readonly properties?: Readonly<Record<string, { readonly description?: string; readonly default?: unknown }>>;
    readonly required?: readonly string[];
  };
  const options = Object.entries(schema.properties ?? {});
  if (options.length === 0) return '';
  const table = new Table({
    chars: {
      mid: '',
      'left-mid': '',
      'mid-mid': '',
      'right-mid': '',
      top: '',
      bottom: '',
      'top-left': '',
      'top-right': '',
      'top-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      'bottom-mid': '',
      left: '     ',
      right: '',
      middle: '  ',
    },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colWidths: [20, 14, 80],
    wordWrap: true,
  });
  for (const [name, { description, default: fallback }] of options) {
    const value = schema.required?.includes(name) ? 'required' : fallback === undefined ? '' : JSON.stringify(fallback);
    table.push([name, value.replaceAll('"', ''), description ?? '']);
  }
  return `${table.toString()}\n`;
}
