import { InputError } from '../errors.js';

/** What every format of recordings shares: numbers, lines of fields, and times that must not run backwards. */

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** A finite decimal number; throws an `InputError` at `place` for anything else: NaN, infinities, hexadecimal, nothing. */
export function numberOf(text: string, place: string, what: string): number {
  const value = NUMBER.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) throw new InputError(place, `expected a number for ${what}, found ${shown(text)}`);
  return value;
}

/** A whole number from 0 up. */
export function countOf(text: string, place: string, what: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw new InputError(place, `expected a whole number for ${what}, found ${shown(text)}`);
  return Number(text);
}

/** Text found in a file, short enough for a message. */
export function shown(text: string): string {
  if (text === '') return 'nothing';
  return `'${text.length > 40 ? `${text.slice(0, 40)}…` : text}'`;
}

/** The fields of one CSV line; quoted ones may hold commas and doubled quotes. */
export function splitCsv(line: string): readonly string[] {
  if (!line.includes('"')) return line.split(',');
  const fields: string[] = [];
  let from = 0;
  for (;;) {
    if (line[from] !== '"') {
      const comma = line.indexOf(',', from);
      if (comma < 0) return [...fields, line.slice(from)];
      fields.push(line.slice(from, comma));
      from = comma + 1;
      continue;
    }
    let field = '';
    let end = from;
    do {
      const close = line.indexOf('"', end + 1);
      // An open quote that is never closed: the rest of the line is its field, and the count of fields will tell.
      if (close < 0) return [...fields, field + line.slice(end + 1)];
      field += `${end === from ? '' : '"'}${line.slice(end + 1, close)}`;
      end = close + 1;
    } while (line[end] === '"');
    fields.push(field);
    if (end >= line.length) return fields;
    from = end + 1;
  }
}

/** How far a wall clock may be set back between two lines of a log, seconds: ntpd's panic threshold. */
export const LARGEST_STEP_BACK = 1000;

/** Sees to it that times do not run backwards, by more than a tolerance. */
export class Chronology {
  private last = Number.NEGATIVE_INFINITY;

  constructor(
    /** Seconds. */
    private readonly tolerance: number,
    private readonly what: string,
  ) {}

  /** Throws an `InputError` at `place` where `time` (seconds) lies too far before the last. */
  follow(time: number, place: string): void {
    if (time < this.last - this.tolerance) {
      throw new InputError(
        place,
        `expected ${this.what} of ${this.last} s or later, found ${time} s: the time runs backwards`,
      );
    }
    this.last = time;
  }
}
