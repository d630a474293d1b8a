import { z } from 'zod';
import { InputError } from '../errors.js';
import { problemOf } from '../plugin/problem.js';

/** Bounds that only a mistake goes over: steps of a series, periods until the first of a horizon, numbers in an input. */
const MOST_STEPS = 100_000;
const MOST_AHEAD = 1000;
const MOST_NUMBERS = 4_000_000;

/** What `schema` says in a card. */
const SCHEMA = 'escapement-model/1';

export const DTYPES = ['float32', 'float64', 'int64', 'int32', 'bool'] as const;
export type Dtype = (typeof DTYPES)[number];

/** Names of axes; `patch` is a run of `time` steps that the model takes or gives as one. */
export const AXES = ['batch', 'time', 'channel', 'quantile', 'patch', 'feature'] as const;
export type AxisName = (typeof AXES)[number];

const Layout = z.array(z.enum(AXES)).meta({ description: 'What each axis is, first to last.' });
const Shape = z.array(z.int().min(1).nullable()).meta({ description: 'Length of each axis; null where any will do.' });

const Tensor = {
  name: z.string().min(1),
  dtype: z.enum(DTYPES).default('float32'),
  layout: Layout,
  shape: Shape,
};

/** What a forecasting model is given, by role. */
const ForecastInput = z.strictObject({
  ...Tensor,
  role: z.enum(['values', 'observed-mask', 'padding-mask', 'times', 'constant']).meta({
    description:
      '`values`: the series; masks are 1 where a value was observed, or where it is padding; `times`: of an irregular series, in periods before its last point (0, or negative); `constant`: `value` everywhere.',
  }),
  channels: z
    .array(z.enum(['offset', 'delay-excess', 'observed', 'padding']))
    .min(1)
    .default(['offset'])
    .meta({
      description:
        'Of `values`: what stands along the axis `channel`, or one after the other in a `feature` axis that follows `patch`.',
    }),
  value: z.number().optional().meta({ description: 'Of a `constant`.' }),
});

const ForecastOutput = z.strictObject({
  ...Tensor,
  role: z.enum(['point', 'quantiles', 'mean', 'deviation']),
  levels: z
    .array(
      z.union([z.number().gt(0).lt(1), z.literal('mean'), z.literal('ignore')], {
        error: ({ input }) =>
          typeof input === 'number' ? undefined : "expected a number between 0 and 1, 'mean' or 'ignore'",
      }),
    )
    .optional()
    .meta({ description: 'Of `quantiles`: what stands along the axis `quantile`.' }),
  select: z
    .partialRecord(
      z.enum(AXES),
      z.union([z.int().min(0), z.literal('last')], {
        error: ({ input }) => (typeof input === 'number' ? undefined : "expected 'last' or a number from 0"),
      }),
    )
    .default({})
    .meta({ description: 'Which entry of an axis that is neither batch, time nor quantile: `{ patch: last }`.' }),
  reshape: z.array(z.int().min(1)).optional().meta({
    description: 'How its values are to be read where `shape` runs axes together: `layout` then says what these are.',
  }),
  skip: z.int().min(0).default(0).meta({ description: 'Steps at the beginning of `time` that repeat the context.' }),
});

/** One tensor of the golden pair; dims as they are, the batch's too. NaN is written as null. */
const GoldenTensor = z.strictObject({ dims: z.array(z.int().min(1)), data: z.array(z.number().nullable()) });

const Golden = z.strictObject({
  inputs: z.record(z.string(), GoldenTensor),
  outputs: z.record(z.string(), GoldenTensor),
  tolerance: z.number().positive().default(1e-4).meta({ description: 'Largest difference, in units of the output.' }),
});
export type Golden = z.output<typeof Golden>;

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits in lower case');

const Common = {
  schema: z.literal(SCHEMA),
  id: z.string().min(1),
  file: z.string().min(1).meta({ description: 'Relative to the card.' }),
  sha256: Sha256,
  files: z
    .array(z.strictObject({ name: z.string().min(1), sha256: Sha256 }))
    .default([])
    .meta({ description: 'Those beside the model in which it keeps weights, by the names that it gives them.' }),
  licence: z.string().min(1),
  source: z.string().min(1).meta({ description: 'Who made it, and from what.' }),
  tried: z.boolean().meta({ description: 'Whether real weights of this signature have been run with this card.' }),
  opset: z
    .int()
    .min(1)
    .optional()
    .meta({ description: "Of ONNX's own operators, as the file says; compared with it." }),
  training: z.record(z.string(), z.unknown()).default({}).meta({ description: 'Data, seed and settings; free form.' }),
  metrics: z.record(z.string(), z.unknown()).default({}).meta({ description: 'What was measured; free form.' }),
  golden: z
    .union([Golden, z.string()])
    .meta({ description: 'An input and the output that belongs to it, or a file with them.' }),
  runtime: z
    .strictObject({
      worker: z
        .boolean()
        .optional()
        .meta({ description: 'In a process of its own; left out: if it is large or slow.' }),
    })
    .prefault({}),
};

const ForecastCard = z.strictObject({
  ...Common,
  task: z.literal('forecast'),
  sampling: z.strictObject({
    mode: z.enum(['regular', 'irregular']),
    period: z
      .union([z.number().positive(), z.literal('median')], {
        error: ({ input }) => (typeof input === 'number' ? undefined : "expected 'median' or a number of seconds"),
      })
      .default('median')
      .meta({ description: 'Seconds from step to step; `median`: of the intervals between the measurements shown.' }),
    resample: z
      .enum(['linear', 'previous'])
      .default('linear')
      .meta({ description: 'How a regular series is made from irregular measurements.' }),
    maxGap: z.number().positive().default(4).meta({ description: 'Periods; within a longer gap values are missing.' }),
  }),
  context: z.strictObject({
    min: z.int().min(1).max(MOST_STEPS),
    max: z.int().min(1).max(MOST_STEPS),
    multipleOf: z.int().min(1).max(MOST_STEPS).default(1),
    pad: z.enum(['left', 'right']).default('left'),
    padValue: z.union([z.number(), z.literal('NaN')], { error: () => "expected a number or 'NaN'" }).default(0),
  }),
  horizon: z.strictObject({
    steps: z.int().min(1).max(MOST_STEPS),
    firstStep: z
      .int()
      .min(0)
      .max(MOST_AHEAD)
      .default(1)
      .meta({ description: 'Periods after the last point of the context.' }),
  }),
  normalisation: z
    .strictObject({
      detrend: z.enum(['robust-line', 'line', 'none']).default('robust-line'),
      centre: z.enum(['last', 'mean', 'none']).default('none'),
      scale: z.enum(['mad', 'deviation', 'unit']).default('mad'),
      unit: z.enum(['s', 'ms', 'us', 'ns']).default('us').meta({ description: 'What 1 means with `scale: unit`.' }),
      transform: z.enum(['none', 'asinh']).default('none'),
    })
    .prefault({})
    .meta({ description: 'Done here, in double precision, before values become float32.' }),
  sortQuantiles: z.boolean().default(false).meta({ description: 'Sort crossing quantiles instead of refusing them.' }),
  inputs: z.array(ForecastInput).min(1),
  outputs: z.array(ForecastOutput).min(1),
});
export type ForecastCard = z.output<typeof ForecastCard>;
export type ForecastInput = z.output<typeof ForecastInput>;
export type ForecastOutput = z.output<typeof ForecastOutput>;

/** A model that corrects the default estimator: its features are what `src/core/learned` computes, by name and version. */
const CorrectionCard = z.strictObject({
  ...Common,
  task: z.literal('correction'),
  features: z.string().min(1).meta({ description: 'Name and version of the features that it was trained on.' }),
  inputs: z.array(z.strictObject({ ...Tensor, role: z.string().min(1) })).min(1),
  outputs: z.array(z.strictObject({ ...Tensor, role: z.string().min(1) })).min(1),
  parameters: z.record(z.string(), z.unknown()).default({}).meta({ description: 'Horizons, levels and the like.' }),
});

export type ModelCard = z.output<Schema>;

export function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(place, `is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

type Schema = typeof ForecastCard | typeof CorrectionCard;

const TASKS: Readonly<Record<string, Schema>> = {
  forecast: ForecastCard,
  correction: CorrectionCard,
};

/** The task says what the rest means: it is looked at first. */
function schemaFor(raw: unknown, place: string): Schema {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw new InputError(place, `expected a card, an object, found ${(JSON.stringify(raw) ?? '').slice(0, 40)}`);
  }
  const { task } = raw as { readonly task?: unknown };
  const schema = typeof task === 'string' && Object.hasOwn(TASKS, task) ? TASKS[task] : undefined;
  if (schema === undefined) {
    const found = task === undefined ? 'none' : typeof task === 'string' ? `'${task}'` : JSON.stringify(task);
    throw new InputError(`${place} task`, `expected 'forecast' or 'correction', found ${found}`);
  }
  // Of a card of the other task every key would be called unknown, or missing: the mistake is the task.
  const other = schema === ForecastCard ? CorrectionCard : ForecastCard;
  const only = (one: Schema, not: Schema) => Object.keys(one.shape).find(key => !(key in not.shape) && key in raw);
  const foreign = only(other, schema);
  if (foreign !== undefined && only(schema, other) === undefined) {
    const meant = other.shape.task.value;
    throw new InputError(`${place} task`, `expected '${meant}', as the card says '${foreign}', found '${task}'`);
  }
  return schema;
}

/** Reads a card. `place` names its file in what is wrong with it. */
export function parseCard(text: string, place: string): ModelCard {
  const raw = parseJson(text, place);
  const schema = schemaFor(raw, place);
  const parsed = schema.safeParse(raw);
  if (!parsed.success) throw cardError(parsed.error, raw, schema, place);
  const card = parsed.data;
  for (const [kind, tensors] of [
    ['inputs', card.inputs],
    ['outputs', card.outputs],
  ] as const) {
    tensors.forEach((tensor, i) => {
      const { layout, name } = tensor;
      if (tensors.findIndex(other => other.name === name) < i) {
        throw new InputError(`${place} ${kind}[${i}].name`, `expected a name of its own, found '${name}' twice`);
      }
      const twice = layout.find((axis, k) => layout.indexOf(axis) < k);
      if (twice !== undefined) {
        throw new InputError(`${place} ${kind}[${i}].layout`, `expected each axis once, found '${twice}' twice`);
      }
      const key = 'reshape' in tensor && tensor.reshape !== undefined ? 'reshape' : 'shape';
      const { length } = (tensor as { readonly shape: readonly unknown[]; readonly reshape?: readonly unknown[] })[
        key
      ]!;
      if (layout.length !== length) {
        throw new InputError(
          `${place} ${kind}[${i}].${key}`,
          `expected one length for each of the ${layout.length} axes of '${name}', found ${length}`,
        );
      }
    });
  }
  if (card.task === 'forecast') checkForecast(card, place);
  return card;
}

export function parseGolden(text: string, place: string): Golden {
  const raw = parseJson(text, place);
  const parsed = Golden.safeParse(raw);
  if (!parsed.success) throw cardError(parsed.error, raw, Golden, place);
  return parsed.data;
}

function checkForecast(card: ForecastCard, place: string): void {
  const { inputs, outputs, context, sampling } = card;
  if (context.min > context.max) {
    throw new InputError(`${place} context.min`, `expected at most context.max, ${context.max}, found ${context.min}`);
  }
  if (!inputs.some(({ role }) => role === 'values')) {
    throw new InputError(`${place} inputs`, "expected one with the role 'values', found none");
  }
  if (sampling.mode === 'irregular' && !inputs.some(({ role }) => role === 'times')) {
    throw new InputError(`${place} inputs`, "expected one with the role 'times' for an irregular series, found none");
  }
  inputs.forEach((input, i) => {
    checkInput(input, card, `${place} inputs[${i}]`);
    const { role, value, layout } = input;
    if (role === 'constant' && value === undefined) {
      throw new InputError(`${place} inputs[${i}].value`, 'expected a number for a constant, found none');
    }
    if (role !== 'constant' && !layout.includes('time') && !layout.includes('patch')) {
      throw new InputError(`${place} inputs[${i}].layout`, `expected an axis 'time' or 'patch', found ${layout}`);
    }
  });
  const centre = outputs.filter(({ role }) => role !== 'deviation');
  if (centre.length === 0) {
    throw new InputError(`${place} outputs`, "expected a 'point', a 'mean' or 'quantiles', found only deviations");
  }
  outputs.forEach((output, i) => {
    const { role, levels, layout, select } = output;
    checkLengths(output, card, `${place} outputs[${i}]`);
    if (!layout.includes('time')) {
      throw new InputError(`${place} outputs[${i}].layout`, `expected an axis 'time', found ${layout}`);
    }
    if ((role === 'quantiles') !== (levels !== undefined)) {
      const expected = role === 'quantiles' ? 'the levels of the quantiles' : `no levels for a ${role}`;
      throw new InputError(`${place} outputs[${i}].levels`, `expected ${expected}, found ${levels ?? 'none'}`);
    }
    if (role === 'quantiles') {
      if (!layout.includes('quantile')) {
        throw new InputError(`${place} outputs[${i}].layout`, `expected an axis 'quantile', found ${layout}`);
      }
      const numbers = levels!.filter(level => typeof level === 'number');
      if (numbers.some((level, k) => k > 0 && level <= numbers[k - 1]!)) {
        throw new InputError(`${place} outputs[${i}].levels`, `expected them in rising order, found ${numbers}`);
      }
      const about = numbers.some(level => level < 0.5) && numbers.some(level => level > 0.5);
      if (!about && !numbers.includes(0.5) && !levels!.includes('mean')) {
        throw new InputError(
          `${place} outputs[${i}].levels`,
          `expected 0.5, a mean, or levels on both sides of 0.5, found ${levels}`,
        );
      }
    }
    for (const axis of layout) {
      if (['batch', 'time', 'quantile'].includes(axis) || select[axis] !== undefined) continue;
      throw new InputError(`${place} outputs[${i}].select`, `expected which entry of the axis '${axis}', found none`);
    }
  });
}

/** How many steps an input has; undefined where it has any. A patch holds a run of them of each channel. */
function stepsOf({ layout, shape, role, channels }: ForecastInput): number | undefined {
  const of = (axis: AxisName): number | null => shape[layout.indexOf(axis)] ?? null;
  const width = role === 'values' ? channels.length : 1;
  if (layout.includes('time')) return of('time') ?? undefined;
  const feature = layout.includes('feature') ? of('feature') : width;
  const patches = of('patch');
  return patches === null || feature === null ? undefined : (patches * feature) / width;
}

/** How many numbers stand in an input at most, where lengths that it leaves open hold the longest context. */
function sizeOf({ layout, shape, role, channels }: ForecastInput, context: ForecastCard['context']): number {
  if (role === 'constant') return product(shape.map((length, k) => length ?? (layout[k] === 'time' ? context.max : 1)));
  const width = role === 'values' ? channels.length : 1;
  const steps = context.multipleOf * Math.ceil(context.max / context.multipleOf);
  const feature = shape[layout.indexOf('feature')] ?? width;
  return product(
    layout.map((axis, k) => {
      if (axis === 'batch') return 1;
      if (shape[k] !== null) return shape[k]!;
      if (axis === 'time') return steps;
      if (axis === 'patch') return Math.ceil((steps * width) / feature);
      return axis === 'channel' || axis === 'feature' ? width : 1;
    }),
  );
}

/** Whether what is shown fits into an input. */
function checkInput(input: ForecastInput, { context }: ForecastCard, place: string): void {
  const { role, layout, shape, channels, dtype } = input;
  const numbers = sizeOf(input, context);
  if (numbers > MOST_NUMBERS) {
    throw new InputError(
      `${place}.shape`,
      `expected at most ${MOST_NUMBERS} numbers in an input, found ${numbers} with a context of ${context.max}`,
    );
  }
  if (role === 'constant') return;
  const width = role === 'values' ? channels.length : 1;
  const lengthOf = (axis: AxisName): number | null => shape[layout.indexOf(axis)] ?? null;
  const channel = lengthOf('channel');
  const feature = lengthOf('feature');
  if (channel !== null && channel !== width) {
    throw new InputError(`${place}.channels`, `expected ${channel}, the length of the axis 'channel', found ${width}`);
  }
  if (feature !== null && feature % width !== 0) {
    throw new InputError(`${place}.channels`, `expected a divisor of ${feature}, the axis 'feature', found ${width}`);
  }
  if (!layout.includes('channel') && !layout.includes('feature') && width > 1) {
    throw new InputError(`${place}.channels`, `expected one without an axis 'channel' or 'feature', found ${width}`);
  }
  const steps = stepsOf(input);
  if (steps !== undefined && context.max > steps) {
    const key = context.min > steps ? 'min' : 'max';
    throw new InputError(
      `${place.replace(/ inputs\[\d+\]$/, '')} context.${key}`,
      `expected at most ${steps}, the length of '${input.name}', found ${context[key]}`,
    );
  }
  if (role === 'values' && context.padValue === 'NaN' && !dtype.startsWith('float')) {
    throw new InputError(
      `${place.replace(/ inputs\[\d+\]$/, '')} context.padValue`,
      `expected a number, as '${input.name}' is ${dtype}, found NaN`,
    );
  }
}

/** Whether an output's lengths hold what is read from it. */
export function checkLengths(output: ForecastOutput, { horizon }: ForecastCard, place: string): void {
  const { layout, shape, reshape, levels, select, skip } = output;
  const lengths: readonly (number | null)[] = reshape ?? shape;
  const of = (axis: AxisName): number | null => lengths[layout.indexOf(axis)] ?? null;
  if (reshape !== undefined && shape.every((length, k) => length !== null || (k === 0 && layout[0] === 'batch'))) {
    // A batch is one here.
    const size = product(shape.map(length => length ?? 1));
    if (product(reshape) !== size) {
      throw new InputError(`${place}.reshape`, `expected ${size} values, as the shape has, found ${product(reshape)}`);
    }
  }
  const quantiles = of('quantile');
  if (levels !== undefined && quantiles !== null && quantiles !== levels.length) {
    throw new InputError(
      `${place}.levels`,
      `expected ${quantiles}, the length of the axis 'quantile', found ${levels.length}`,
    );
  }
  const time = of('time');
  if (time !== null && skip + horizon.steps > time) {
    const problem = `expected at most ${time}, the length of the axis 'time'`;
    if (skip >= time) throw new InputError(`${place}.skip`, `${problem}, less the steps of the horizon, found ${skip}`);
    const found = skip > 0 ? `${horizon.steps} after ${skip} skipped` : horizon.steps;
    throw new InputError(`${place.replace(/ outputs\[\d+\]$/, '')} horizon.steps`, `${problem}, found ${found}`);
  }
  for (const [axis, chosen] of Object.entries(select) as [AxisName, number | 'last'][]) {
    if (!layout.includes(axis) || axis === 'batch' || axis === 'time' || (axis === 'quantile' && levels)) {
      throw new InputError(`${place}.select`, `expected axes to choose from, of ${layout}, found '${axis}'`);
    }
    const length = of(axis);
    if (length !== null && chosen !== 'last' && chosen >= length) {
      throw new InputError(
        `${place}.select.${axis}`,
        `expected less than ${length}, the axis' length, found ${chosen}`,
      );
    }
  }
}

export function product(lengths: readonly number[]): number {
  return lengths.reduce((size, length) => size * length, 1);
}

function cardError(error: z.ZodError, raw: unknown, schema: z.ZodType, place: string): InputError {
  const { path, problem, hint } = problemOf(error, raw, schema);
  const where = path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}${text === '' ? '' : '.'}${String(key)}`),
    '',
  );
  return new InputError(where === '' ? place : `${place} ${where}`, problem, hint);
}

/** What a session says of one of its inputs or outputs; a symbolic length is a string. */
export interface Declared {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly (number | string)[];
}

/** The first thing in which a card differs from the model itself, with its place in the card; undefined if nothing. */
export function differenceFrom(
  card: ModelCard,
  inputs: readonly Declared[],
  outputs: readonly Declared[],
): { readonly path: string; readonly problem: string } | undefined {
  const named = (list: readonly Declared[]): string => list.map(({ name }) => `'${name}'`).join(', ') || 'none';
  for (const [kind, tensors, declared] of [
    ['inputs', card.inputs, inputs],
    ['outputs', card.outputs, outputs],
  ] as const) {
    for (const [i, tensor] of tensors.entries()) {
      const path = `${kind}[${i}]`;
      const found = declared.find(({ name }) => name === tensor.name);
      if (found === undefined) {
        return { path: `${path}.name`, problem: `the model has no '${tensor.name}': it has ${named(declared)}` };
      }
      if (found.dtype !== tensor.dtype) {
        return { path: `${path}.dtype`, problem: `the card says ${tensor.dtype}, the model ${found.dtype}` };
      }
      const { shape } = tensor;
      const { shape: own } = found;
      const differs =
        shape.length !== own.length ||
        shape.some((length, k) => {
          const fixed = own[k]!;
          if (typeof fixed !== 'number' || fixed <= 0) return false;
          // Questions come with a batch of one, whatever the card allows.
          return length === null ? fixed !== 1 || tensor.layout[k] !== 'batch' : fixed !== length;
        });
      if (differs) {
        return { path: `${path}.shape`, problem: `the card says [${shapeText(shape)}], the model [${own.join(', ')}]` };
      }
    }
  }
  const missing = inputs.find(({ name }) => !card.inputs.some(input => input.name === name));
  if (missing === undefined) return undefined;
  return { path: 'inputs', problem: `the model also wants '${missing.name}', which the card does not name` };
}

function shapeText(shape: readonly (number | null)[]): string {
  return shape.map(length => length ?? 'any').join(', ');
}

/** The first thing in which an answer differs from what the card declares; undefined if nothing. */
export function misshapen(
  {
    name,
    layout,
    shape,
    reshape,
  }: {
    readonly name: string;
    readonly layout: readonly AxisName[];
    readonly shape: readonly (number | null)[];
    readonly reshape?: readonly number[] | undefined;
  },
  dims: readonly number[],
  /** How many rows it has to have; left out: any number. */
  batch?: number,
): string | undefined {
  const rows = (length: number): boolean => batch === undefined || length === batch;
  const fits =
    dims.length === shape.length &&
    shape.every((length, k) => (layout[k] === 'batch' ? rows(dims[k]!) : length === null || dims[k] === length));
  if (fits && reshape !== undefined && product(dims) !== product(reshape)) {
    return `'${name}' came as [${dims.join(', ')}], which cannot be read as [${reshape.join(', ')}]`;
  }
  if (fits) return undefined;
  const asked = batch === undefined || !layout.includes('batch') ? '' : ` with a batch of ${batch}`;
  return `'${name}' came as [${dims.join(', ')}], the card says [${shapeText(shape)}]${asked}`;
}
