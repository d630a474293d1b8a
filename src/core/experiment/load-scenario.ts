import { isMap, isScalar, isSeq, LineCounter, parseAllDocuments, parseDocument } from 'yaml';
import type { z } from 'zod';

import { InputError, unknownName } from '../errors.js';
import { WALL } from '../pipeline/steered-wall.js';
import { problemOf } from '../plugin/problem.js';
import { findPlugin, type PluginChoice } from '../plugin/registry.js';
import { formatDuration } from '../quantity.js';
import { NTP_CORRECTION, type PipelineSpec, type Scenario, ScenarioSchema } from './scenario.js';

export interface LoadedScenario {
  readonly scenario: Scenario;
  /** The file it was read from, as the user named it. */
  readonly file: string;
  /** What is allowed but can hardly be meant, one line each, with its place. */
  readonly warnings: readonly string[];
}

/** Every string in a scenario's text: among them the names of the plugins that it uses. */
export function namesIn(text: string): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (node: unknown): void => {
    if (typeof node === 'string') names.add(node);
    else if (Array.isArray(node)) node.forEach(visit);
    else if (typeof node === 'object' && node !== null) {
      if ('ntp_correction' in node) names.add(NTP_CORRECTION);
      Object.values(node).forEach(visit);
    }
  };
  for (const document of parseAllDocuments(text)) visit(document.toJS());
  return names;
}

/** The file that a scenario's YAML says it `extends`, as written there; undefined if it stands by itself. */
export function extendedBy(text: string): string | undefined {
  const content: unknown = parseDocument(text).toJS();
  if (typeof content !== 'object' || content === null || !('extends' in content)) return undefined;
  return typeof content.extends === 'string' ? content.extends : undefined;
}

/**
 * Reads a scenario's YAML. The plugins that it names must have been loaded. `base` is the text of the scenario that it
 * extends, if any, with the texts that one extends after it. Throws an `InputError` with the file, the line and the path
 * of the first problem.
 */
export function loadScenario(text: string, file: string, base: readonly string[] = []): LoadedScenario {
  const below = base.reduceRight<unknown>((under, over) => extended(under, parseDocument(over).toJS()), undefined);
  const document = new YamlFile(text, file, below);
  if (!document.isMap)
    throw new InputError(file, `expected a scenario (a map with \`name\`, \`world\`, …), found ${document.found}`);
  const { ntp_correction: block, ...read } = document.read(ScenarioSchema, []);
  const scenario = { ...read, pipelines: corrected(read.pipelines, block, document) };
  // What a pipeline takes from the block at the top stands there.
  const written = document.valueAt(['pipelines']);
  const isTaken = ([part, index, key]: readonly PropertyKey[]): boolean =>
    block !== undefined &&
    part === 'pipelines' &&
    key === 'corrector' &&
    (!Array.isArray(written) || takesBlock(written[Number(index)]));
  const placeOf = (path: readonly PropertyKey[]): string => document.placeOf(isTaken(path) ? ['ntp_correction'] : path);
  checkReferences(scenario, placeOf);
  return { scenario, file, warnings: warningsOf(scenario, placeOf) };
}

/**
 * The design document's block at the top of a scenario is the corrector of every pipeline that names none; where there
 * is no pipeline, of one that is called after it.
 */
function corrected(
  pipelines: readonly PipelineSpec[],
  block: PluginChoice | undefined,
  document: YamlFile,
): PipelineSpec[] {
  if (block === undefined) return [...pipelines];
  const written = document.valueAt(['pipelines']);
  if (!Array.isArray(written)) {
    return ScenarioSchema.shape.pipelines.parse([{ name: NTP_CORRECTION, corrector: block }]);
  }
  const open = written.map(takesBlock);
  if (!open.includes(true)) {
    throw new InputError(
      document.placeOf(['ntp_correction']),
      'no pipeline takes it: each names a corrector of its own',
    );
  }
  return pipelines.map((pipeline, index) => (open[index] ? { ...pipeline, corrector: block } : pipeline));
}

/** A pipeline, as it was written, that names no corrector of its own. */
function takesBlock(written: unknown): boolean {
  return isRecord(written) && !('corrector' in written || 'ntp_correction' in written);
}

/** What the plugins of each pipeline have to say of their options, and what can never happen. */
function warningsOf(scenario: Scenario, placeOf: (path: readonly PropertyKey[]) => string): readonly string[] {
  const sources = sourcesOf(scenario);
  const warnings = scenario.pipelines.flatMap((pipeline, index) => {
    const heard =
      pipeline.source === undefined ? Object.values(sources) : [pipeline.source].flat().map(s => sources[s]);
    const pollIntervals = heard.flatMap(source => {
      const interval = isChoice(source?.['poller']) ? source['poller']['interval'] : undefined;
      return typeof interval === 'number' ? [interval] : [];
    });
    const setting = { pollIntervals: [...new Set(pollIntervals)], predictEvery: pipeline.predictEvery };
    return PIPELINE_PLUGINS.flatMap(({ key, kind }) =>
      [pipeline[key] ?? []].flat().flatMap(chosen => {
        const found = findPlugin(kind, chosen.use, '').warn?.(chosen, setting) ?? [];
        return found.map(warning => `${placeOf(['pipelines', index, key])} ${warning}`);
      }),
    );
  });
  return [...new Set([...warnings, ...neverStrikes(scenario, placeOf)])];
}

/** Faults that would strike after the run has ended. */
function neverStrikes({ world, duration }: Scenario, placeOf: (path: readonly PropertyKey[]) => string): string[] {
  if (world.kind !== 'simulated' || duration === undefined) return [];
  return world.faults.flatMap(({ at }, index) =>
    at < duration
      ? []
      : [`${placeOf(['world', 'faults', index, 'at'])} never strikes: the run lasts ${formatDuration(duration)}`],
  );
}

function isChoice(value: unknown): value is PluginChoice {
  return typeof value === 'object' && value !== null && 'use' in value;
}

/** Where plugins stand in a pipeline. */
const PIPELINE_PLUGINS = [
  { key: 'filters', kind: 'filter' },
  { key: 'combiner', kind: 'combiner' },
  { key: 'predictor', kind: 'predictor' },
  { key: 'corrector', kind: 'corrector' },
  { key: 'datasetCorrector', kind: 'dataset-corrector' },
  { key: 'supervisors', kind: 'supervisor' },
  { key: 'timekeeper', kind: 'timekeeper' },
] as const;

/**
 * Reads pipelines from YAML: one entry, a list of them, or a scenario, whose pipelines are taken. The plugins that they
 * name must have been loaded. Throws an `InputError` as `loadScenario` does.
 */
export function loadPipelines(text: string, file: string): readonly PipelineSpec[] {
  const document = new YamlFile(text, file);
  const { pipelines, ntp_correction } = ScenarioSchema.shape;
  if (document.isList) return document.read(pipelines, []);
  if (document.isMap && document.has('pipelines')) {
    const block = document.has('ntp_correction') ? document.read(ntp_correction, ['ntp_correction']) : undefined;
    return corrected(document.read(pipelines, ['pipelines']), block, document);
  }
  if (document.isMap) return [document.read(pipelines.unwrap().element, [])];
  const expected = 'a pipeline (a map with `name`, `corrector`, …), a list of them, or a scenario';
  throw new InputError(file, `expected ${expected}; found ${document.found}`);
}

/** Maps are merged key by key; anything else, lists too, is replaced. */
function extended(base: unknown, own: unknown): unknown {
  if (!isRecord(base) || !isRecord(own)) return own === undefined ? base : own;
  // Options belong to their plugin: another plugin does not inherit them.
  if (typeof own['use'] === 'string' && own['use'] !== base['use']) return own;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(own)) merged[key] = extended(base[key], value);
  return merged;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A YAML text with the places of its parts. */
class YamlFile {
  private readonly lines = new LineCounter();
  private readonly document: ReturnType<typeof parseDocument>;
  private readonly value: unknown;

  constructor(
    text: string,
    private readonly file: string,
    private readonly base?: unknown,
  ) {
    this.document = parseDocument(text, { lineCounter: this.lines, prettyErrors: true, strict: true });
    const problem = this.document.errors[0];
    if (problem !== undefined) {
      const { line } = this.lines.linePos(problem.pos[0]);
      throw new InputError(`${file}:${line}`, `is not YAML: ${yamlProblem(problem.code, problem.message)}`);
    }
    try {
      this.value = extended(this.base, this.document.toJS());
    } catch (error) {
      // An alias without an anchor, or aliases of aliases that would fill the memory.
      throw new InputError(file, `is not YAML: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  get isMap(): boolean {
    return isMap(this.document.contents);
  }

  get isList(): boolean {
    return isSeq(this.document.contents);
  }

  /** What there is instead of what was expected. */
  get found(): string {
    const { contents } = this.document;
    if (isMap(contents)) return 'a map';
    if (isSeq(contents)) return 'a list';
    return contents === null || (isScalar(contents) && contents.value === null) ? 'nothing' : 'a text';
  }

  has(key: string): boolean {
    return this.document.has(key);
  }

  /** What stands at `at`, as it was written. */
  valueAt(at: readonly PropertyKey[]): unknown {
    return at.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown>)[key], this.value);
  }

  /** What stands at `at`, read by a schema; throws an `InputError` with the line and the path of the first problem. */
  read<T>(schema: z.ZodType<T>, at: readonly PropertyKey[]): T {
    const input = this.valueAt(at);
    const parsed = schema.safeParse(input);
    if (parsed.success) return parsed.data;
    const { path, problem, hint } = problemOf(parsed.error, input, schema);
    throw new InputError(this.placeOf([...at, ...path]), problem, hint);
  }

  /** `file:line path`, the line being that of the nearest part that is there: of its key, where it has one. */
  placeOf(path: readonly PropertyKey[]): string {
    const where = formatPath(path);
    for (let depth = path.length; depth >= 0; depth--) {
      const node = this.keyAt(path.slice(0, depth)) ?? this.document.getIn(path.slice(0, depth), true);
      if (isRanged(node)) {
        return `${this.file}:${this.lines.linePos(node.range[0]).line}${where === '' ? '' : ` ${where}`}`;
      }
    }
    return `${this.file} ${where}`;
  }

  private keyAt(path: readonly PropertyKey[]): unknown {
    const parent: unknown = this.document.getIn(path.slice(0, -1), true);
    const key = path.at(-1);
    if (path.length === 0 || !isMap(parent)) return undefined;
    return parent.items.find(pair => isScalar(pair.key) && String(pair.key.value) === String(key))?.key;
  }
}

function isRanged(node: unknown): node is { range: [number, number, number] } {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range);
}

export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    '',
  );
}

/** The first line of what the parser says, without the place, which stands before it. */
function yamlProblem(code: string, message: string): string {
  if (code === 'MULTIPLE_DOCS') return 'expected one document, found several';
  return (message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '');
}

/** What the schema cannot see: names that refer to other parts. */
function checkReferences(scenario: Scenario, placeOf: (path: readonly PropertyKey[]) => string): void {
  const sources = Object.keys(sourcesOf(scenario));
  const unique = (list: readonly { readonly name: string }[], path: readonly PropertyKey[], what: string): void => {
    const seen = new Set<string>();
    list.forEach(({ name }, index) => {
      if (seen.has(name))
        throw new InputError(placeOf([...path, index, 'name']), `there are two ${what} named '${name}'`);
      seen.add(name);
    });
  };
  unique(scenario.pipelines, ['pipelines'], 'pipelines');
  scenario.pipelines.forEach((pipeline, index) => {
    if (pipeline.name === BARE_CLOCK) {
      throw new InputError(placeOf(['pipelines', index, 'name']), `'${BARE_CLOCK}' names the uncorrected clock`);
    }
    for (const name of pipeline.source === undefined ? [] : [pipeline.source].flat()) {
      if (!sources.includes(name)) throw unknownName(placeOf(['pipelines', index, 'source']), 'source', name, sources);
    }
  });
  const walls = scenario.pipelines.flatMap(({ name, discipline }) =>
    discipline === undefined ? [] : [`${name}${WALL}`],
  );
  const pipelines = [BARE_CLOCK, ...scenario.pipelines.map(pipeline => pipeline.name), ...walls];
  scenario.pipelines.forEach(({ discipline, name }, index) => {
    if (discipline !== undefined && scenario.world.kind !== 'simulated') {
      throw new InputError(
        placeOf(['pipelines', index, 'discipline']),
        'steers a simulated wall clock: this world has none',
      );
    }
    if (walls.includes(name)) {
      throw new InputError(placeOf(['pipelines', index, 'name']), `'${name}' names a disciplined wall clock`);
    }
  });
  scenario.expectations.forEach(({ pipeline, of = pipeline }, index) => {
    for (const [key, name] of Object.entries({ pipeline, of })) {
      if (!pipelines.includes(name)) {
        throw unknownName(placeOf(['expectations', index, key]), 'pipeline', name, pipelines);
      }
    }
  });
  if (scenario.world.kind === 'simulated') {
    unique(scenario.world.servers, ['world', 'servers'], 'servers');
    const servers = scenario.world.servers.map(server => server.name);
    // By convention an option `servers` of a fault or a source names servers of the world, `pipelines` pipelines.
    const known = (options: Readonly<Record<string, unknown>>, path: readonly PropertyKey[]): void => {
      const named: unknown = options['servers'];
      if (!Array.isArray(named)) return;
      named.forEach((server: unknown, index) => {
        if (typeof server === 'string' && !servers.includes(server.replace(/:\d+$/, ''))) {
          throw unknownName(placeOf([...path, 'servers', index]), 'server', server, servers);
        }
      });
    };
    const own = scenario.pipelines.map(({ name }) => name);
    scenario.world.faults.forEach(({ fault }, index) => {
      known(fault, ['world', 'faults', index]);
      const concerned: unknown = fault['pipelines'];
      if (!Array.isArray(concerned)) return;
      concerned.forEach((pipeline: unknown, at) => {
        if (typeof pipeline === 'string' && !own.includes(pipeline)) {
          throw unknownName(placeOf(['world', 'faults', index, 'pipelines', at]), 'pipeline', pipeline, own);
        }
      });
    });
    for (const [name, source] of Object.entries(sourcesOf(scenario))) known(source, ['sources', name]);
    if (scenario.duration === undefined) throw new InputError(placeOf([]), 'a simulated run needs a `duration`');
  }
  if (scenario.duration !== undefined && scenario.warmup >= scenario.duration) {
    throw new InputError(
      placeOf(['warmup']),
      `expected less than the duration (${scenario.duration} s), found ${scenario.warmup} s`,
    );
  }
}

/** The name under which the uncorrected wall clock is scored. */
export const BARE_CLOCK = 'bare-clock';

/** A scenario's sources: those that it names, or one that fits its world. */
export function sourcesOf(scenario: Scenario): NonNullable<Scenario['sources']> {
  return (
    scenario.sources ?? {
      [scenario.world.kind === 'replayed' ? 'trace' : 'ntp']: {
        use: scenario.world.kind === 'replayed' ? 'replay' : 'ntp',
      },
    }
  );
}
