import { type Container, ContainerModule, injectable, injectFromBase } from 'inversify';
import { z } from 'zod';
import type {
  ClockPlugin,
  Combiner,
  Corrector,
  DatasetCorrector,
  DelayLaw,
  Discipline,
  Fault,
  Filter,
  Format,
  LossLaw,
  Model,
  NetworkPlugin,
  NoisePart,
  Poller,
  Predictor,
  RandomStream,
  ServerBehaviour,
  Sink,
  Source,
  Supervisor,
  Timekeeper,
} from '../contracts/index.js';
import { InputError, nearest, unknownName } from '../errors.js';
import { problemOf } from './problem.js';

/** Every kind of plugin with the contract that it fulfils. A new kind is a line here and a file in contracts/. */
export interface PluginKinds {
  clock: ClockPlugin;
  combiner: Combiner;
  corrector: Corrector;
  'dataset-corrector': DatasetCorrector;
  delay: DelayLaw;
  discipline: Discipline;
  fault: Fault;
  filter: Filter;
  format: Format;
  loss: LossLaw;
  model: Model;
  network: NetworkPlugin;
  noise: NoisePart;
  poller: Poller;
  predictor: Predictor;
  server: ServerBehaviour;
  sink: Sink;
  source: Source;
  supervisor: Supervisor;
  timekeeper: Timekeeper;
}

export type PluginKind = keyof PluginKinds;

/** The kinds in the order in which a measurement meets them. */
export const PLUGIN_KINDS: readonly PluginKind[] = [
  'clock',
  'noise',
  'network',
  'delay',
  'loss',
  'server',
  'fault',
  'format',
  'source',
  'poller',
  'filter',
  'combiner',
  'model',
  'predictor',
  'corrector',
  'dataset-corrector',
  'supervisor',
  'timekeeper',
  'discipline',
  'sink',
];

/** Inject a plugin's own options, validated: `@inject(PluginOptions) private readonly options: z.infer<typeof Options>`. */
export const PluginOptions = Symbol.for('escapement.PluginOptions');

type OptionsSchema = z.ZodType<object>;
// biome-ignore lint/suspicious/noExplicitAny: the container, not the type system, fills constructor parameters.
type PluginClass<K extends PluginKind> = new (...dependencies: any[]) => PluginKinds[K];

/** What a fault is drawn for when chaos draws one: `escapement run --chaos`. */
export interface ChaosScope {
  readonly servers: readonly string[];
  readonly pipelines: readonly string[];
}

/** Options of a random instance, as a scenario would have them; undefined where there can be none. */
export type ChaosDraw = (random: RandomStream, scope: ChaosScope) => Record<string, unknown> | undefined;

export interface PluginDescriptor<K extends PluginKind = PluginKind> {
  readonly kind: K;
  readonly name: string;
  /** One line for `escapement plugins`. */
  readonly summary: string;
  readonly options: OptionsSchema;
  readonly warn?: (options: object, setting: Setting) => readonly string[];
  /** Binds the class; the container in which it is made also has its `PluginOptions`. */
  readonly module: ContainerModule;
  readonly type: PluginClass<K>;
  readonly chaos?: ChaosDraw | undefined;
  readonly example?: Readonly<Record<string, unknown>>;
}

/** What stands around a plugin in its scenario, as far as warnings need it. */
export interface Setting {
  /** Seconds between questions, of every source whose poller has a constant interval. */
  readonly pollIntervals: readonly number[];
  /** Seconds from prediction to prediction, of a pipeline that predicts between measurements. */
  readonly predictEvery: number | undefined;
}

export interface PluginDeclaration<K extends PluginKind, S extends OptionsSchema = OptionsSchema> {
  readonly kind: K;
  readonly name: string;
  readonly summary: string;
  /** A zod object; its defaults, descriptions and limits make the scenario's validation, completion and reference. */
  readonly options: S;
  /** For `validate`: what is allowed but can hardly be meant, one line each. */
  readonly warn?: (options: z.output<S>, setting: Setting) => readonly string[];
  /** Options as a scenario would have them, where some are required: tests and documentation make one from it. */
  readonly example?: Readonly<Record<string, unknown>>;
  /** Of a fault: how chaos draws its options; left out, its defaults. */
  readonly chaos?: ChaosDraw;
}

const registered = new Map<string, PluginDescriptor>();

/** Class decorator: makes a class known as a plugin, under its kind and name, when its file is loaded. */
export function plugin<K extends PluginKind, S extends OptionsSchema>(declaration: PluginDeclaration<K, S>) {
  return <T extends PluginClass<K>>(type: T): void => {
    checkDeclaration(declaration, type.name);
    injectable()(type);
    // A class without a constructor of its own takes what its base class injects.
    if (type.length === 0 && Object.getPrototypeOf(type) !== Function.prototype) injectFromBase()(type);
    const module = new ContainerModule(({ bind }) => {
      bind(type).toSelf().inTransientScope();
    });
    const key = `${declaration.kind}/${declaration.name}`;
    if (registered.has(key)) {
      throw new InputError(type.name, `there is already a ${declaration.kind} named '${declaration.name}'`);
    }
    const descriptor: unknown = { ...declaration, options: strict(declaration.options), module, type };
    registered.set(key, descriptor as PluginDescriptor);
  };
}

/** A misspelt option is an error, also where an author wrote `z.object`. */
function strict(options: OptionsSchema): OptionsSchema {
  return options instanceof z.ZodObject && options.def.catchall === undefined ? options.strict() : options;
}

/** How many there are by now. */
export function pluginCount(): number {
  return registered.size;
}

/** Authors who write JavaScript have no compiler that tells them. */
function checkDeclaration(declaration: PluginDeclaration<PluginKind> | undefined, place: string): void {
  const { kind, name, summary, options } = declaration ?? ({} as Partial<PluginDeclaration<PluginKind>>);
  if (kind === undefined || !PLUGIN_KINDS.includes(kind)) {
    throw unknownName(place, 'kind of plugin', String(kind), PLUGIN_KINDS);
  }
  if (typeof name !== 'string' || !/^[\w.-]+$/.test(name)) {
    throw new InputError(place, `expected a name of letters, digits, "-", "_" and ".", found '${name}'`);
  }
  if (typeof summary !== 'string') throw new InputError(place, `'${name}' has no summary: expected one line of text`);
  if (typeof options?.safeParse !== 'function') {
    throw new InputError(place, `'${name}' has no options: expected a zod object, z.object({}) if there are none`);
  }
}

/** The plugins of a kind that have been loaded, by name. */
export function pluginsOf<K extends PluginKind>(kind: K): readonly PluginDescriptor<K>[] {
  return [...registered.values()]
    .filter((descriptor): descriptor is PluginDescriptor<K> & PluginDescriptor => descriptor.kind === kind)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The plugin of this kind and name, or an error that names the nearest one. */
export function findPlugin<K extends PluginKind>(kind: K, name: string, place: string): PluginDescriptor<K> {
  const found = registered.get(`${kind}/${name}`);
  if (found === undefined) {
    const known = pluginsOf(kind).map(plugin => plugin.name);
    const other = PLUGIN_KINDS.find(another => registered.has(`${another}/${name}`));
    if (other === undefined || nearest(name, known) !== undefined) throw unknownName(place, kind, name, known);
    throw new InputError(place, `expected a ${kind}, found the ${other} '${name}'`, `known: ${known.join(', ')}`);
  }
  return found as PluginDescriptor as PluginDescriptor<K>;
}

/** A plugin chosen in a scenario: its name, and its options as the schema has filled them in. */
export interface PluginChoice {
  readonly use: string;
  readonly [option: string]: unknown;
}

/** Makes one instance of a chosen plugin inside `scope`, which provides the world and whatever else it injects. */
export function makePlugin<K extends PluginKind>(
  kind: K,
  choice: PluginChoice,
  place: string,
  scope: Container,
): PluginKinds[K] {
  const descriptor = findPlugin(kind, choice.use, place);
  const container = childOf(scope);
  container.bind(PluginOptions).toConstantValue(Object.freeze(optionsOf(descriptor, choice, place)));
  container.load(descriptor.module);
  try {
    const made = container.get<PluginKinds[K]>(descriptor.type);
    names.set(made, `${kind} '${choice.use}'`);
    return made;
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(place, `${kind} '${choice.use}' could not be made: ${rootMessage(error)}`);
  }
}

const names = new WeakMap<object, string>();

/** What a plugin is called in messages: "sink 'csv'". */
export function nameOf(made: object): string {
  return names.get(made) ?? made.constructor.name;
}

/** Choices that a schema has resolved already: an author's transforms run once. */
const resolved = new WeakSet<PluginChoice>();

/** Marks a choice whose options stand as the plugin's schema gives them. */
export function asResolved(choice: PluginChoice): PluginChoice {
  resolved.add(choice);
  return choice;
}

function optionsOf(descriptor: PluginDescriptor, choice: PluginChoice, place: string): object {
  const { use, ...options } = choice;
  if (resolved.has(choice)) return options;
  const parsed = descriptor.options.safeParse(options);
  if (!parsed.success) throw inputErrorOf(parsed.error, options, descriptor.options, `${place}.${use}`);
  return parsed.data;
}

function childOf(parent: Container): Container {
  return new (parent.constructor as typeof Container)({ parent });
}

function rootMessage(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  if (inner instanceof InputError) throw inner;
  return inner instanceof Error ? (inner.message.split('\n')[0] ?? '') : String(inner);
}

/** The first problem that a plugin's schema found in its options, as an error with a place. */
function inputErrorOf(error: z.ZodError, input: unknown, schema: OptionsSchema, place: string): InputError {
  const { path, problem, hint } = problemOf(error, input, schema);
  return new InputError(pathTo(place, path), problem, hint);
}

/** `place.a[2].b` */
function pathTo(place: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}.${String(key)}`),
    place,
  );
}
