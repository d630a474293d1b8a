import { parse } from 'csv-parse/sync';
import { InputError, unknownName } from './errors.js';

interface Located {
  readonly info: { readonly lines: number };
}

/**
 * One column of a CSV file (or of a file with one number a line) as numbers. Lines that begin with # are comments; a
 * first row that holds no number is a heading; cells are divided by commas, semicolons, tabs or spaces.
 *
 * @param file its name, for messages
 * @param column name of the column, or its number from 1; undefined where there is only one
 * @param option what chose the column, for messages
 * @throws InputError with the line of the first cell that is no number
 */
export function readColumn(text: string, file: string, column: string | undefined, option: string): Float64Array {
  const body = text.replace(/^\uFEFF/, '');
  const first = body.split(/\r?\n/).find(line => line.trim() !== '' && !line.startsWith('#')) ?? '';
  const delimiter = [',', ';', '\t'].find(mark => first.includes(mark)) ?? ' ';
  const format = {
    delimiter,
    comment: '#',
    comment_no_infix: true,
    trim: true,
    skip_empty_lines: true,
    relax_column_count: true,
  };
  let lines: readonly (readonly string[])[];
  try {
    lines = parse(body, format);
  } catch (error) {
    throw new InputError(file, `is not CSV: ${error instanceof Error ? error.message : String(error)}`);
  }
  const cellsOf = (record: readonly string[]): readonly string[] =>
    delimiter === ' ' ? record.filter(cell => cell !== '') : record;
  if (lines.length === 0) throw new InputError(file, 'expected a column of numbers, found nothing');
  const heading = cellsOf(lines[0]!);
  const headed = heading.every(cell => cell === '' || !Number.isFinite(Number(cell)));
  const index = columnIndex(heading, headed, column, file, option);
  const data = headed ? lines.slice(1) : lines;
  if (data.length === 0) throw new InputError(file, 'expected numbers under the heading, found nothing');
  // Where each row stands costs more to know than all the rest: only who is at fault is looked for.
  const lineOf = (row: number): number => {
    const located = parse(body, { ...format, info: true }) as unknown as readonly Located[];
    return located[headed ? row + 1 : row]!.info.lines;
  };
  return Float64Array.from(data, (line, row) => {
    const cell = cellsOf(line)[index];
    const value = Number(cell);
    if (cell === undefined || cell === '' || !Number.isFinite(value)) {
      const found = cell === undefined || cell === '' ? 'nothing' : `'${cell}'`;
      throw new InputError(`${file}:${lineOf(row)}`, `expected a number in column ${index + 1}, found ${found}`);
    }
    return value;
  });
}

function columnIndex(
  heading: readonly string[],
  headed: boolean,
  column: string | undefined,
  file: string,
  option: string,
): number {
  const list = headed ? heading.join(', ') : `1 to ${heading.length}`;
  if (column === undefined) {
    if (heading.length === 1) return 0;
    throw new InputError(file, `has ${heading.length} columns: name one with ${option}`, `columns: ${list}`);
  }
  if (headed && heading.includes(column)) return heading.indexOf(column);
  const number = Number(column);
  if (Number.isInteger(number) && number >= 1 && number <= heading.length) return number - 1;
  throw headed
    ? unknownName(option, 'column', column, heading)
    : new InputError(option, `expected a number from 1 to ${heading.length}, found '${column}'`);
}
