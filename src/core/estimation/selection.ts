/** Where a source says the true offset must lie. */
export interface CorrectnessInterval {
  readonly low: number;
  readonly high: number;
}

/**
 * Intersection of the correctness intervals of a majority (Marzullo 1984; RFC 5905, 11.2.1): the region common to the
 * most sources, if more than half of them share it. Returns which of them overlap that region, and the region.
 *
 * Without a majority every source is kept, with the hull of all intervals: with two that disagree nobody can tell who is wrong.
 */
export function intersect(intervals: readonly CorrectnessInterval[]): {
  readonly truechimers: boolean[];
  readonly low: number;
  readonly high: number;
  readonly majority: boolean;
  /** How many share the region. */
  readonly agreeing: number;
} {
  const only = intervals.length === 1 ? intervals[0] : undefined;
  if (only) return { truechimers: [true], low: only.low, high: only.high, majority: true, agreeing: 1 };
  const ends = intervals.flatMap(({ low, high }) => [
    { at: low, opens: true },
    { at: high, opens: false },
  ]);
  ends.sort((a, b) => a.at - b.at || Number(b.opens) - Number(a.opens));
  let depth = 0;
  let best = 0;
  let low = Number.NaN;
  let high = Number.NaN;
  ends.forEach((end, i) => {
    if (!end.opens) {
      depth--;
      return;
    }
    depth++;
    if (depth > best) {
      best = depth;
      low = end.at;
      high = ends[i + 1]?.at ?? end.at;
    } else if (depth === best) high = Math.max(high, ends[i + 1]?.at ?? end.at);
  });
  const majority = best * 2 > intervals.length;
  if (!majority) {
    return {
      truechimers: intervals.map(() => true),
      low: Math.min(...intervals.map(i => i.low)),
      high: Math.max(...intervals.map(i => i.high)),
      majority,
      agreeing: best,
    };
  }
  return {
    truechimers: intervals.map(i => i.low <= high && i.high >= low),
    low,
    high,
    majority,
    agreeing: best,
  };
}
