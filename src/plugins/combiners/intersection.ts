import { inject } from 'inversify';
import { z } from 'zod';
import type { Combination, Combiner, Measurement, Verdict } from '../../core/contracts/index.js';
import { combined } from '../../core/pipeline/combined.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Report } from '../../core/plugin/tokens.js';
import { formatTime } from '../../core/quantity.js';

const Options = z.strictObject({
  survivors: z.int().min(1).default(3).meta({ description: 'Clustering stops at this many (RFC 5905: NMIN).' }),
  quorum: z.int().min(1).default(1).meta({ description: 'Fewer truechimers than this: nothing is taken (CMIN).' }),
});

interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * Majority selection by RFC 5905, section 11.2. Each source says that true time lies within its root distance of its
 * offset. The intersection algorithm (11.2.1) finds the smallest interval that contains points of more than half of the
 * sources; those whose midpoints lie outside it are falsetickers. Where no such interval exists there is no majority:
 * nothing is taken, and that is reported. Of the truechimers the clustering algorithm (11.2.2) drops, one by one, the one
 * farthest from the others, until its distance from them is less than the least uncertainty or `survivors` are left;
 * the rest is combined (11.2.3), weighted by inverse root distance.
 *
 * The other sources' latest measurements have a say in the majority, but are not handed on.
 */
@plugin({
  kind: 'combiner',
  name: 'intersection',
  summary: 'Majority of correctness intervals, clustering and a weighted mean (RFC 5905)',
  options: Options,
})
export class IntersectionCombiner implements Combiner {
  private majority = true;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Report) private readonly report: Report,
  ) {}

  combine(round: readonly Measurement[], others: readonly Measurement[]): Combination {
    const heard = [...round, ...others];
    const agreed = intersect(heard);
    const truechimers = agreed === undefined ? [] : heard.filter(({ offset }) => isWithin(offset, agreed));
    const enough = truechimers.length * 2 > heard.length && truechimers.length >= this.options.quorum;
    this.tell(enough, truechimers.length, heard.length);
    if (!enough) {
      const reason = `no majority: ${truechimers.length} of ${heard.length} agree`;
      return { measurements: [], verdicts: round.map(({ source }) => ({ source, used: false, reason })) };
    }
    const survivors = this.cluster(truechimers);
    const taken = round.filter(measurement => survivors.includes(measurement));
    return {
      measurements: taken.length === 0 ? [] : [merge(taken)],
      verdicts: round.map(measurement => verdict(measurement, agreed!, truechimers, survivors)),
    };
  }

  /** Says so once when the majority is lost, and when it is found again. */
  private tell(majority: boolean, agreeing: number, heard: number): void {
    if (majority === this.majority) return;
    this.majority = majority;
    this.report(majority ? `a majority again: ${agreeing} of ${heard}` : `no majority: ${agreeing} of ${heard} agree`);
  }

  private cluster(truechimers: readonly Measurement[]): readonly Measurement[] {
    const left = [...truechimers];
    while (left.length > this.options.survivors) {
      let worst = 0;
      let worstJitter = Number.NEGATIVE_INFINITY;
      let least = Number.POSITIVE_INFINITY;
      left.forEach(({ offset, uncertainty }, index) => {
        const square = left.reduce((sum, other) => sum + (other.offset - offset) ** 2, 0) / (left.length - 1);
        // The selection jitter counts for more where the server is far from the truth.
        const jitter = Math.sqrt(square) * left[index]!.rootDistance;
        if (jitter > worstJitter) [worst, worstJitter] = [index, jitter];
        least = Math.min(least, uncertainty);
      });
      if (worstJitter / left[worst]!.rootDistance <= least) break;
      left.splice(worst, 1);
    }
    return left;
  }
}

/**
 * The smallest interval that holds points of the most sources, more than half of them: undefined if there is none. As
 * in RFC 5905 as many midpoints may lie outside it as there are falsetickers.
 */
function intersect(sources: readonly Measurement[]): Interval | undefined {
  const m = sources.length;
  const edges = sources.flatMap(({ offset, rootDistance }) => [
    { at: offset - rootDistance, type: -1 },
    { at: offset, type: 0 },
    { at: offset + rootDistance, type: 1 },
  ]);
  edges.sort((a, b) => a.at - b.at || a.type - b.type);
  for (let falsetickers = 0; 2 * falsetickers < m; falsetickers++) {
    let outside = 0;
    let low: number | undefined;
    let chimes = 0;
    for (const { at, type } of edges) {
      chimes -= type;
      if (chimes >= m - falsetickers) {
        low = at;
        break;
      }
      if (type === 0) outside += 1;
    }
    let high: number | undefined;
    chimes = 0;
    for (let i = edges.length - 1; i >= 0; i--) {
      const { at, type } = edges[i]!;
      chimes += type;
      if (chimes >= m - falsetickers) {
        high = at;
        break;
      }
      if (type === 0) outside += 1;
    }
    if (outside > falsetickers || low === undefined || high === undefined) continue;
    if (low <= high) return { low, high };
  }
  return undefined;
}

function isWithin(offset: number, { low, high }: Interval): boolean {
  return offset >= low && offset <= high;
}

function verdict(
  measurement: Measurement,
  agreed: Interval,
  truechimers: readonly Measurement[],
  survivors: readonly Measurement[],
): Verdict {
  const { source, offset } = measurement;
  if (!truechimers.includes(measurement)) {
    const by = offset < agreed.low ? agreed.low - offset : offset - agreed.high;
    return { source, used: false, reason: `falseticker: ${formatTime(by)} outside what the majority agrees on` };
  }
  if (!survivors.includes(measurement)) return { source, used: false, reason: 'outlier among the truechimers' };
  return { source, used: true, reason: `one of ${survivors.length} survivors` };
}

/** The mean weighted by inverse root distance, no surer than the spread of its parts. */
function merge(parts: readonly Measurement[]): Measurement {
  if (parts.length === 1) return parts[0]!;
  const weights = parts.map(({ rootDistance }) => 1 / rootDistance);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = (value: (part: Measurement) => number): number =>
    parts.reduce((sum, part, i) => sum + weights[i]! * value(part), 0) / total;
  const offset = mean(part => part.offset);
  const own = parts.reduce((sum, part, i) => sum + (weights[i]! * part.uncertainty) ** 2, 0) / total ** 2;
  const spread = mean(part => (part.offset - offset) ** 2) / (parts.length - 1);
  return combined(parts, offset, Math.sqrt(Math.max(own, spread)));
}
