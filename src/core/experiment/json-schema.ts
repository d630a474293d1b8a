import { z } from 'zod';
import { PLUGIN_KIND_KEY } from '../plugin/choice.js';
import { findPlugin, PLUGIN_KINDS, type PluginDescriptor, type PluginKind, pluginsOf } from '../plugin/registry.js';
import { FAULT_KEY, OPTIONS_KEY, ScenarioSchema } from './scenario.js';

type Json = { [key: string]: unknown };

/**
 * The JSON Schema of scenario files. Where a plugin of some kind may stand, every loaded plugin of that kind is offered,
 * by its name or with its options: so load all plugins first.
 */
export function scenarioJsonSchema(): Json {
  const schema = z.toJSONSchema(ScenarioSchema, { io: 'input', unrepresentable: 'any' }) as Json;
  const definitions: Json = {};
  for (const kind of PLUGIN_KINDS) {
    const plugins = pluginsOf(kind);
    if (plugins.length > 0)
      definitions[kind] = { anyOf: [names(plugins), ...plugins.map(plugin => withOptions(plugin))] };
  }
  definitions['fault-on-timeline'] = { anyOf: pluginsOf('fault').map(plugin => withOptions(plugin, timing())) };
  return { ...(offerPlugins(schema) as Json), $defs: offerPlugins(definitions) as Json };
}

/** The JSON Schema of one plugin's options. */
export function optionsJsonSchema(plugin: PluginDescriptor<PluginKind>): Json {
  const { $schema: _, ...schema } = z.toJSONSchema(plugin.options, { io: 'input', unrepresentable: 'any' }) as Json;
  return schema;
}

function names(plugins: readonly PluginDescriptor[]): Json {
  return { type: 'string', oneOf: plugins.map(({ name, summary }) => ({ const: name, description: summary })) };
}

function withOptions(plugin: PluginDescriptor, more: Json = {}): Json {
  const options = optionsJsonSchema(plugin);
  return {
    ...options,
    description: plugin.summary,
    properties: {
      use: { const: plugin.name, description: plugin.summary },
      ...more,
      ...(options['properties'] as Json),
    },
    required: ['use', ...('at' in more ? ['at'] : []), ...((options['required'] as string[] | undefined) ?? [])],
  };
}

/** The timing keys that a fault on the timeline has besides its own options. */
function timing(): Json {
  const schema = z.toJSONSchema(ScenarioSchema, { io: 'input', unrepresentable: 'any' });
  const found = find(schema, node => FAULT_KEY in node) as { anyOf: { properties: Json }[] };
  const { at, for: lasting, every, chance } = found.anyOf[0]!.properties;
  return { at, for: lasting, every, chance };
}

function find(node: unknown, test: (node: Json) => boolean): Json | undefined {
  if (typeof node !== 'object' || node === null) return undefined;
  if (!Array.isArray(node) && test(node as Json)) return node as Json;
  for (const inner of Object.values(node)) {
    const found = find(inner, test);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Replaces "a plugin of this kind" by a reference to the definition that offers them. */
function offerPlugins(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(offerPlugins);
  if (typeof node !== 'object' || node === null) return node;
  const { [PLUGIN_KIND_KEY]: kind, [FAULT_KEY]: fault, [OPTIONS_KEY]: options, ...rest } = node as Json;
  const keep: Json = {};
  for (const key of ['description', 'default']) if (key in rest) keep[key] = rest[key];
  if (typeof kind === 'string') return { ...keep, $ref: `#/$defs/${kind}` };
  if (options !== undefined) {
    const { kind: of, name } = options as { kind: PluginKind; name: string };
    return { ...(offerPlugins(optionsJsonSchema(findPlugin(of, name, ''))) as Json), ...keep };
  }
  if (fault !== undefined) return { ...keep, $ref: '#/$defs/fault-on-timeline' };
  return Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, offerPlugins(value)]));
}
