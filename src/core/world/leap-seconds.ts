/** The leap seconds of a simulated world. */
interface Leap {
  /** True time at which UTC repeats or skips a second. */
  readonly at: number;
  /** −1: inserted; +1: deleted. */
  readonly by: -1 | 1;
  /** True time from which it is known. */
  readonly known: number;
}

/** It is announced for the last day before it, as RFC 5905's servers do (their sources know it for longer). */
const ANNOUNCED = 86_400;
/** Leap indicators, RFC 5905 section 7.3: the last minute of the day has 61 or 59 seconds. */
const INSERTED = 1;
const DELETED = 2;

/**
 * UTC as a view of the uniform scale that truth runs on. POSIX time has no name for an inserted second: it repeats the
 * one before it.
 */
export class LeapSeconds {
  private readonly leaps: Leap[] = [];

  add(at: number, by: -1 | 1, known: number): void {
    this.leaps.push({ at, by, known });
  }

  /** POSIX UTC − the uniform scale at true time t, seconds; smeared linearly over `smear` seconds about each leap. */
  offsetAt(t: number, smear: number): number {
    if (this.leaps.length === 0) return 0;
    let offset = 0;
    for (const { at, by, known } of this.leaps) {
      if (smear === 0) {
        if (t >= at) offset += by;
        continue;
      }
      // One that is announced late is smeared over what is left.
      const start = Math.max(at - smear / 2, Math.min(known, at));
      const end = at + smear / 2;
      offset += by * Math.min(1, Math.max(0, (t - start) / (end - start)));
    }
    return offset;
  }

  /** The leap indicator that servers send at true time t. */
  announcedAt(t: number): number {
    for (const { at, by, known } of this.leaps) {
      if (t >= known && t >= at - ANNOUNCED && t < at) return by < 0 ? INSERTED : DELETED;
    }
    return 0;
  }
}
