import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { optionsJsonSchema } from '../../src/core/experiment/json-schema.js';
import { PLUGIN_KINDS, type PluginDescriptor, type PluginKind, pluginsOf } from '../../src/core/plugin/registry.js';
import { loadAllPlugins } from '../../src/plugins/index.js';
import { conform } from './rules.js';

await loadAllPlugins();
const folder = fileURLToPath(new URL('../../src/plugins/', import.meta.url));
const FOLDERS: Partial<Record<PluginKind, string>> = { loss: 'losses' };

describe.each(PLUGIN_KINDS)('%s', kind => {
  const plugins: readonly PluginDescriptor<typeof kind>[] = pluginsOf(kind);
  const home = `${folder}${FOLDERS[kind] ?? `${kind}s`}/`;

  test('is a kind of which there are plugins, each in a file of its name', () => {
    expect(existsSync(home)).toBe(true);
    const files = readdirSync(home).filter(file => file.endsWith('.ts'));
    expect(plugins.length).toBeGreaterThan(0);
    for (const { name } of plugins) expect(files).toContain(`${name}.ts`);
  });

  describe.each(plugins.map(plugin => [plugin.name, plugin] as const))('%s', (_name, plugin) => {
    test('says what it is, and every option what it means', () => {
      expect(plugin.summary).not.toBe('');
      const { properties = {} } = optionsJsonSchema(plugin) as {
        properties?: Record<string, { description?: string }>;
      };
      for (const [option, { description }] of Object.entries(properties)) {
        expect(description, `option ${option}`).toBeTruthy();
      }
    });
    conform(kind, plugin);
  });
});
