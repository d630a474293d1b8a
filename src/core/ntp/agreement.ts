/** An offset with the largest error that the protocol admits, as a measurement has them. Seconds. */
interface Interval {
  readonly offset: number;
  readonly rootDistance: number;
}

/**
 * Which of a round's measurements can be right together: Marzullo's algorithm, as in RFC 5905 section 11.2.1. Where
 * more than half of the intervals offset ± root distance have a point in common, those that hold it agree, and the
 * others are falsetickers. Where no majority has, nobody knows who is right, and none agrees.
 */
export function agreeing(round: readonly Interval[]): readonly boolean[] {
  const intervals = round.map(({ offset, rootDistance }) => ({
    low: offset - rootDistance,
    high: offset + rootDistance,
  }));
  const holding = (point: number): readonly boolean[] =>
    intervals.map(({ low, high }) => low <= point && point <= high);
  // The point that most intervals hold is (also) where one of them begins. Rounds are small.
  let best: readonly boolean[] = [];
  let most = 0;
  for (const { low } of intervals) {
    const held = holding(low);
    const count = held.filter(Boolean).length;
    if (count > most) [best, most] = [held, count];
  }
  return 2 * most > round.length ? best : round.map(() => false);
}
