import { InputError } from '../errors.js';
import { countOf, numberOf, shown } from './fields.js';

/** What the logs of NTP daemons share: lines of fields between blanks, and their ways to write an instant. */

/** Seconds from NTP's epoch (1900) to Unix's. */
const NTP_TO_UNIX = 2_208_988_800;
const ERA = 2 ** 32;
/** The Modified Julian Day of 1970-01-01. */
const UNIX_DAY = 40_587;

/** An instant as whole Unix seconds and the rest, so that its nanoseconds survive. */
export interface UnixInstant {
  readonly seconds: number;
  readonly fraction: number;
}

/** Seconds from `epoch` (whole Unix seconds) to an instant. */
export function since(epoch: number, { seconds, fraction }: UnixInstant): number {
  return seconds - epoch + fraction;
}

/** The fields of one line of a log. */
export class LogLine {
  readonly fields: readonly string[];

  constructor(
    line: string,
    /** `file:line`, for messages. */
    readonly place: string,
    least: number,
  ) {
    this.fields = line.trim().split(/\s+/);
    if (this.fields.length < least) {
      const found = `${this.fields.length} in ${shown(line)}`;
      throw new InputError(place, `expected at least ${least} fields, found ${found}`);
    }
  }

  text(index: number): string {
    return this.fields[index]!;
  }

  number(index: number, what: string): number {
    return numberOf(this.fields[index]!, this.place, what);
  }

  /** `2026-01-31` and `23:59:59`, UTC. */
  date(index: number): UnixInstant {
    const [date = '', time = ''] = [this.fields[index], this.fields[index + 1]];
    const valid = /^\d{4}-\d\d-\d\d$/.test(date) && /^\d\d:\d\d:\d\d$/.test(time);
    const milliseconds = valid ? Date.parse(`${date}T${time}Z`) : Number.NaN;
    if (!Number.isFinite(milliseconds)) {
      throw new InputError(
        this.place,
        `expected a date such as 2026-01-31 23:59:59, found ${shown(`${date} ${time}`)}`,
      );
    }
    return { seconds: milliseconds / 1000, fraction: 0 };
  }

  /** Modified Julian Day and seconds past midnight, UTC. */
  modifiedJulian(index: number): UnixInstant {
    const day = countOf(this.fields[index]!, this.place, 'the Modified Julian Day');
    const past = this.number(index + 1, 'the seconds past midnight');
    const seconds = Math.floor(past);
    return { seconds: (day - UNIX_DAY) * 86_400 + seconds, fraction: past - seconds };
  }

  /**
   * An NTP time stamp in decimal, seconds since 1900 modulo 2³², of the era in which it is nearest to `about`.
   * Undefined for 0, which says "not set".
   */
  ntpTimestamp(index: number, about: UnixInstant, what: string): UnixInstant | undefined {
    const text = this.fields[index]!;
    const [, whole, decimals] = /^(\d{1,10})\.(\d{1,12})$/.exec(text) ?? [];
    if (whole === undefined || decimals === undefined) {
      throw new InputError(
        this.place,
        `expected ${what} as an NTP time stamp (3976214400.000000000), found ${shown(text)}`,
      );
    }
    const fraction = Number(`0.${decimals}`);
    if (Number(whole) === 0 && fraction === 0) return undefined;
    const seconds = Number(whole) - NTP_TO_UNIX;
    return { seconds: seconds + ERA * Math.round((about.seconds - seconds) / ERA), fraction };
  }
}

/** The lines of a log that are not blank, with their fields. `least` is how many of them a line must have. */
export function* logLines(lines: Iterable<string>, file: string, least: number, banner?: RegExp): Generator<LogLine> {
  let number = 0;
  for (const line of lines) {
    number += 1;
    if (line.trim() === '' || banner?.test(line)) continue;
    yield new LogLine(line, `${file}:${number}`, least);
  }
}
