import type { Poller, PollState } from '../contracts/index.js';

/** Seconds between the questions of a burst, and of any two, to a server of somebody else's. */
const BURST_SPACING = 2;
const BURST = 4;
const SPACING = 64;
/** A question is repeated no sooner than this, seconds. */
const RETRY = 16;

/**
 * A poller held to what one may ask of servers of somebody else's: a burst of 4 questions, 2 s apart, at the start, and
 * 64 s between questions after that. `raised` is told once, if the poller wanted more.
 */
export class CourteousPoller implements Poller {
  private told = false;

  constructor(
    private readonly poller: Poller,
    private readonly raised: (wanted: number, least: number) => void,
  ) {}

  next(state: PollState): number {
    const least = state.sent < BURST - 1 ? BURST_SPACING : SPACING;
    return this.atLeast(least, this.poller.next(state));
  }

  retry(state: PollState): number | undefined {
    const wanted = this.poller.retry?.(state);
    return wanted === undefined ? undefined : Math.max(RETRY, wanted);
  }

  private atLeast(least: number, wanted: number): number {
    if (!(wanted < least)) return wanted;
    if (!this.told) {
      this.told = true;
      this.raised(wanted, least);
    }
    return least;
  }
}
