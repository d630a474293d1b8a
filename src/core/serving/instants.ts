/** Exact wall-clock instants at the edge: a run counts seconds since its whole epoch, programs want Unix time. */

const NANOSECONDS = 1_000_000_000;

export interface Instant {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** `seconds` since an epoch (a whole Unix second) as Unix time. A double of Unix seconds would be good to 0.2 µs only. */
export function instantOf(seconds: number, epoch: number): Instant {
  const whole = Math.floor(seconds);
  const nanoseconds = Math.round((seconds - whole) * NANOSECONDS);
  return nanoseconds === NANOSECONDS
    ? { seconds: epoch + whole + 1, nanoseconds: 0 }
    : { seconds: epoch + whole, nanoseconds };
}

/** RFC 3339 in UTC with nine digits of the second: 2026-11-25T00:10:00.123456789Z. */
export function isoOf({ seconds, nanoseconds }: Instant): string {
  if (seconds !== lastSecond) {
    lastSecond = seconds;
    lastText = new Date(seconds * 1000).toISOString().slice(0, -5);
  }
  return `${lastText}.${String(nanoseconds).padStart(9, '0')}Z`;
}

/** Thousands of instants lie in one second. */
let lastSecond = 0;
let lastText = '1970-01-01T00:00:00';

/**
 * Reads an instant as people and programs write one, to seconds since `epoch`: RFC 3339, or Unix seconds. A string says
 * what is wrong with it.
 */
export function parseInstant(text: string, epoch: number): number | string {
  const expected = 'expected an instant such as 2026-11-25T00:10:00Z, or Unix seconds';
  if (/^[+-]?\d+(\.\d*)?$/.test(text)) {
    const [whole, fraction = ''] = text.split('.') as [string, string | undefined];
    const seconds = Number(whole) - epoch;
    return seconds + (whole.startsWith('-') ? -1 : 1) * Number(`0.${fraction || '0'}`);
  }
  const match = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?(Z|z|[+-]\d\d:\d\d)$/.exec(text) ?? undefined;
  if (match === undefined) return `${expected}, found '${text}'`;
  const milliseconds = Date.parse(`${match[1]}T${match[2]}${match[4]!.toUpperCase()}`);
  if (!Number.isFinite(milliseconds)) return `${expected}, found '${text}'`;
  return milliseconds / 1000 - epoch + Number(`0${match[3] ?? '.0'}`);
}
