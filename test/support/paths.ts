import type { Observation } from '../../src/core/estimation/observation.js';
import { randomStream } from '../../src/core/world/random.js';

export interface Path {
  readonly source: string;
  /** Least delay of the way there and back, s. */
  readonly there: number;
  readonly back: number;
  /** Mean of the exponential queue each way, s. */
  readonly queue: number;
  /** What the server is ahead of true time by, s. */
  readonly lie?: number;
  /** Added to both ways from a time on, s. */
  readonly longer?: { readonly from: number; readonly by: number };
}

export interface Seen extends Observation {
  /** What has to be added to the local clock at arrival: what an estimate should say. Never given to an estimator. */
  readonly truth: number;
}

/**
 * Exchanges of a clock with random-walk FM against servers, every `poll` seconds: a simulation of its own, with nothing
 * in common with the simulated world but the random numbers.
 */
export function exchangesOf(
  paths: readonly Path[],
  {
    count = 200,
    poll = 64,
    wander = 1e-9,
    drift = 2e-5,
    offset = 0.05,
    seed = '1',
    step = undefined as { readonly at: number; readonly by: number } | undefined,
  } = {},
): readonly Seen[] {
  const clock = randomStream(seed, 'clock');
  const streams = paths.map(({ source }) => randomStream(seed, `path/${source}`));
  const seen: Seen[] = [];
  let x = -offset;
  let y = -drift;
  let stepped = false;
  let t = 0;
  for (let i = 0; i < count; i++) {
    const next = i < 4 ? 2 * i : 8 + poll * (i - 3);
    const kick = wander * Math.sqrt(next - t) * clock.normal();
    x += (y + kick / 2) * (next - t);
    y += kick;
    t = next;
    if (step !== undefined && !stepped && t >= step.at) {
      x += step.by;
      stepped = true;
    }
    paths.forEach(({ source, there, back, queue, lie = 0, longer }, s) => {
      const stream = streams[s]!;
      const more = longer !== undefined && t >= longer.from ? longer.by : 0;
      const out = there + more + queue * stream.exponential();
      const home = back + more + queue * stream.exponential();
      seen.push({
        source,
        at: t + 0.01 * s - x,
        offset: x + lie + (out - home) / 2,
        delay: out + home,
        rootDelay: 0,
        rootDispersion: 0,
        precision: 1e-7,
        stratum: 1,
        truth: x,
      });
    });
  }
  return seen;
}
