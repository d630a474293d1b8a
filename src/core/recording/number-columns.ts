import { InputError } from '../errors.js';
import { shown, splitCsv } from './fields.js';

const COMMA = 44;
const QUOTE = 34;
const NEWLINE = 10;
const RETURN = 13;
const HASH = 35;
const PLUS = 43;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const NINE = 57;
const CAPITAL_E = 69;
const SMALL_E = 101;

/** Powers of ten that a double holds exactly. */
const POWERS = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
/** More than are ever printed. */
const MOST_DIGITS = 25;

/**
 * Some columns of a big CSV file as numbers, one array each; a blank field is NaN. Goes over the bytes once and makes no
 * text of what nobody asked for: a day of samples each second is read in a hundred milliseconds. Of a field with more than
 * 15 digits the last bit may be another than `Number` finds; shorter ones are the same.
 *
 * @throws InputError that names the line, for a column that is not there, a field that is no number, or a row that is
 * shorter or longer than the header
 */
export function numberColumns(bytes: Buffer, names: readonly string[], file: string): readonly Float64Array[] {
  let position = 0;
  let line = 1;
  while (bytes[position] === HASH) {
    position = endOfLine(bytes, position) + 1;
    line += 1;
  }
  const end = endOfLine(bytes, position);
  const header = splitCsv(bytes.toString('utf8', position, end)).map(name => name.trim());
  if (position >= bytes.length) {
    throw new InputError(file, 'expected a header line with the names of the columns, found nothing');
  }
  const slots = new Int32Array(header.length).fill(-1);
  names.forEach((name, slot) => {
    const index = header.indexOf(name);
    if (index < 0) {
      throw new InputError(`${file}:${line}`, `expected a column '${name}', found: ${header.join(', ')}`);
    }
    slots[index] = slot;
  });
  position = end + 1;

  let room = 1024;
  let columns = names.map(() => new Float64Array(room));
  let rows = 0;
  for (; position < bytes.length; position += 1) {
    line += 1;
    if (bytes[position] === NEWLINE || bytes[position] === RETURN) continue;
    if (rows === room) {
      room *= 2;
      columns = columns.map(column => {
        const larger = new Float64Array(room);
        larger.set(column);
        return larger;
      });
    }
    const start = position;
    let field = 0;
    for (; ; field += 1) {
      const from = position;
      position = endOfField(bytes, from);
      const slot = field < slots.length ? slots[field]! : -1;
      if (slot >= 0) {
        let value = plainNumber(bytes, from, position);
        if (Number.isNaN(value)) {
          const text = bytes.toString('latin1', from, position);
          const odd = numberIn(text);
          if (odd === undefined) {
            const found = shown(text.trim());
            throw new InputError(`${file}:${line}`, `expected a number in column '${names[slot]}', found ${found}`);
          }
          value = odd;
        }
        columns[slot]![rows] = value;
      }
      if (bytes[position] !== COMMA) break;
      position += 1;
    }
    if (field + 1 !== header.length) {
      const found = `${field + 1} in ${shown(bytes.toString('utf8', start, position))}`;
      throw new InputError(`${file}:${line}`, `expected ${header.length} fields, found ${found}`);
    }
    rows += 1;
  }
  return columns.map(column => column.slice(0, rows));
}

/**
 * The number in a field that is written as numbers are printed, without making text of it; NaN for every other field,
 * which is for `numberIn` to judge. A mantissa and a power of ten that are both exact take one rounding (W. D. Clinger,
 * "How to read floating point numbers accurately", PLDI 1990); each digit past the fifteenth may cost half a unit more.
 */
function plainNumber(bytes: Uint8Array, from: number, to: number): number {
  let i = from;
  const negative = bytes[i] === MINUS;
  if (negative) i += 1;
  let mantissa = 0;
  let digits = 0;
  let decimals = 0;
  let point = false;
  for (; i < to; i += 1) {
    const byte = bytes[i]!;
    if (byte >= ZERO && byte <= NINE) {
      mantissa = mantissa * 10 + (byte - ZERO);
      digits += 1;
      if (point) decimals += 1;
    } else if (byte === POINT && !point) {
      point = true;
    } else {
      break;
    }
  }
  if (digits === 0 || digits > MOST_DIGITS) return Number.NaN;
  let power = -decimals;
  if (i < to) {
    if (bytes[i] !== SMALL_E && bytes[i] !== CAPITAL_E) return Number.NaN;
    const shrinks = bytes[i + 1] === MINUS;
    i += shrinks || bytes[i + 1] === PLUS ? 2 : 1;
    let exponent = 0;
    if (i >= to || to - i > 3) return Number.NaN;
    for (; i < to; i += 1) {
      const digit = bytes[i]! - ZERO;
      if (!(digit >= 0 && digit <= 9)) return Number.NaN;
      exponent = exponent * 10 + digit;
    }
    power += shrinks ? -exponent : exponent;
  }
  if (Math.abs(power) >= POWERS.length) return Number.NaN;
  const size = power < 0 ? mantissa / POWERS[-power]! : mantissa * POWERS[power]!;
  return negative ? -size : size;
}

/** NaN where there is only white space; undefined for what is no number. */
function numberIn(text: string): number | undefined {
  const value = Number(text);
  // `Number` takes a blank for nothing.
  if (value === 0 && text.trim() === '') return Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}

/** Where the field ends that begins at `position`: at a comma or a line end outside quotes. */
function endOfField(bytes: Uint8Array, position: number): number {
  const { length } = bytes;
  let quoted = false;
  let end = position;
  for (; end < length; end += 1) {
    const byte = bytes[end]!;
    // Digits, signs and letters come after all three.
    if (byte > COMMA) continue;
    if (byte === QUOTE) quoted = !quoted;
    else if (!quoted && (byte === COMMA || byte === NEWLINE)) break;
  }
  return end;
}

function endOfLine(bytes: Buffer, from: number): number {
  const end = bytes.indexOf(NEWLINE, from);
  return end < 0 ? bytes.length : end;
}
