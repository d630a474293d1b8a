import { chmodSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Tensors } from '../core/contracts/index.js';
import { InputError, unknownName } from '../core/errors.js';
import {
  type Declared,
  differenceFrom,
  type ForecastCard,
  type Golden,
  parseCard,
  parseJson,
} from '../core/models/card.js';
import { exampleOf, feedsOf } from '../core/models/feeds.js';
import { formatTime } from '../core/quantity.js';
import {
  type BareModel,
  cardFile,
  goldenOf,
  openBare,
  openCard,
  openCardText,
  refuseOther,
} from '../plugins/models/onnx.js';
import { saying } from './patience.js';
import { readText, writeOutput } from './scenario-files.js';

export interface ModelOptions {
  readonly like?: string;
  readonly out?: string;
  readonly id?: string;
  readonly licence?: string;
  readonly source?: string;
  readonly fill?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** How often a model is run to see how long it takes. */
const RUNS = 100;

/**
 * `escapement model`: what a model takes and gives, which known signature it has, a first card for it, and whether a card
 * holds.
 */
export function model(file: string, options: ModelOptions): Promise<void> {
  return saying(`${file}: the model takes long`, () => look(file, options));
}

async function look(file: string, options: ModelOptions): Promise<void> {
  if (file.endsWith('.json')) return checkCard(file, options);
  const shipped = cardFile(file, '.');
  if (shipped.endsWith('.json')) return checkCard(relative('.', shipped), options);
  if (options.fill) throw new InputError('--fill', `expected a card (.json), found the model ${file}`);
  const bare = await openBare(file);
  const signatures = readSignatures(bare);
  const likes = signatures.filter(({ card }) => differenceFrom(card, bare.inputs, bare.outputs) === undefined);
  if (options.like === undefined) {
    if (options.json) {
      const { sha256, bytes, files, inputs, outputs } = bare;
      const report = { file, sha256, bytes, files, inputs, outputs, signatures: likes.map(({ name }) => name) };
      process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
      return;
    }
    const weights = bare.files.map(
      ({ name, bytes, sha256 }) => `  keeps weights in ${name}: ${bytes} bytes, SHA-256 ${sha256}\n`,
    );
    process.stdout.write(
      `${file}: ${bare.bytes} bytes, SHA-256 ${bare.sha256}\n${weights.join('')}${listed('takes', bare.inputs)}${listed('gives', bare.outputs)}`,
    );
    process.stdout.write(
      likes.length > 0
        ? `It has the signature of ${likes.map(({ name }) => name).join(', ')}: escapement model ${file} --like ${likes[0]!.name} drafts a card.\n`
        : `It has none of the signatures known (${signatures.map(({ name }) => name).join(', ')}): begin from the nearest one's card in models/signatures/.\n`,
    );
    return;
  }
  const signature = signatures.find(({ name }) => name === options.like);
  if (signature === undefined) {
    throw unknownName(
      '--like',
      'signature',
      options.like,
      signatures.map(({ name }) => name),
    );
  }
  const out = options.out ?? `${file.replace(/\.onnx$/, '')}.json`;
  const { schema: _schema, ...card } = signature.raw;
  const drafted = {
    schema: 'escapement-model/1',
    id: options.id ?? basename(file, '.onnx'),
    task: 'forecast',
    file: relative(dirname(resolve(out)), resolve(file)),
    ...hashesOf(bare),
    licence: options.licence ?? 'unknown',
    source: options.source ?? 'unknown',
    ...card,
    // Nobody has seen it answer yet.
    tried: false,
    ...(bare.opset !== undefined && { opset: bare.opset }),
    golden: await goldenFor(bare, signature.card, `${file}, as ${options.like}`),
  };
  const own = [file, ...bare.files.map(({ name }) => join(dirname(file), name))].find(one => sameFile(out, one));
  if (own !== undefined) {
    throw new InputError(`--out ${out}`, `expected a file for the card, found the model's own ${own}`);
  }
  if (!options.force && statSync(out, { throwIfNoEntry: false }) !== undefined) {
    throw new InputError(out, 'is there already, and may have been edited', '--force writes a new draft in its place');
  }
  const text = `${compact(drafted)}\n`;
  parseCard(text, out);
  writeOutput(out, text);
  process.stdout.write(
    `${out}: a card for ${file}, as ${options.like}. Check its sampling and units, then: escapement model ${out}\n`,
  );
}

/** What a model answers to a plausible series: the golden pair of its card. `place` names the card in what is wrong. */
async function goldenFor(bare: BareModel, card: ForecastCard, place: string): Promise<Golden> {
  const difference = differenceFrom(card, bare.inputs, bare.outputs);
  if (difference !== undefined) throw new InputError(`${place}: ${difference.path}`, difference.problem);
  const example = exampleOf(card);
  if (example === undefined) {
    throw new InputError(`${place}: context`, 'expected that a plausible series can be shown, found nothing to show');
  }
  const feeds = feedsOf(example, card);
  const outputs = await bare.run(feeds, card).catch(error => {
    const [why] = String(error instanceof Error ? error.message : error).split('\n');
    throw new InputError(place, `the model cannot be run on an example: ${why}`);
  });
  for (const [name, { data }] of Object.entries(outputs)) {
    const bad = Array.from(data as Float32Array, Number).findIndex(value => !Number.isFinite(value));
    if (bad < 0) continue;
    throw new InputError(`${place}: ${name}[${bad}]`, `golden output is not finite: ${data[bad]}`);
  }
  return { inputs: plain(feeds), outputs: plain(outputs), tolerance: toleranceOf(outputs) };
}

function sameFile(a: string, b: string): boolean {
  const [one, other] = [a, b].map(file => statSync(file, { throwIfNoEntry: false }));
  return one !== undefined && one.dev === other?.dev && one.ino === other.ino;
}

/** What a card says of its model's bytes. */
function hashesOf({ sha256, files }: BareModel) {
  return { sha256, ...(files.length > 0 && { files: files.map(({ name, sha256 }) => ({ name, sha256 })) }) };
}

/** What `--fill` can compute. */
const FILLED = ['sha256', 'files', 'opset', 'golden'] as const;

/**
 * Writes into a card what it lacks of all that can be computed; one that would not hold stays as it is. What stands there
 * is what the model is compared with, so it stays. Returns what has been done.
 */
async function fillCard(file: string): Promise<string> {
  refuseOther(file);
  const written = parseJson(readText(file), file);
  if (typeof written !== 'object' || written === null || Array.isArray(written)) {
    throw new InputError(file, `expected a card, an object, found ${JSON.stringify(written).slice(0, 40)}`);
  }
  const given = Object.fromEntries(
    Object.entries(written).filter(([key, value]) => value !== null || !(FILLED as readonly string[]).includes(key)),
  );
  // Stand in for what is not known yet, so that all the rest can be read.
  const card = parseCard(JSON.stringify({ sha256: '0'.repeat(64), golden: '-', ...given }), file);
  if (card.task !== 'forecast' && !('golden' in given)) {
    throw new InputError(`${file} task`, `--fill knows what to ask a model that forecasts, found '${card.task}'`);
  }
  const bare = await openBare(resolve(dirname(file), card.file));
  const own = hashesOf(bare);
  const unlisted = own.files?.filter(({ name }) => !card.files.some(listed => listed.name === name)) ?? [];
  const news = {
    ...(!('sha256' in given) && { sha256: own.sha256 }),
    ...(unlisted.length > 0 && { files: [...card.files, ...unlisted] }),
    ...(!('opset' in given) && bare.opset !== undefined && { opset: bare.opset }),
    ...(card.task === 'forecast' && !('golden' in given) && { golden: await goldenFor(bare, card, file) }),
  };
  const added = Object.keys(news);
  const left = FILLED.filter(key => key in given && !added.includes(key));
  const kept = left.length === 0 ? '' : `; left as it was: ${left.join(', ')}`;
  if (added.length === 0) return `nothing to fill in${kept}`;
  const { sha256, files, ...rest } = news;
  const hashes = { ...(sha256 !== undefined && { sha256 }), ...(files !== undefined && { files }) };
  // The hashes go beside the name of the file that they are of.
  const entries = Object.entries(given).flatMap(entry =>
    entry[0] === 'file' ? [entry, ...Object.entries(hashes)] : [entry],
  );
  const text = `${compact({ ...Object.fromEntries(entries), ...hashes, ...rest })}\n`;
  await openCardText(text, file);
  // What was written by hand is not lost where this cannot be written whole. A link still leads to it afterwards.
  const target = realpathSync(file);
  const beside = `${target}.filled`;
  try {
    writeOutput(beside, text, file);
    chmodSync(beside, statSync(target).mode & 0o7777);
    renameSync(beside, target);
  } finally {
    rmSync(beside, { force: true });
  }
  return `filled in: ${added.join(', ')}${kept}`;
}

/** Loads a model as a run would, and says what it is and how long it takes. */
async function checkCard(file: string, options: ModelOptions): Promise<void> {
  for (const key of ['like', 'out', 'id', 'licence', 'source', 'force'] as const) {
    if (options[key] !== undefined)
      throw new InputError(`--${key}`, `expected a model (.onnx), found the card ${file}`);
  }
  if (options.fill) {
    const done = await fillCard(file);
    if (!options.json) process.stdout.write(`${file}: ${done}.\n`);
  }
  refuseOther(file);
  const card = parseCard(readText(file), file);
  const open = await openCard(file);
  const golden = goldenOf(card, file);
  const times: number[] = [];
  for (let k = 0; k < RUNS; k++) {
    const begun = performance.now();
    await open.run(golden);
    times.push(performance.now() - begun);
    if (times.reduce((sum, t) => sum + t, 0) > 5000) break;
  }
  times.sort((a, b) => a - b);
  const at = (p: number): number => times[Math.min(times.length - 1, Math.floor(p * times.length))]! / 1000;
  if (options.json) {
    const { id, task, licence, source, tried } = card;
    const report = { id, task, licence, source, tried, where: open.where, p50: at(0.5), p99: at(0.99) };
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    return;
  }
  process.stdout.write(
    `${file}: '${card.id}' (${card.task}, ${card.licence}) matches its card, its hash and its golden pair.\n` +
      `It runs ${open.where}; ${times.length} runs: p50 ${formatTime(at(0.5))}, p99 ${formatTime(at(0.99))}.\n`,
  );
}

interface Signature {
  readonly name: string;
  readonly raw: Record<string, unknown>;
  readonly card: ForecastCard;
}

interface Shapes {
  readonly inputs: readonly Declared[];
  readonly outputs: readonly Declared[];
}

/** The known signatures: cards without a model, with the lengths of this one. */
function readSignatures(model: Shapes): readonly Signature[] {
  let root = dirname(fileURLToPath(import.meta.url));
  for (let folder = join(root, 'models', 'signatures'); ; folder = join(root, 'models', 'signatures')) {
    try {
      return readdirSync(folder)
        .sort()
        .map(file => signatureOf(join(folder, file), model));
    } catch (error) {
      if (error instanceof InputError || root === dirname(root)) throw error;
      root = dirname(root);
    }
  }
}

function signatureOf(file: string, model: Shapes): Signature {
  const { tried, card } = JSON.parse(readFileSync(file, 'utf8'));
  const raw = { tried, ...fitted(card, model) };
  const rest = { id: 'x', task: 'forecast', file: 'x', licence: 'x', source: 'x', sha256: '0'.repeat(64), golden: 'x' };
  const parsed = parseCard(JSON.stringify({ schema: 'escapement-model/1', ...rest, ...raw }), file);
  return { name: basename(file, '.json'), raw, card: parsed as ForecastCard };
}

interface RawTensor {
  readonly name: string;
  readonly role: string;
  readonly layout: readonly string[];
  readonly shape: readonly (number | null)[];
  readonly reshape?: unknown;
  readonly skip?: number;
}

/** A signature's card with the model's own lengths of time, where they are fixed: an export has those that it was made with. */
function fitted(card: Record<string, unknown>, model: Shapes): Record<string, unknown> {
  const withLengths = (tensors: readonly RawTensor[], declared: readonly Declared[]): readonly RawTensor[] =>
    tensors.map(tensor => {
      const own = declared.find(({ name }) => name === tensor.name)?.shape;
      if (own?.length !== tensor.layout.length || tensor.reshape !== undefined) return tensor;
      const shape = tensor.shape.map((length, i) => {
        const axis = tensor.layout[i]!;
        return (axis === 'time' || axis === 'patch') && typeof own[i] === 'number' ? own[i] : length;
      });
      return { ...tensor, shape };
    });
  const given = { inputs: card['inputs'] as readonly RawTensor[], outputs: card['outputs'] as readonly RawTensor[] };
  const has = (tensors: readonly RawTensor[], declared: readonly Declared[]): boolean =>
    tensors.every(tensor => declared.some(({ name }) => name === tensor.name));
  // Another signature may have a name in common with it: half of the lengths would not go with the rest.
  if (!has(given.inputs, model.inputs) || !has(given.outputs, model.outputs)) return card;
  const inputs = withLengths(given.inputs, model.inputs);
  const outputs = withLengths(given.outputs, model.outputs);
  const along = ({ layout, shape }: RawTensor): number | null => shape[layout.indexOf('time')] ?? null;
  const context = { ...(card['context'] as { min: number; max: number }) };
  const horizon = { ...(card['horizon'] as { steps: number }) };
  const before = given.inputs.find(({ role }) => role === 'values');
  const values = inputs.find(({ role }) => role === 'values');
  if (before !== undefined && values !== undefined && along(values) !== null && along(values) !== along(before)) {
    context.max = along(values)!;
    context.min = Math.min(context.min, context.max);
  }
  for (const [i, output] of outputs.entries()) {
    const steps = along(output);
    if (steps === null || steps === along(given.outputs[i]!)) continue;
    horizon.steps = steps - (output.skip ?? 0);
  }
  return { ...card, context, horizon, inputs, outputs };
}

/** A ten-thousandth of the largest value, whatever its unit, to two digits. */
function toleranceOf(outputs: Tensors): number {
  const all = Object.values(outputs).flatMap(({ data }) => Array.from(data as Float32Array, Number));
  const largest = all.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return largest > 0 ? Number((1e-4 * largest).toPrecision(2)) : 1e-4;
}

function plain(tensors: Tensors) {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { dims, data }]) => [
      name,
      // Seven digits are all that a float32 has.
      {
        dims: [...dims],
        data: Array.from(data as Float32Array, value =>
          Number.isNaN(value) ? null : Number(Number(value).toPrecision(8)),
        ),
      },
    ]),
  );
}

/** JSON for people: lists of numbers on one line. */
function compact(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(
    /\[\s+((?:[^[\]{}]|\n)*?)\s+\]/g,
    (_, inner: string) => `[${inner.replace(/\s*\n\s*/g, ' ')}]`,
  );
}

function listed(what: string, tensors: readonly Declared[]): string {
  return tensors.map(({ name, dtype, shape }) => `  ${what} ${name}: ${dtype} [${shape.join(', ')}]\n`).join('');
}
