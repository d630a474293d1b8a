import type { Measurement } from '../contracts/index.js';

/** Stands between the names of sources that were combined. */
export const COMBINED = '+';

/**
 * One measurement in the place of several of a round: the given offset and deviation, at the instant of the last, with
 * the largest root distance (widened by how far the offsets lie apart, since any of them may be the right one).
 */
export function combined(parts: readonly Measurement[], offset: number, uncertainty: number): Measurement {
  const { at, exchange } = parts.reduce((a, b) => (b.at.counter > a.at.counter ? b : a));
  return {
    source: parts.map(({ source }) => source).join(COMBINED),
    at,
    offset,
    delay: parts.reduce((sum, { delay }) => sum + delay, 0) / parts.length,
    uncertainty,
    rootDistance: Math.max(...parts.map(part => part.rootDistance + Math.abs(part.offset - offset))),
    exchange,
  };
}
