import { type Axis, type CorrectedTime, type Exchange, type Task, timeOn, type World } from '../contracts/index.js';
import { LEAP_UNSYNCHRONISED } from '../ntp/packet.js';

const DAY = 86_400;
/** After a leap second announcements are not believed for this long, seconds: some servers keep them up. */
const SILENCE = DAY / 2;
/** How long another daemon, or the kernel, is waited for to step the wall clock, seconds. */
const WAIT = 0.5;
/** A step of the wall clock within this of the leap second is taken for it, seconds. */
const ALIKE = 0.1;
/** As near to midnight as a timer has to come, seconds. */
const NEAR = 1e-6;

/**
 * Takes announced leap seconds in time. More than half of the sources must announce the same in their latest answers
 * (leap indicator, RFC 5905 section 7.3); then the last second of the UTC day is repeated or left out. What is told is
 * POSIX time, which has no name for an inserted second: it goes back by one.
 *
 * On the wall axis the kernel or another daemon may step the clock itself: that is waited for, and then nothing is left
 * to do.
 */
export class LeapWatch {
  private readonly claims = new Map<string, number>();
  private timer: Task | undefined;
  private silentUntil = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly world: World,
    private readonly axis: Axis,
    private readonly told: () => CorrectedTime | undefined,
    /** Adds to what is told, seconds: −1 or +1. */
    private readonly leap: (by: number) => void,
  ) {}

  /** Costs next to nothing while nobody announces anything. */
  hear({ source, leap }: Exchange): void {
    if (leap === 0 && this.timer === undefined && !this.claims.has(source)) return;
    if (leap !== LEAP_UNSYNCHRONISED) this.claims.set(source, leap);
  }

  /** Plans anew from what is known after a round of `sources` sources in all. */
  plan(sources: number): void {
    if (this.claims.size === 0) return;
    this.timer?.cancel();
    this.timer = undefined;
    const votes = [0, 0, 0];
    for (const leap of this.claims.values()) votes[leap]! += 1;
    const announced = [1, 2].find(leap => votes[leap]! * 2 > Math.max(sources, this.claims.size));
    if (announced === undefined || this.world.scheduler.time < this.silentUntil) return;
    this.arm(announced === 1 ? -1 : 1, undefined);
  }

  private arm(by: number, midnight: number | undefined): void {
    const told = this.told();
    if (told === undefined) return;
    const { scheduler, epoch } = this.world;
    const end = midnight ?? Math.ceil((told.time + epoch) / DAY) * DAY - epoch;
    // A deleted second is the last of the day: the clock jumps as it would begin.
    const left = (by < 0 ? end : end - 1) - told.time;
    this.timer = scheduler.at(scheduler.time + Math.max(0, left), () => {
      this.timer = undefined;
      const now = this.told();
      if (now !== undefined && (by < 0 ? end : end - 1) - now.time > NEAR) this.arm(by, end);
      else this.take(by);
    });
  }

  private take(by: number): void {
    const { scheduler, clock } = this.world;
    this.silentUntil = scheduler.time + SILENCE;
    this.claims.clear();
    if (this.axis === 'counter') {
      this.leap(by);
      return;
    }
    const before = clock.read();
    scheduler.at(scheduler.time + WAIT, () => {
      const after = clock.read();
      const stepped = timeOn('wall', after) - timeOn('wall', before) - (after.counter - before.counter);
      if (Math.abs(stepped - by) > ALIKE) this.leap(by);
    });
  }
}
