import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'inversify';
import { z } from 'zod';
import {
  type Model,
  type OpenModel,
  type Tensor,
  type TensorData,
  type Tensors,
  World,
} from '../../core/contracts/index.js';
import { InputError, UnavailableError } from '../../core/errors.js';
import {
  checkLengths,
  type Declared,
  differenceFrom,
  type ForecastCard,
  type Golden,
  type ModelCard,
  misshapen,
  parseCard,
  parseGolden,
  product,
} from '../../core/models/card.js';
import { exampleOf, feedsOf, filled } from '../../core/models/feeds.js';
import { forecastOf, isAbsurd } from '../../core/models/forecast.js';
import { dataFilesOf, opsetOf } from '../../core/models/onnx-file.js';
import { type Engine, type Limits, Questions, rowsOf, stacked } from '../../core/models/questions.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { InputFolder } from '../../core/plugin/tokens.js';
import { duration } from '../../core/quantity.js';

const Options = z.strictObject({
  card: z.string().min(1).meta({
    description: 'The card (JSON) beside the model, relative to the scenario; or the name of a shipped model.',
  }),
  worker: z.boolean().optional().meta({
    description:
      'In a process of its own, whatever the card says; left out: if the file is over 4 MB or a run over 5 ms.',
  }),
  timeLimit: duration('In real time, how long an answer is waited for.').prefault('2 s'),
  queue: z.int().min(1).default(4).meta({
    description: 'In real time, how many questions wait for a worker; the oldest gives way, the newest goes first.',
  }),
});

/** A file larger than this, or a run that takes longer (seconds), has a process of its own. */
const LARGE = 4e6;
const SLOW = 0.005;

/** A run that takes longer while a model is checked (seconds) is no use to anybody. */
const CHECK_LIMIT = 60;

/**
 * One thread, in order, fixed optimisations, no arena: lowest latency for small models, and the same bits for the same
 * input. (More threads spin on a busy machine.)
 */
const SESSION = {
  executionProviders: ['cpu'],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  enableCpuMemArena: false,
  enableMemPattern: false,
  logSeverityLevel: 3,
} as const;

/**
 * Runs a model in the ONNX format by onnxruntime-node. Before anything else the files' SHA-256, the session's own inputs
 * and outputs, and the golden pair are compared with the card. All who open the same file share one session; questions
 * that are asked together, before anything else happens in the thread, go through it as one batch, where the model takes
 * one. A session blocks the thread that it runs in: large and slow models get a worker, which is a process.
 */
@plugin({
  kind: 'model',
  name: 'onnx',
  summary: 'A model in the ONNX format, with its card',
  options: Options,
  example: { card: 'model.json' },
})
export class OnnxModel implements Model {
  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(InputFolder) private readonly folder: string,
    @inject(World) private readonly world: World,
  ) {}

  open(): Promise<OpenModel> {
    const { worker, timeLimit, queue } = this.options;
    const file = cardFile(this.options.card, this.folder);
    // What is late in real time would make a simulation depend on the machine: virtual time waits for every answer.
    return openCard(file, worker, this.world.kind === 'real' ? { timeLimit, queue } : undefined);
  }
}

/** Loads a card and its model, and compares one with the other. */
export async function openCard(file: string, worker?: boolean, limits?: Limits): Promise<OpenModel> {
  return openCardText(read(file, 'utf8'), file, worker, limits);
}

/** The same for what is to stand in the file. */
export async function openCardText(text: string, file: string, worker?: boolean, limits?: Limits): Promise<OpenModel> {
  const card = parseCard(text, file);
  const modelFile = resolve(dirname(file), card.file);
  const bytes = read(modelFile);
  const hash = createHash('sha256').update(bytes).digest('hex');
  if (hash !== card.sha256) throw otherFile(modelFile, card.sha256, hash);
  const wanted = worker ?? card.runtime.worker;
  const shared = await sessionOf(`${modelFile} ${hash} ${wanted} ${text}`, { file, modelFile, bytes, card, wanted });
  return new Questions(card, shared, limits);
}

/** The card's file: a path from the scenario's folder, or a model that is shipped, by its name. */
export function cardFile(card: string, folder: string): string {
  const path = resolve(folder, card);
  if (existsSync(path) || card.endsWith('.json')) return path;
  for (let root = dirname(fileURLToPath(import.meta.url)); ; root = dirname(root)) {
    const shipped = join(root, 'models', `${card}.json`);
    if (existsSync(shipped)) return shipped;
    if (existsSync(join(root, 'package.json')) || root === dirname(root)) return path;
  }
}

function read(file: string, encoding: 'utf8'): string;
function read(file: string): Buffer;
function read(file: string, encoding?: 'utf8'): string | Buffer {
  refuseOther(file);
  try {
    return readFileSync(file, encoding);
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** A pipe or a device may never end, or never begin. */
export function refuseOther(file: string): void {
  const about = statSync(file, { throwIfNoEntry: false });
  if (about === undefined || about.isFile() || about.isDirectory()) return;
  throw new InputError(file, 'cannot be read: expected a regular file, found a pipe, a socket or a device');
}

function unreadable(file: string, error: unknown): InputError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return new InputError(
    file,
    `cannot be read: ${code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'it is a folder' : String(error)}`,
  );
}

interface Loading {
  readonly file: string;
  readonly modelFile: string;
  readonly bytes: Uint8Array;
  readonly card: ModelCard;
  /** In a worker; undefined: as it turns out. */
  readonly wanted: boolean | undefined;
}

const sessions = new Map<string, Promise<Engine>>();

function sessionOf(key: string, loading: Loading): Promise<Engine> {
  const known = sessions.get(key);
  if (known !== undefined) return known;
  const loaded = load(loading);
  sessions.set(key, loaded);
  // What failed may have been mended by the next time.
  loaded.catch(() => sessions.delete(key));
  return loaded;
}

async function load({ file, modelFile, bytes, card, wanted }: Loading): Promise<Engine> {
  const opset = card.opset === undefined ? undefined : opsetOf(bytes);
  if (opset !== undefined && opset !== card.opset) {
    throw new InputError(`${file} opset`, `the card says ${card.opset}, the model ${opset}`);
  }
  const size = bytes.length + (await checkFiles(card, file, modelFile, bytes));
  const golden = goldenPair(card, file);
  // What is not known yet is tried in a worker, where it can take its time.
  const engine: CheckedEngine =
    wanted === false ? await InlineEngine.start(modelFile, card) : await WorkerEngine.start(modelFile, card);
  try {
    const difference = differenceFrom(card, engine.inputs, engine.outputs);
    if (difference !== undefined) throw new InputError(`${file} ${difference.path}`, difference.problem);
    const begun = performance.now();
    const found = await compare(engine, golden, card, file);
    const rows = card.task === 'forecast' ? await probe(engine, found, card, file) : undefined;
    const apart = takesBatches(card, engine.inputs) ? await rowsApart(engine, rows, golden, card) : undefined;
    const passed = (performance.now() - begun) / 1000;
    let used = engine;
    // The first run warmed it up; the machine may be busy with something else in one of the others.
    if (wanted === undefined && size <= LARGE && passed < 1000 * SLOW) {
      let least = Number.POSITIVE_INFINITY;
      for (let k = 0; k < 5 && least > SLOW; k++) {
        await engine.run(tensorsOf(golden.inputs, card));
        least = Math.min(least, engine.took ?? 0);
      }
      if (least <= SLOW) {
        used = await InlineEngine.start(modelFile, card);
        engine.close?.();
      }
    }
    used.batches = apart === true;
    if (apart === false) used.where += ', one question at a time: its answers differ where several share a batch';
    return used;
  } catch (error) {
    engine.close?.();
    throw error;
  }
}

/**
 * The files beside a model that hold weights of it: the card names them all, with their SHA-256. Returns their bytes.
 * They may be larger than what can be read at once.
 */
async function checkFiles(card: ModelCard, file: string, modelFile: string, bytes: Uint8Array): Promise<number> {
  const own = dataFilesOf(bytes);
  const missing = own.find(name => !card.files.some(listed => listed.name === name));
  if (missing !== undefined) {
    throw new InputError(
      `${file} files`,
      `expected '${missing}' among them, in which the model keeps weights`,
      `escapement model ${file} --fill lists them with their SHA-256`,
    );
  }
  let size = 0;
  for (const [i, { name, sha256 }] of card.files.entries()) {
    if (!own.includes(name)) {
      const found = own.map(one => `'${one}'`).join(', ') || 'no file beside it';
      throw new InputError(`${file} files[${i}].name`, `the model keeps no weights in '${name}': it names ${found}`);
    }
    const beside = weightsFile(modelFile, name);
    const found = await hashOf(beside);
    if (found.sha256 !== sha256) throw otherFile(beside, sha256, found.sha256);
    size += found.bytes;
  }
  return size;
}

/** A file that a model names is in its folder, and is one: what a model is read from is not for the model to choose. */
function weightsFile(modelFile: string, name: string): string {
  const folder = dirname(modelFile);
  const file = resolve(folder, name);
  if (isAbsolute(name) || relative(folder, file).startsWith('..')) {
    throw new InputError(
      modelFile,
      `expected to find all its weights in its own folder, found that it names '${name}'`,
    );
  }
  refuseOther(file);
  return file;
}

async function hashOf(file: string): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  } catch (error) {
    throw unreadable(file, error);
  }
  return { sha256: hash.digest('hex'), bytes };
}

function otherFile(file: string, expected: string, found: string): InputError {
  return new InputError(
    file,
    `expected the SHA-256 of its card, ${expected}, found ${found}`,
    'the model is not the one that the card describes, or the file is damaged',
  );
}

/** The input of a card's golden pair. */
export function goldenOf(card: ModelCard, file: string): Tensors {
  return tensorsOf(goldenPair(card, file).inputs, card);
}

function goldenPair(card: ModelCard, file: string): Golden {
  if (typeof card.golden !== 'string') return card.golden;
  const path = resolve(dirname(file), card.golden);
  return parseGolden(read(path, 'utf8'), path);
}

function tensorsOf(given: Golden['inputs'], card: ModelCard): Tensors {
  const tensors = card.inputs.map(({ name, dtype }): [string, Tensor] => {
    const { dims, data } = given[name]!;
    return [name, { dims, data: filled(dtype, data.length, i => data[i] ?? Number.NaN) }];
  });
  return Object.fromEntries(tensors);
}

/** While a model is checked nobody else sets a limit to a run. (One in this thread cannot be ended.) */
async function inTime(engine: CheckedEngine, running: Promise<Tensors>): Promise<Tensors> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      engine.close?.();
      reject(new Error(`no answer within ${CHECK_LIMIT} s`));
    }, 1000 * CHECK_LIMIT);
  });
  try {
    return await Promise.race([running, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The golden input must give the golden output, which is returned as the model gave it. */
async function compare(engine: CheckedEngine, golden: Golden, card: ModelCard, file: string): Promise<Tensors> {
  for (const input of card.inputs) {
    const { name, dtype } = input;
    const place = `${file} golden.inputs.${name}`;
    const given = golden.inputs[name];
    if (given === undefined) throw new InputError(`${file} golden.inputs`, `expected '${name}' among them`);
    const wrong = misshapen(input, given.dims);
    if (wrong !== undefined) throw new InputError(`${place}.dims`, wrong);
    sized(given, place);
    const hole = given.data.indexOf(null);
    if (hole >= 0 && !dtype.startsWith('float')) {
      throw new InputError(`${place}[${hole}]`, `expected a number, as it is ${dtype}, found null`);
    }
  }
  for (const { name } of card.outputs) {
    const place = `${file} golden.outputs.${name}`;
    const expected = golden.outputs[name];
    if (expected === undefined) throw new InputError(`${file} golden.outputs`, `expected '${name}' among them`);
    sized(expected, place);
    const hole = expected.data.indexOf(null);
    if (hole >= 0)
      throw new InputError(`${place}[${hole}]`, 'golden output is not finite: expected a number, found null');
  }
  const found = await asked(engine, tensorsOf(golden.inputs, card), `${file} golden`, 'it');
  for (const [i, output] of card.outputs.entries()) {
    const { name } = output;
    const { data, dims } = found[name]!;
    const wrong = misshapen(output, dims);
    if (wrong !== undefined) throw new InputError(`${file} outputs[${i}]`, wrong);
    const expected = golden.outputs[name]!;
    if (dims.join() !== expected.dims.join()) {
      throw new InputError(
        `${file} golden.outputs.${name}.dims`,
        `expected [${dims.join(', ')}], as the model gave, found [${expected.dims.join(', ')}]`,
      );
    }
    for (let k = 0; k < data.length; k++) {
      const value = Number(data[k]);
      const wanted = expected.data[k]!;
      if (Math.abs(value - wanted) <= golden.tolerance) continue;
      throw new InputError(
        `${file} golden.outputs.${name}[${k}]`,
        `expected ${wanted} within ${golden.tolerance}, the model gave ${value}`,
      );
    }
  }
  return found;
}

function sized({ dims, data }: { dims: readonly number[]; data: readonly unknown[] }, place: string): void {
  if (product(dims) === data.length) return;
  throw new InputError(
    `${place}.data`,
    `expected ${product(dims)} values for [${dims.join(', ')}], found ${data.length}`,
  );
}

async function asked(engine: CheckedEngine, inputs: Tensors, place: string, what: string): Promise<Tensors> {
  try {
    return await inTime(engine, engine.run(inputs));
  } catch (error) {
    throw new InputError(place, `the model cannot be run on ${what}: ${firstLine(error)}`);
  }
}

/**
 * The card's own reading of the golden answer, and of answers to a plausible series and its mirror image: what a run would
 * only drop, answer by answer, is refused here. (An answer to one of the two may be bad: that is what dropping is for.)
 */
async function probe(
  engine: CheckedEngine,
  golden: Tensors,
  card: ForecastCard,
  file: string,
): Promise<readonly Row[]> {
  for (const [i, output] of card.outputs.entries()) {
    // Where the card leaves a length open the model's own counts.
    checkLengths({ ...output, shape: [...golden[output.name]!.dims] }, card, `${file} outputs[${i}]`);
  }
  const refusals: string[] = [];
  const rows: Row[] = [];
  for (const sign of [1, -1] as const) {
    const context = exampleOf(card, sign);
    if (context === undefined) {
      throw new InputError(`${file} context`, 'expected that a plausible series can be shown, found nothing to show');
    }
    if (sign === 1) {
      const read = forecastOf(golden, context, card);
      if (typeof read === 'string')
        throw new InputError(`${file} golden.outputs`, `expected a forecast, found: ${read}`);
    }
    const inputs = feedsOf(context, card);
    const answer = await asked(engine, inputs, `${file} inputs`, 'a plausible series');
    for (const [i, output] of card.outputs.entries()) {
      const wrong = misshapen(output, answer[output.name]!.dims, 1);
      if (wrong !== undefined) throw new InputError(`${file} outputs[${i}]`, `for a plausible series ${wrong}`);
    }
    const read = forecastOf(answer, context, card);
    const refusal = typeof read === 'string' ? read : isAbsurd(read) ? 'absurd' : undefined;
    if (refusal !== undefined) refusals.push(refusal);
    rows.push({ inputs, outputs: answer });
  }
  if (refusals.length === 2) {
    throw new InputError(`${file} outputs`, `expected forecasts for two plausible series, found: ${refusals[0]}`);
  }
  const [one, other] = rows.map(({ outputs }) => card.outputs.map(({ name }) => outputs[name]!.data.join()).join());
  if (one === other) {
    throw new InputError(`${file} outputs`, 'expected other forecasts for another series, found the same for both');
  }
  return rows;
}

interface Row {
  readonly inputs: Tensors;
  readonly outputs: Tensors;
}

/**
 * Whether several questions in a batch are answered as each alone. An export may say that its batch is of any length and
 * yet mix the rows, or have been traced with one: then questions have to come one by one.
 */
async function rowsApart(
  engine: CheckedEngine,
  probes: readonly Row[] | undefined,
  golden: Golden,
  card: ModelCard,
): Promise<boolean> {
  try {
    const rows = probes ?? (await mirrored(engine, tensorsOf(golden.inputs, card)));
    const outputs = await inTime(engine, engine.run(stacked(rows.map(({ inputs }) => inputs))));
    const answers = rowsOf(outputs, rows.length);
    return rows.every((row, k) =>
      card.outputs.every(({ name }) => {
        const { data, dims } = answers[k]![name]!;
        const alone = row.outputs[name]!;
        if (dims.join() !== alone.dims.join()) return false;
        return Array.from(alone.data as Float32Array, Number).every((value, i) => {
          const found = Number(data[i]);
          return Object.is(found, value) || Math.abs(found - value) <= golden.tolerance;
        });
      }),
    );
  } catch {
    // Not even run with two, or answered with another number of rows.
    return false;
  }
}

/** A question that is known, and one that differs from it in all that is no integer, with their answers. */
async function mirrored(engine: CheckedEngine, inputs: Tensors): Promise<readonly Row[]> {
  const others = Object.entries(inputs).map(([name, { data, dims }]): [string, Tensor] => [
    name,
    {
      dims,
      data: data instanceof Float32Array || data instanceof Float64Array ? data.map(value => 0.5 * value) : data,
    },
  ]);
  const rows: Row[] = [];
  for (const one of [inputs, Object.fromEntries(others)]) {
    rows.push({ inputs: one, outputs: await inTime(engine, engine.run(one)) });
  }
  return rows;
}

type Ort = typeof import('onnxruntime-node');
type InferenceSession = import('onnxruntime-node').InferenceSession;
type OrtTensor = import('onnxruntime-node').Tensor;

async function runtime(): Promise<Ort> {
  try {
    return await import('onnxruntime-node');
  } catch (error) {
    throw new UnavailableError(
      'onnxruntime-node',
      `cannot be loaded here: ${firstLine(error)}`,
      'models need it, everything else works without: npm install onnxruntime-node --onnxruntime-node-install=skip',
    );
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}

interface Metadata {
  readonly name: string;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}

function declaredBy(metadata: readonly Metadata[]): readonly Declared[] {
  return metadata.map(({ name, type = 'no tensor', shape = [] }) => ({ name, dtype: type, shape }));
}

function refused(modelFile: string, error: unknown): InputError {
  // Its messages begin with the file's name again, and with a place in its own sources.
  const why = firstLine(error)
    .replace(/^Load model from .*? failed:\s*/, '')
    .replace(/^\S+\.(h|cc|cpp):\d+ .*?\)\s+(?=[A-Z])/, '');
  return new InputError(modelFile, `onnxruntime cannot load it: ${why}`);
}

async function sessionFor(modelFile: string): Promise<{ readonly ort: Ort; readonly session: InferenceSession }> {
  const ort = await runtime();
  try {
    return { ort, session: await ort.InferenceSession.create(modelFile, SESSION) };
  } catch (error) {
    throw refused(modelFile, error);
  }
}

/** An engine that says what its model takes and gives; whether it takes batches is for the check to find out. */
interface CheckedEngine extends Engine {
  readonly inputs: readonly Declared[];
  readonly outputs: readonly Declared[];
  where: string;
  batches: boolean;
  /** Of a worker: how long the last run took by itself, without the way there and back, seconds. */
  readonly took?: number;
  close?(): void;
}

/** A session in this thread. Runs follow each other. */
class InlineEngine implements CheckedEngine {
  where = 'inline';
  batches = false;

  constructor(
    private readonly ort: Ort,
    private readonly session: InferenceSession,
    private readonly card: ModelCard,
  ) {}

  static async start(modelFile: string, card: ModelCard): Promise<InlineEngine> {
    const { ort, session } = await sessionFor(modelFile);
    return new InlineEngine(ort, session, card);
  }

  get inputs(): readonly Declared[] {
    return declaredBy(this.session.inputMetadata as readonly Metadata[]);
  }

  get outputs(): readonly Declared[] {
    return declaredBy(this.session.outputMetadata as readonly Metadata[]);
  }

  async run(inputs: Tensors): Promise<Tensors> {
    const { ort, card } = this;
    const feeds: Record<string, OrtTensor> = {};
    for (const { name, dtype } of card.inputs) {
      const { data, dims } = inputs[name]!;
      feeds[name] = new ort.Tensor(dtype, data as Float32Array, dims);
    }
    const results = await this.session.run(
      feeds,
      card.outputs.map(({ name }) => name),
    );
    return Object.fromEntries(
      Object.entries(results as Record<string, OrtTensor>).map(([name, { data, dims }]) => [
        name,
        { data: data as TensorData, dims },
      ]),
    );
  }
}

/** Whether every input and output has a batch of any length, first. */
function takesBatches(card: ModelCard, declared: readonly Declared[]): boolean {
  const open = (index: number, name: string): boolean =>
    index === 0 && typeof declared.find(input => input.name === name)?.shape[0] !== 'number';
  return (
    card.inputs.every(({ name, layout }) => open(layout.indexOf('batch'), name)) &&
    card.outputs.every(({ layout }) => layout.indexOf('batch') === 0)
  );
}

/** What the worker is told and tells. */
interface Asked {
  readonly id: number;
  readonly inputs: Readonly<
    Record<string, { readonly dtype: string; readonly data: TensorData; readonly dims: readonly number[] }>
  >;
  readonly outputs: readonly string[];
}
interface Ready {
  readonly inputs: readonly Metadata[];
  readonly outputs: readonly Metadata[];
}
interface Answered {
  readonly id: number;
  readonly outputs?: Tensors;
  readonly took?: number;
  readonly error?: string;
}

/** The worker's whole program: it is given as text, so nothing outside it can be used in it. */
function serve(
  load: (file: string) => Ort,
  Thread: typeof import('node:worker_threads').Worker,
  { runtime, file, options }: ReturnType<typeof assignment>,
): void {
  const tell = (message: object): void => void process.send!(message);
  const told = (error: unknown): string => (error instanceof Error ? error.message : String(error));
  // A key at a terminal and the stop of a service reach both processes: the one that asks says when it is over.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
  process.on('disconnect', () => process.exit());
  // In the middle of a run nothing is heard of that: a thread beside it looks whether anybody is left to answer.
  const orphaned = "if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');";
  new Thread(`const parent = process.ppid; setInterval(() => { ${orphaned} }, 1000);`, { eval: true }).unref();
  const begin = async (): Promise<void> => {
    const ort = load(runtime);
    const session = await ort.InferenceSession.create(file, options);
    const named = (list: readonly object[]) => list.map(entry => ({ ...entry }));
    process.on('message', async ({ id, inputs, outputs }: Asked) => {
      try {
        const feeds: Record<string, OrtTensor> = {};
        for (const [name, { dtype, data, dims }] of Object.entries(inputs)) {
          feeds[name] = new ort.Tensor(dtype as 'float32', data as Float32Array, dims);
        }
        const begun = performance.now();
        const results = await session.run(feeds, outputs);
        const took = (performance.now() - begun) / 1000;
        const plain = Object.entries(results).map(([name, { data, dims }]) => [name, { data, dims: [...dims] }]);
        tell({ id, took, outputs: Object.fromEntries(plain) });
      } catch (error) {
        tell({ id, error: told(error) });
      }
    });
    tell({ inputs: named(session.inputMetadata), outputs: named(session.outputMetadata) });
  };
  begin().catch(error => tell({ error: told(error) }));
}

function assignment(modelFile: string) {
  const { resolve: path } = createRequire(import.meta.url);
  return { runtime: path('onnxruntime-node'), file: modelFile, options: SESSION };
}

/** Whatever a worker is doing when this process ends, it does it for nobody. */
const workers = new Set<ChildProcess>();
process.on('exit', () => {
  for (const worker of workers) worker.kill('SIGKILL');
});

/**
 * A session in a process of its own. A thread will not do: a run is one native call, and a thread that is ended in the
 * middle of one takes the whole process with it. A process can be killed at any time.
 */
class WorkerEngine implements CheckedEngine {
  where = 'in a worker';
  batches = false;
  took = 0;
  private readonly waiting = new Map<number, { resolve(outputs: Tensors): void; reject(error: Error): void }>();
  private next = 0;
  private worker: ChildProcess | undefined;
  private ready: Promise<Ready> | undefined;
  inputs: readonly Declared[] = [];
  outputs: readonly Declared[] = [];

  private constructor(
    private readonly modelFile: string,
    /** What is asked of it and for; undefined where each question says so. */
    private readonly card: ModelCard | undefined,
  ) {}

  static async start(modelFile: string, card?: ModelCard): Promise<WorkerEngine> {
    await runtime();
    const engine = new WorkerEngine(modelFile, card);
    const { inputs, outputs } = await engine.begin();
    engine.inputs = declaredBy(inputs);
    engine.outputs = declaredBy(outputs);
    return engine;
  }

  async run(inputs: Tensors, begun?: () => void, card = this.card!): Promise<Tensors> {
    // One that was started again may still be loading, and one that has ended by itself is started when it is needed.
    await this.begin();
    begun?.();
    const id = this.next++;
    const feeds = Object.fromEntries(
      card.inputs.map(({ name, dtype }) => [name, { dtype, data: inputs[name]!.data, dims: inputs[name]!.dims }]),
    );
    const asked: Asked = { id, inputs: feeds, outputs: card.outputs.map(({ name }) => name) };
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      // A process may end while nobody asks.
      this.worker?.ref();
      this.worker?.channel?.ref();
      this.worker?.send(asked, error => {
        if (error !== null) this.answered({ id, error: error.message });
      });
    });
  }

  restart(): void {
    this.close();
    this.fail(new Error('the model did not answer and was started again'));
    // A failure is told to whoever asks next.
    this.begin().catch(() => {});
  }

  close(): void {
    const { worker } = this;
    this.worker = undefined;
    this.ready = undefined;
    if (worker === undefined) return;
    worker.kill('SIGKILL');
    idle(worker);
  }

  private begin(): Promise<Ready> {
    this.ready ??= new Promise((resolve, reject) => {
      const code = `(${serve})(require, require('node:worker_threads').Worker, ${JSON.stringify(assignment(this.modelFile))})`;
      const { NODE_OPTIONS: _, ...env } = process.env;
      // What the runtime prints stands in the answer, too.
      const stdio = ['ignore', 'ignore', 'ignore', 'ipc'] as const;
      const worker = spawn(process.execPath, ['-e', code], { stdio: [...stdio], serialization: 'advanced', env });
      this.worker = worker;
      workers.add(worker);
      const gone = (why: string): void => {
        workers.delete(worker);
        const error = new Error(`its worker ${why}`);
        reject(refused(this.modelFile, error));
        if (this.worker !== worker) return;
        this.worker = undefined;
        this.ready = undefined;
        this.fail(error);
      };
      worker.on('message', (message: Answered | Ready | { readonly error: string }) => {
        if (this.worker !== worker) return;
        if ('id' in message) this.answered(message);
        else if ('error' in message) {
          this.close();
          reject(refused(this.modelFile, new Error(message.error)));
        } else {
          if (this.waiting.size === 0) idle(worker);
          resolve(message);
        }
      });
      worker.on('error', error => gone(`cannot be started: ${error.message}`));
      worker.on('exit', (code, signal) => gone(`has ended (${signal ?? `code ${code}`})`));
    });
    return this.ready;
  }

  private answered({ id, outputs, took, error }: Answered): void {
    this.took = took ?? this.took;
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (this.waiting.size === 0 && this.worker !== undefined) idle(this.worker);
    if (outputs !== undefined) waiting?.resolve(outputs);
    else waiting?.reject(new Error(error));
  }

  private fail(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}

/** It keeps no process from ending. */
function idle(worker: ChildProcess): void {
  worker.unref();
  worker.channel?.unref();
}

export interface BareModel {
  readonly sha256: string;
  readonly bytes: number;
  readonly opset: number | undefined;
  /** Those beside it that hold weights of it. */
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
  readonly inputs: readonly Declared[];
  readonly outputs: readonly Declared[];
  run(inputs: Tensors, card: ModelCard): Promise<Tensors>;
}

/** For `escapement model`: a file that has no card yet, or one that is being written. */
export async function openBare(modelFile: string): Promise<BareModel> {
  const bytes = read(modelFile);
  const files: { name: string; bytes: number; sha256: string }[] = [];
  for (const name of dataFilesOf(bytes)) files.push({ name, ...(await hashOf(weightsFile(modelFile, name))) });
  const engine = await WorkerEngine.start(modelFile);
  return {
    sha256: createHash('sha256').update(bytes).digest('hex'),
    bytes: bytes.length,
    opset: opsetOf(bytes),
    files,
    inputs: engine.inputs,
    outputs: engine.outputs,
    run: (inputs, card) => inTime(engine, engine.run(inputs, undefined, card)),
  };
}
