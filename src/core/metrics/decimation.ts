/**
 * Which samples to draw so that a picture of them looks as if all were drawn: in each of `buckets` equal lengths of time
 * the lowest and the highest of every series, besides the first and the last sample of all, and the samples on either
 * side of every edge (where a fault begins or ends). So no extreme is lost, and no jump moves.
 *
 * @param t ascending; `from` and `to` (exclusive) are indices into it
 * @param series values at those times; NaN: none
 * @returns indices, ascending, at most 2 · series · buckets + 2 · edges + 2 of them
 */
export function extremes(
  t: Float64Array,
  series: readonly Float64Array[],
  buckets: number,
  edges: readonly number[] = [],
  from = 0,
  to = t.length,
): Uint32Array {
  if (to <= from) return new Uint32Array(0);
  const kept = new Set<number>([from, to - 1]);
  for (const edge of edges) {
    const after = firstFrom(t, edge, from, to);
    if (after > from) kept.add(after - 1);
    if (after < to) kept.add(after);
  }
  const start = t[from]!;
  const width = (t[to - 1]! - start) / buckets;
  if (to - from <= 2 * series.length * buckets || !(width > 0)) {
    return Uint32Array.from({ length: to - from }, (_, i) => from + i);
  }
  for (const values of series) {
    let low = -1;
    let high = -1;
    let bucket = 0;
    for (let i = from; i < to; i++) {
      const own = Math.floor((t[i]! - start) / width);
      if (own !== bucket) {
        if (low >= 0) kept.add(low).add(high);
        low = -1;
        high = -1;
        bucket = own;
      }
      const value = values[i]!;
      if (Number.isNaN(value)) continue;
      if (low < 0 || value < values[low]!) low = i;
      if (high < 0 || value > values[high]!) high = i;
    }
    if (low >= 0) kept.add(low).add(high);
  }
  return Uint32Array.from(kept).sort();
}

/** Index of the first time from `instant` on, among those of `from` to `to`; `to` if there is none. */
export function firstFrom(t: Float64Array, instant: number, from = 0, to = t.length): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (t[middle]! < instant) low = middle + 1;
    else high = middle;
  }
  return low;
}
