import type { CorrectionSummary } from '../contracts/index.js';
import { independentBootstrap, type PairedInterval, pairedBootstrap } from '../metrics/bootstrap.js';
import { randomStream } from '../world/random.js';
import { BARE_CLOCK } from './load-scenario.js';

/** One pipeline's errors in one run: told − reference, seconds, and the bare clock's at the same instants. */
export interface ErrorSeries {
  readonly pipeline: string;
  /** Which run: series of one run (and so of one realisation) are paired. */
  readonly run: string;
  readonly error: readonly number[];
  readonly bareError: readonly number[];
  readonly corrections?: CorrectionSummary | undefined;
}

/** a against b: how far apart their mean absolute errors are. Negative differences and positive improvements favour a. */
export interface Contrast {
  readonly against: string;
  /** MAE(a) − MAE(b), seconds. */
  readonly difference: number;
  /** 100·(1 − MAE(a)/MAE(b)); null where b has no error. */
  readonly improvement: number | null;
  /** Share of the samples at which a is strictly nearer, ties counting half; null where the runs are not the same. */
  readonly winRate: number | null;
  /** Paired where the runs are the same. Undefined where fewer than 10 blocks are left. */
  readonly interval?: PairedInterval;
}

/** One line of a comparison. Seconds. */
export interface Compared {
  readonly name: string;
  readonly samples: number;
  readonly mae: number;
  /** About the mean. */
  readonly std: number;
  readonly rms: number;
  readonly bias: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  /** Against the bare clock of its own runs. */
  readonly bare: Contrast | null;
  /** Against the chosen baseline. */
  readonly baseline: Contrast | null;
  readonly corrections: CorrectionSummary | null;
}

/**
 * Compares pipelines, each with one series for each run that it was in. Percentiles are exact (nearest rank). The
 * bootstrap draws from its own stream, so that the same errors give the same intervals.
 */
export function compareSeries(
  series: readonly ErrorSeries[],
  baseline: string | undefined,
  level: number,
): readonly Compared[] {
  const names = [...new Set(series.map(({ pipeline }) => pipeline))];
  const of = (name: string): readonly ErrorSeries[] => series.filter(({ pipeline }) => pipeline === name);
  return names.map(name => {
    const own = of(name);
    const sizes = own.flatMap(({ error }) => error.map(Math.abs)).sort((a, b) => a - b);
    const errors = own.flatMap(({ error }) => error);
    const bias = meanOf(errors);
    const rank = (p: number): number => sizes[Math.max(0, Math.ceil(p * sizes.length) - 1)] ?? 0;
    const bare = own.map(one => ({ ...one, pipeline: BARE_CLOCK, error: one.bareError }));
    return {
      name,
      samples: sizes.length,
      mae: meanOf(sizes),
      std: Math.sqrt(meanOf(errors.map(error => (error - bias) ** 2))),
      rms: Math.sqrt(meanOf(errors.map(error => error ** 2))),
      bias,
      p95: rank(0.95),
      p99: rank(0.99),
      max: sizes.at(-1) ?? 0,
      bare: isBare(name) ? null : contrast(own, bare, BARE_CLOCK, level),
      baseline: baseline === undefined || baseline === name ? null : contrast(own, of(baseline), baseline, level),
      corrections: totalOf(own.flatMap(({ corrections }) => corrections ?? [])),
    };
  });
}

/** Whether a name is that of an uncorrected clock, also of one of several runs. */
export function isBare(name: string): boolean {
  return name === BARE_CLOCK || name.endsWith(`/${BARE_CLOCK}`);
}

function contrast(
  own: readonly ErrorSeries[],
  other: readonly ErrorSeries[],
  against: string,
  level: number,
): Contrast {
  const mae = meanOf(own.flatMap(({ error }) => error.map(Math.abs)));
  const otherMae = meanOf(other.flatMap(({ error }) => error.map(Math.abs)));
  const pairs = own.flatMap(a => {
    const b = other.find(({ run, error }) => run === a.run && error.length === a.error.length);
    return b === undefined ? [] : [{ a: a.error.map(Math.abs), b: b.error.map(Math.abs) }];
  });
  const paired = pairs.length === own.length && pairs.length === other.length;
  const sizes = (all: readonly ErrorSeries[]): number[][] => all.map(({ error }) => error.map(Math.abs));
  const random = randomStream('1', 'bootstrap');
  const interval = paired
    ? pairedBootstrap(pairs, level, random)
    : independentBootstrap(sizes(own), sizes(other), level, random);
  let wins = 0;
  let n = 0;
  for (const { a, b } of pairs) {
    n += a.length;
    for (let i = 0; i < a.length; i++) wins += a[i]! < b[i]! ? 1 : a[i] === b[i] ? 0.5 : 0;
  }
  return {
    against,
    difference: mae - otherMae,
    improvement: otherMae === 0 ? null : 100 * (1 - mae / otherMae),
    winRate: paired && n > 0 ? wins / n : null,
    ...(interval && { interval }),
  };
}

function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** All corrections of several runs. */
function totalOf(summaries: readonly CorrectionSummary[]): CorrectionSummary | null {
  if (summaries.length === 0) return null;
  const sum = (value: (summary: CorrectionSummary) => number): number =>
    summaries.reduce((total, summary) => total + value(summary), 0);
  const [helped, hurt, declined] = [sum(s => s.helped), sum(s => s.hurt), sum(s => s.declined)];
  const gained = sum(s => s.helped * (s.helpedBy ?? 0));
  const lost = sum(s => s.hurt * (s.hurtBy ?? 0));
  return {
    helped,
    hurt,
    helpedBy: helped === 0 ? null : gained / helped,
    hurtBy: hurt === 0 ? null : lost / hurt,
    declined,
  };
}
