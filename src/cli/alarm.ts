/** setTimeout counts milliseconds and is late; what is left of a wait is spent turning. Milliseconds. */
const COARSE = 1.5;
const LONGEST = 60_000;

/**
 * Wakes at instants of a clock to some tens of microseconds, where setTimeout alone is good to a millisecond or two: paths
 * that are simulated in real time need it. While nothing is due within {@link COARSE} it costs nothing.
 */
export class Alarm {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private turn: ReturnType<typeof setImmediate> | undefined;

  constructor(
    /** Seconds. */
    private readonly now: () => number,
    /** When the next thing is due; Infinity if nothing is. */
    private readonly next: () => number,
    /** Does all that is due. */
    private readonly fire: () => void,
  ) {}

  /** To be called whenever something new is due, or something was done. */
  set(): void {
    clearTimeout(this.timer);
    clearImmediate(this.turn);
    const left = (this.next() - this.now()) * 1000;
    if (left === Number.POSITIVE_INFINITY) return;
    if (left > COARSE) this.timer = setTimeout(this.wake, Math.min(LONGEST, Math.floor(left - COARSE)));
    else this.turn = setImmediate(this.wake);
  }

  stop(): void {
    clearTimeout(this.timer);
    clearImmediate(this.turn);
  }

  private readonly wake = (): void => {
    if (this.next() <= this.now()) this.fire();
    this.set();
  };
}
