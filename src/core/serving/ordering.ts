/** When something happened: true time was neither before `earliest` nor after `latest`. Unix seconds. */
export interface Bounds {
  readonly earliest: number;
  readonly latest: number;
}

/** Whether one event happened before another: undefined where their bounds overlap, so that it cannot be told. */
export function happenedBefore(a: Bounds, b: Bounds): boolean | undefined {
  for (const { earliest, latest } of [a, b]) {
    if (!(earliest <= latest)) throw new RangeError(`expected earliest ≤ latest, found ${earliest} and ${latest}`);
  }
  if (a.latest < b.earliest) return true;
  if (b.latest < a.earliest) return false;
  return undefined;
}
