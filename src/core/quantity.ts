import { z } from 'zod';

/**
 * Quantities with units as people write them (`12 ppm`, `64 s`, `3 h`), read to SI. A plain number is SI already, so
 * that a resolved scenario can be read again.
 */
const UNITS = {
  time: {
    s: 1,
    ms: 1e-3,
    us: 1e-6,
    µs: 1e-6,
    μs: 1e-6,
    ns: 1e-9,
    ps: 1e-12,
    min: 60,
    h: 3600,
    d: 86400,
    day: 86400,
    days: 86400,
  },
  ratio: {
    '%': 1e-2,
    ppm: 1e-6,
    ppb: 1e-9,
    ppt: 1e-12,
    'us/s': 1e-6,
    'µs/s': 1e-6,
    'ms/s': 1e-3,
    'ns/s': 1e-9,
    's/s': 1,
  },
} as const;

type Dimension = keyof typeof UNITS;

const EXAMPLES: Record<Dimension, string> = { time: '64 s, 200 ms or 3 h', ratio: '12 ppm, 1e-9 or 5 %' };

/** Reads a quantity; a string says what is wrong with it. */
export function parseQuantity(value: unknown, dimension: Dimension): number | string {
  const expected = `expected a ${dimension === 'time' ? 'time' : 'ratio'} such as ${EXAMPLES[dimension]}`;
  if (typeof value === 'number') return Number.isFinite(value) ? value : `${expected}, found ${value}`;
  if (typeof value !== 'string') return `${expected}, found ${JSON.stringify(value)}`;
  const match = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(\S*)\s*$/i.exec(value);
  if (!match) return `${expected}, found '${value}'`;
  const [, digits, unit] = match;
  const factor = unit === '' ? 1 : (UNITS[dimension] as Record<string, number>)[unit ?? ''];
  if (factor === undefined)
    return `${expected}, found unit '${unit}' (known: ${Object.keys(UNITS[dimension]).join(', ')})`;
  // Dividing by the reciprocal keeps 200 ms at exactly 0.2.
  const si = factor >= 1 ? Number(digits) * factor : Number(digits) / Math.round(1 / factor);
  return Number.isFinite(si) ? si : `${expected}, found '${value}'`;
}

interface Limits {
  readonly min?: number;
  readonly max?: number;
  readonly above?: number;
}

function quantity(dimension: Dimension, limits: Limits, description: string) {
  return z
    .union([z.number(), z.string()])
    .meta({ description, examples: EXAMPLES[dimension].split(/, | or /) })
    .transform((value, context) => {
      const parsed = parseQuantity(value, dimension);
      const problem =
        typeof parsed === 'string'
          ? parsed
          : limits.above !== undefined && !(parsed > limits.above)
            ? `expected more than ${limits.above}, found ${parsed}`
            : limits.min !== undefined && parsed < limits.min
              ? `expected at least ${limits.min}, found ${parsed}`
              : limits.max !== undefined && parsed > limits.max
                ? `expected at most ${limits.max}, found ${parsed}`
                : undefined;
      if (problem === undefined) return parsed as number;
      context.addIssue({ code: 'custom', message: problem, input: value });
      return z.NEVER;
    });
}

/** A length of time or a time offset: seconds, or with a unit. Give it defaults with `.prefault()`. */
export const time = (description: string, limits: Limits = {}) => quantity('time', limits, description);

/** A dimensionless ratio: frequency error, probability, share. */
export const ratio = (description: string, limits: Limits = {}) => quantity('ratio', limits, description);

/** A duration longer than zero. */
export const duration = (description: string) => quantity('time', { above: 0 }, description);

/** A probability, 0 to 1. */
export const probability = (description: string) => quantity('ratio', { min: 0, max: 1 }, description);

const STEPS: readonly (readonly [number, string, number])[] = [
  [1, 's', 1],
  [1e-3, 'ms', 1e3],
  [1e-6, 'µs', 1e6],
  [1e-9, 'ns', 1e9],
];

/** A time for people: three significant digits in the unit that fits. */
export function formatTime(seconds: number | null | undefined, sign = false): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–';
  if (seconds === 0) return '0 s';
  const size = Math.abs(seconds);
  const [, unit, factor] = STEPS.find(([from]) => size >= from * 0.9995) ?? [0, 'ps', 1e12];
  const value = seconds * factor;
  const rounded = Number(Math.abs(value).toPrecision(3));
  const digits = Math.max(0, 2 - Math.floor(Math.log10(rounded) + 1e-9));
  return `${sign && seconds > 0 ? '+' : ''}${value.toFixed(Math.min(digits, 3))} ${unit}`;
}

/** A duration for people: "3 h", "25 min", "1 h 30 min". */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds < 120) return `${Number(seconds.toPrecision(4))} s`;
  const parts: string[] = [];
  let rest = Math.round(seconds);
  for (const [size, unit] of [
    [86400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ] as const) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(' ');
}
