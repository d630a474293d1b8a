import { InputError } from '../errors.js';
import { numberOf, shown, splitCsv } from './fields.js';

/** One column of a table, found by its name in the header. */
export interface Column {
  readonly name: string;
  readonly index: number;
}

/** The names of the columns in a CSV file's first lines; comments before them are passed over. */
export function headerOf(head: readonly string[]): readonly string[] {
  const line = head.find(candidate => !candidate.startsWith('#'));
  return line === undefined ? [] : splitCsv(line).map(name => name.trim());
}

/** A CSV file with a header line, gone through once; lines that begin with # before the header are comments. */
export class CsvTable {
  readonly comments: readonly string[];
  private readonly header: readonly string[];
  private readonly headerLine: number;
  private readonly lines: Iterator<string>;

  constructor(
    lines: Iterable<string>,
    private readonly file: string,
  ) {
    this.lines = lines[Symbol.iterator]();
    const comments: string[] = [];
    let line = 0;
    for (;;) {
      const next = this.lines.next();
      line += 1;
      if (next.done) throw new InputError(file, 'expected a header line with the names of the columns, found nothing');
      if (!next.value.startsWith('#')) {
        this.header = splitCsv(next.value).map(name => name.trim());
        break;
      }
      comments.push(next.value);
    }
    this.comments = comments;
    this.headerLine = line;
  }

  /** The column of this name; throws an `InputError` that lists the columns if there is none. */
  column(name: string): Column {
    const found = this.optional(name);
    if (found === undefined) {
      const columns = this.header.join(', ');
      throw new InputError(`${this.file}:${this.headerLine}`, `expected a column '${name}', found: ${columns}`);
    }
    return found;
  }

  optional(name: string): Column | undefined {
    const index = this.header.indexOf(name);
    return index < 0 ? undefined : { name, index };
  }

  /** The columns whose names match, each with what the pattern's first group caught. */
  columnsLike(pattern: RegExp): readonly (readonly [Column, string])[] {
    return this.header.flatMap((name, index) => {
      const caught = pattern.exec(name)?.[1];
      return caught === undefined ? [] : [[{ name, index }, caught] as const];
    });
  }

  /** The rows that are not blank. Throws an `InputError` at the first that has more or fewer fields than the header. */
  *rows(): Generator<CsvRow> {
    const { header, file } = this;
    let line = this.headerLine;
    for (let next = this.lines.next(); !next.done; next = this.lines.next()) {
      line += 1;
      if (next.value.trim() === '') continue;
      const fields = splitCsv(next.value);
      if (fields.length !== header.length) {
        const found = `${fields.length} in ${shown(next.value)}`;
        throw new InputError(`${file}:${line}`, `expected ${header.length} fields, found ${found}`);
      }
      yield new CsvRow(fields, file, line);
    }
  }
}

export class CsvRow {
  constructor(
    private readonly fields: readonly string[],
    private readonly file: string,
    private readonly line: number,
  ) {}

  /** `file:line`, for messages. */
  get place(): string {
    return `${this.file}:${this.line}`;
  }

  text({ index }: Column): string {
    return this.fields[index]!;
  }

  /** A text that may not be blank. */
  name({ index, name }: Column): string {
    const text = this.fields[index]!.trim();
    if (text === '') throw new InputError(this.place, `expected a name in column '${name}', found nothing`);
    return text;
  }

  isBlank({ index }: Column): boolean {
    return this.fields[index]!.trim() === '';
  }

  number({ index, name }: Column): number {
    return numberOf(this.fields[index]!.trim(), this.place, `column '${name}'`);
  }

  /** Undefined where the field is blank or the column is not there. */
  optionalNumber(column: Column | undefined): number | undefined {
    return column === undefined || this.isBlank(column) ? undefined : this.number(column);
  }
}
