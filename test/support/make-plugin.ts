import { Container } from 'inversify';
import {
  findPlugin,
  makePlugin,
  type PluginChoice,
  type PluginKind,
  type PluginKinds,
} from '../../src/core/plugin/registry.js';
import { InputFolder, PluginFactory, Streams } from '../../src/core/plugin/tokens.js';
import { randomStream } from '../../src/core/world/random.js';

/** Makes a plugin as a scenario would, with its defaults filled in, drawing from streams of its own. */
export function made<K extends PluginKind>(kind: K, choice: PluginChoice, seed = '1', part = 'part'): PluginKinds[K] {
  const scope = new Container();
  scope.bind(Streams).toConstantValue((name: string) => randomStream(seed, `${part}/${name}`));
  scope.bind(InputFolder).toConstantValue('.');
  const factory: PluginFactory = (innerKind, inner, name) =>
    made(innerKind, inner, seed, `${part}/${name ?? innerKind}`);
  scope.bind(PluginFactory).toConstantValue(factory);
  return makePlugin(kind, choice, 'test', scope);
}

/** What is wrong with a plugin's options, as its schema says it. */
export function problemsOf(kind: PluginKind, { use, ...options }: PluginChoice): string[] {
  const parsed = findPlugin(kind, use, 'test').options.safeParse(options);
  return parsed.success ? [] : parsed.error.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`);
}
