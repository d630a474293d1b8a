import type { OneWayRecording } from '../contracts/index.js';

/**
 * What one-way packets say of two clocks. The stamp of arrival minus the stamp of departure is
 * L(t) = d(t) + x(t), the packet's delay plus receiver's clock − sender's. The delay is never less than the path's
 * shortest, d₀, so the lower envelope of L is d₀ + x(t): its slope is the relative drift of the clocks. Its height is the
 * sum of two unknowns, so the constant offset between the clocks cannot be known from packets in one direction.
 */
export interface OneWaySummary {
  readonly packets: number;
  /** From the first packet to the last, seconds. */
  readonly duration: number;
  /** The line under all packets. */
  readonly line: EnvelopeLine;
  /** How the minima of `windows` lie about a straight line through them, by least squares. */
  readonly envelope: {
    /** Length of one window, seconds, and how many of them hold packets. */
    readonly window: number;
    readonly windows: number;
    /** Slope of the least-squares line through the minima, s/s, and one standard error of it. */
    readonly drift: number;
    readonly driftError: number;
    /** Root mean square distance of the minima from that line, seconds: wander of the clocks and queues that never empty. */
    readonly jitter: number;
  };
  /** Latency above the line, seconds: queueing, and wander. */
  readonly above: { readonly p50: number; readonly p95: number; readonly max: number };
  /** The same in equal parts of the recording, to show whether the drift holds still. */
  readonly parts: readonly OneWayPart[];
}

export interface EnvelopeLine {
  /** s/s; positive: the receiver's clock runs fast against the sender's. */
  readonly drift: number;
  /** Height at the first packet, seconds: shortest delay plus offset between the clocks, which cannot be told apart. */
  readonly height: number;
}

export interface OneWayPart {
  /** Seconds since the first packet. */
  readonly from: number;
  readonly to: number;
  readonly packets: number;
  readonly line: EnvelopeLine;
  readonly above: OneWaySummary['above'];
}

const PARTS = 6;
const WINDOWS = 30;
/** A line under fewer packets than this says nothing. */
const LEAST = 3;

/** Undefined where there are too few packets, or all at one instant, for a line. */
export function summariseOneWay({ t, latency }: OneWayRecording): OneWaySummary | undefined {
  const packets = t.length;
  const line = lineUnder(t, latency);
  if (line === undefined || packets < LEAST) return undefined;
  const first = t[0]!;
  const duration = t[packets - 1]! - first;
  const parts: OneWayPart[] = [];
  for (let part = 0; part < PARTS; part++) {
    const [from, to] = [(duration * part) / PARTS, (duration * (part + 1)) / PARTS];
    const low = firstFrom(t, first + from);
    const high = part === PARTS - 1 ? packets : firstFrom(t, first + to);
    const [times, latencies] = [t.subarray(low, high), latency.subarray(low, high)];
    const under = times.length < LEAST ? undefined : lineUnder(times, latencies);
    if (under === undefined) continue;
    parts.push({ from, to, packets: times.length, line: under, above: aboveLine(times, latencies, under) });
  }
  return {
    packets,
    duration,
    line,
    envelope: minimaOf(t, latency, duration / WINDOWS, line),
    above: aboveLine(t, latency, line),
    parts,
  };
}

/** Index of the first time from `instant` on; the number of times if there is none. */
function firstFrom(t: Float64Array, instant: number): number {
  const index = t.findIndex(at => at >= instant);
  return index < 0 ? t.length : index;
}

/**
 * The straight line that no point lies under and that is nearest to them in the sum of distances: the edge of the lower
 * convex hull that spans the mean of the times (the linear programme of Moon, Skelly and Towsley, "Estimation and
 * removal of clock skew from network delay measurements", INFOCOM 1999). Times ascend. Undefined if they are all one.
 */
export function lineUnder(t: Float64Array, y: Float64Array): EnvelopeLine | undefined {
  const hull: number[] = [];
  for (let i = 0; i < t.length; i++) {
    // Of points at one instant only the lowest counts.
    if (hull.length > 0 && t[hull.at(-1)!] === t[i]) {
      if (y[hull.at(-1)!]! <= y[i]!) continue;
      hull.pop();
    }
    while (hull.length > 1) {
      const [a, b] = [hull.at(-2)!, hull.at(-1)!];
      const turn = (t[b]! - t[a]!) * (y[i]! - y[a]!) - (y[b]! - y[a]!) * (t[i]! - t[a]!);
      if (turn > 0) break;
      hull.pop();
    }
    hull.push(i);
  }
  if (hull.length < 2) return undefined;
  const mean = t.reduce((sum, at) => sum + (at - t[0]!), 0) / t.length + t[0]!;
  const right = Math.max(
    1,
    hull.findIndex(i => t[i]! >= mean),
  );
  const [a, b] = [hull[right - 1]!, hull[right]!];
  const drift = (y[b]! - y[a]!) / (t[b]! - t[a]!);
  return { drift, height: y[a]! - drift * (t[a]! - t[0]!) };
}

function aboveLine(t: Float64Array, y: Float64Array, { drift, height }: EnvelopeLine): OneWaySummary['above'] {
  const above = y.map((latency, i) => Math.max(0, latency - height - drift * (t[i]! - t[0]!))).sort();
  const share = (p: number): number => above[Math.max(0, Math.ceil(p * above.length) - 1)]!;
  return { p50: share(0.5), p95: share(0.95), max: above.at(-1)! };
}

/** The packet of each window that is lowest above `line`, and the least-squares line through them. */
function minimaOf(t: Float64Array, y: Float64Array, window: number, line: EnvelopeLine): OneWaySummary['envelope'] {
  const above = y.map((latency, i) => latency - line.drift * (t[i]! - t[0]!));
  const lowest = new Map<number, number>();
  for (let i = 0; i < t.length; i++) {
    const key = Math.min(WINDOWS - 1, Math.floor((t[i]! - t[0]!) / window));
    const best = lowest.get(key);
    if (best === undefined || above[i]! < above[best]!) lowest.set(key, i);
  }
  const points = [...lowest.values()].map(i => [t[i]!, y[i]!] as const);
  const n = points.length;
  const meanT = points.reduce((sum, [at]) => sum + at, 0) / n;
  const meanY = points.reduce((sum, [, low]) => sum + low, 0) / n;
  const spread = points.reduce((sum, [at]) => sum + (at - meanT) ** 2, 0);
  const drift = spread === 0 ? 0 : points.reduce((sum, [at, low]) => sum + (at - meanT) * (low - meanY), 0) / spread;
  const squares = points.reduce((sum, [at, low]) => sum + (low - meanY - drift * (at - meanT)) ** 2, 0);
  const variance = n > 2 ? squares / (n - 2) : 0;
  return {
    window,
    windows: n,
    drift,
    driftError: spread === 0 ? 0 : Math.sqrt(variance / spread),
    jitter: Math.sqrt(squares / n),
  };
}
