import type { Measurement, Tensor, TensorData, Tensors } from '../contracts/index.js';
import { randomStream } from '../world/random.js';
import { type Dtype, type ForecastCard, type ForecastInput, product } from './card.js';
import { type Context, contextOf } from './context.js';

type Channel = ForecastInput['channels'][number];

/** Every input of a card from what the model is shown, with a batch of one. */
export function feedsOf(context: Context, card: ForecastCard): Tensors {
  return Object.fromEntries(card.inputs.map(input => [input.name, tensorOf(input, context, card)]));
}

/** What a model is asked before anything is known: a wavy, noisy clock with a gap in it; or its mirror image. */
export function exampleOf(card: ForecastCard, sign: 1 | -1 = 1): Context | undefined {
  const random = randomStream('1', 'golden');
  const count = Math.max(2 * card.context.min, Math.min(card.context.max, 96));
  const { period } = card.sampling;
  const interval = period === 'median' ? 64 : period;
  // The gap lies in the middle of what is shown, and leaves something to show on both of its sides.
  const gap = Math.min(10, Math.floor(card.context.max / 3));
  const begins = count - Math.min(count, card.context.max) / 2;
  const measurements = Array.from({ length: count }, (_, i) => {
    const t = interval * (i + (i > begins ? gap : 0));
    const at = { wall: t, counter: t };
    return {
      at,
      offset: sign * (1e-5 * t + 2e-4 * Math.sin(i / 9) + 1e-4 * random.normal()),
      delay: 0.02 + 1e-3 * random.exponential(),
    };
  });
  return contextOf(measurements as unknown as readonly Measurement[], 'counter', card);
}

function tensorOf(input: ForecastInput, context: Context, card: ForecastCard): Tensor {
  const { layout, shape, role, dtype } = input;
  const shown = context.offsets.length;
  if (role === 'constant') {
    const dims = shape.map((length, k) => length ?? (layout[k] === 'time' ? shown : 1));
    return { dims, data: filled(dtype, product(dims), () => input.value!) };
  }
  const channels: readonly Channel[] = role === 'values' ? input.channels : ['offset'];
  const featureAxis = layout.indexOf('feature');
  const patchAxis = layout.indexOf('patch');
  // A patch holds the time steps of each channel, one channel after the other.
  const patch = featureAxis < 0 ? 1 : (shape[featureAxis] ?? channels.length) / channels.length;
  const timeAxis = layout.indexOf('time');
  const { multipleOf } = card.context;
  const padded = multipleOf * Math.ceil(shown / multipleOf);
  const fixed = timeAxis >= 0 ? shape[timeAxis] : patchAxis >= 0 ? (shape[patchAxis] ?? 0) * patch || null : null;
  const steps = fixed ?? padded;
  const value = (step: number, channel: Channel): number => {
    const at = card.context.pad === 'left' ? step - (steps - shown) : step;
    return at < 0 || at >= shown ? paddingOf(role, channel, card) : observedAt(role, channel, context, at, card);
  };
  const dims = shape.map((length, k) => {
    if (layout[k] === 'batch') return 1;
    if (layout[k] === 'time') return steps;
    if (layout[k] === 'patch') return steps / patch;
    if (layout[k] === 'channel') return channels.length;
    return length ?? patch * channels.length;
  });
  const place = dims.map(() => 0);
  const data = filled(dtype, product(dims), () => {
    let step = timeAxis >= 0 ? place[timeAxis]! : 0;
    let channel = layout.includes('channel') ? place[layout.indexOf('channel')]! : 0;
    if (featureAxis >= 0) {
      step = (patchAxis >= 0 ? place[patchAxis]! * patch : step) + (place[featureAxis]! % patch);
      channel = Math.floor(place[featureAxis]! / patch);
    }
    const result = value(step, channels[channel]!);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      place[axis]! += 1;
      if (place[axis]! < dims[axis]!) break;
      place[axis] = 0;
    }
    return result;
  });
  return { dims, data };
}

function observedAt(role: ForecastInput['role'], channel: Channel, context: Context, at: number, card: ForecastCard) {
  const missing = Number.isNaN(context.offsets[at]!);
  if (role === 'observed-mask' || channel === 'observed') return missing ? 0 : 1;
  if (role === 'padding-mask' || channel === 'padding') return missing ? 1 : 0;
  if (role === 'times') return context.times[at]!;
  if (missing) return padValue(card);
  return channel === 'offset' ? context.offsets[at]! : context.excess[at]!;
}

function paddingOf(role: ForecastInput['role'], channel: Channel, card: ForecastCard): number {
  if (role === 'observed-mask' || channel === 'observed') return 0;
  if (role === 'padding-mask' || channel === 'padding') return 1;
  return role === 'times' ? 0 : padValue(card);
}

function padValue({ context }: ForecastCard): number {
  return context.padValue === 'NaN' ? Number.NaN : context.padValue;
}

/**
 * An array of a model's own type, filled in order. What no integer can stand for never ends a run here: it comes as
 * doubles, which a session refuses for integers, so that the answer counts as failed.
 */
export function filled(dtype: Dtype, length: number, next: (index: number) => number): TensorData {
  if (dtype === 'int64' || dtype === 'int32') {
    const values = Float64Array.from({ length }, (_, i) => next(i));
    if (!values.every(Number.isFinite)) return values;
    if (dtype === 'int32') return Int32Array.from(values);
    return BigInt64Array.from(values as unknown as ArrayLike<bigint>, value => BigInt(Math.trunc(Number(value))));
  }
  switch (dtype) {
    case 'float32':
      return Float32Array.from({ length }, (_, i) => next(i));
    case 'float64':
      return Float64Array.from({ length }, (_, i) => next(i));
    case 'bool':
      return Uint8Array.from({ length }, (_, i) => next(i));
  }
}
