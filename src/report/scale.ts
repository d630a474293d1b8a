/**
 * A scale that is linear about zero and logarithmic beyond: errors of nanoseconds and of seconds, with their signs, in
 * one picture. `linear` is where the one goes over into the other.
 */
export function toSymlog(value: number, linear: number): number {
  return Math.asinh(value / (2 * linear)) / Math.LN10;
}

export function fromSymlog(place: number, linear: number): number {
  return 2 * linear * Math.sinh(place * Math.LN10);
}

/** Where ticks go between two errors: at zero and at powers of ten on either side, no closer than `gap` on the scale. */
export function symlogTicks(low: number, high: number, linear: number, gap: number): readonly number[] {
  const ticks = [0];
  const to = Math.floor(Math.log10(Math.max(Math.abs(low), Math.abs(high))) + 1e-9);
  const step = Math.max(1, Math.ceil(gap));
  for (let exponent = to; ; exponent -= step) {
    const tick = 10 ** exponent;
    if (toSymlog(tick, linear) < gap || !(exponent > -20)) break;
    if (tick <= high) ticks.push(tick);
    if (-tick >= low) ticks.push(-tick);
  }
  return ticks.sort((a, b) => a - b);
}
