import { type Estimate, varianceAfter } from '../contracts/index.js';
import { normalTail } from '../estimation/normal.js';
import { inverseNormal, quantileOf } from '../pipeline/telling.js';
import { HORIZONS, scalesOf } from './residual-window.js';

/** Levels of the quantiles that a model of this layout gives, for each horizon and for the drift. */
export const LEVELS = [0.025, 0.1, 0.16, 0.25, 0.5, 0.75, 0.84, 0.9, 0.975] as const;
export const ROWS = HORIZONS.length + 1;

const AT = (level: (typeof LEVELS)[number]): number => LEVELS.indexOf(level);
const MEDIAN = AT(0.5);
const NOW = HORIZONS.indexOf(0);
const NEXT = HORIZONS.indexOf(1);
const DRIFT = HORIZONS.length;

/** A correction larger than this, in the classical estimator's deviations, is believed of no model. */
const ABSURD = 12;

/** Why an answer cannot be used, or undefined: it is finite, monotone and within reason. */
export function problemWith(answer: ArrayLike<number>): string | undefined {
  if (answer.length !== ROWS * LEVELS.length) return `${answer.length} numbers instead of ${ROWS * LEVELS.length}`;
  for (let row = 0; row < ROWS; row++) {
    for (let i = 0; i < LEVELS.length; i++) {
      const value = answer[row * LEVELS.length + i]!;
      if (!Number.isFinite(value)) return 'not finite';
      if (i > 0 && value < answer[row * LEVELS.length + i - 1]!) return 'quantiles that cross';
    }
    const median = Math.abs(answer[row * LEVELS.length + MEDIAN]!);
    if (median > ABSURD) return `a correction of ${median.toFixed(0)} deviations`;
  }
  return undefined;
}

/**
 * The classical estimate with a model's answer put on it: quantiles of (truth − classical line)/scale at each horizon,
 * row by row, then of the drift's error. An answer of zero with normal quantiles leaves it as it is.
 *
 * Offset: the median now. Drift: its own median; of both, the `share` that is believed. Deviation: half of the interval
 * about that which holds 68 % now; how it grows is scaled so that after one spacing it is what the model says there. The
 * maximum error widens by what the offset moved.
 */
export function corrected(
  estimate: Estimate,
  answer: ArrayLike<number>,
  spacing: number,
  by: string,
  share = 1,
): Estimate {
  const scales = scalesOf(estimate, spacing);
  const median = (row: number): number => answer[row * LEVELS.length + MEDIAN]! * scales[row]!;
  const half = (row: number, level: number): number =>
    scales[row]! * halfHolding(level, answer, row, share * answer[row * LEVELS.length + MEDIAN]!);
  const move = share * median(NOW);
  const turn = share * median(DRIFT);
  const half68 = Math.max(half(NOW, 0.68), 1e-12);
  const half80 = Math.max(half(NOW, 0.8), half68);
  const half95 = Math.max(half(NOW, 0.95), half80);
  const p00 = half68 ** 2;
  // How much wider it is one spacing on: by the model, beside the classical estimator.
  const before = estimate.p00;
  const grown = Math.max(varianceAfter(estimate, spacing) - before, 1e-6 * before);
  const growth = clamp((half(NEXT, 0.68) ** 2 - p00) / grown, 0.05, 20);
  const p11 = estimate.p11 * growth;
  const limit = Math.sqrt(p00 * p11);
  return {
    ...estimate,
    offset: estimate.offset + move,
    drift: estimate.drift + turn,
    p00,
    p01: clamp(estimate.p01 * growth, -limit, limit),
    p11,
    whiteFm: estimate.whiteFm * growth,
    randomWalkFm: estimate.randomWalkFm * growth,
    maxError: estimate.maxError + Math.abs(move),
    maxErrorRate: estimate.maxErrorRate + Math.abs(turn),
    by,
    quantiles: { at68: 1, at80: half80 / half68, at95: half95 / half68 },
  };
}

/** The normal law's quantiles at LEVELS: between levels, a law runs straight beside it. */
const SCORES = LEVELS.map(level => inverseNormal(level));

/** Share of a row's law below a value. */
function shareBelow(value: number, answer: ArrayLike<number>, row: number): number {
  const from = row * LEVELS.length;
  const last = LEVELS.length - 1;
  let i = 0;
  while (i < last - 1 && value > answer[from + i + 1]!) i++;
  const [low, high] = [answer[from + i]!, answer[from + i + 1]!];
  const along = (value - low) / Math.max(high - low, 1e-9);
  return 1 - normalTail(SCORES[i]! + along * (SCORES[i + 1]! - SCORES[i]!));
}

/** Half of the interval about `middle` that holds `level` of a row's law, which may lean to one side. */
function halfHolding(level: number, answer: ArrayLike<number>, row: number, middle: number): number {
  let [low, high] = [0, 0];
  for (let i = 0; i < LEVELS.length; i++)
    high = Math.max(high, 2 * Math.abs(answer[row * LEVELS.length + i]! - middle));
  for (let i = 0; i < 30; i++) {
    const half = (low + high) / 2;
    const held = shareBelow(middle + half, answer, row) - shareBelow(middle - half, answer, row);
    if (held < level) low = half;
    else high = half;
  }
  return high;
}

/** The same with its half-widths at 68 and 95 % multiplied, and that at 80 % by what lies between. */
export function widened(estimate: Estimate, by68: number, by95: number): Estimate {
  const { at68, at80, at95 } = estimate.quantiles!;
  const narrow = at68 * by68;
  // In the normal law's deviations 80 % lies three tenths of the way from 68 to 95 %.
  const middle = Math.max(narrow, at80! * by68 ** 0.7 * by95 ** 0.3);
  return { ...estimate, quantiles: { at68: narrow, at80: middle, at95: Math.max(middle, at95 * by95) } };
}

/**
 * A learned estimate whose intervals are its own only as far as `share`, and for the rest those of the classical one that
 * it corrects: the square of what holds 68 %, now and at any age, is the one's and the other's in that proportion, and what
 * holds more is as many times as much as in both, in the geometric mean.
 */
export function hedged(learned: Estimate, classical: Estimate, share: number): Estimate {
  if (share >= 1) return learned;
  const { at68, at80, at95 } = learned.quantiles!;
  const own = share * at68 ** 2;
  const other68 = quantileOf(classical, 0.68);
  const other = (1 - share) * other68 ** 2;
  const mean = (key: 'p00' | 'p01' | 'p11' | 'whiteFm' | 'randomWalkFm'): number =>
    own * learned[key] + other * classical[key];
  const beyond = (mine: number, theirs: number): number => (mine / at68) ** share * (theirs / other68) ** (1 - share);
  return {
    ...learned,
    p00: mean('p00'),
    p01: mean('p01'),
    p11: mean('p11'),
    whiteFm: mean('whiteFm'),
    randomWalkFm: mean('randomWalkFm'),
    quantiles: {
      at68: 1,
      at80: beyond(at80!, quantileOf(classical, 0.8)),
      at95: beyond(at95, quantileOf(classical, 0.95)),
    },
  };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
