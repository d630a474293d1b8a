import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileWriter, ParquetWriter } from 'hyparquet-writer';
import { FEATURES, GLOBALS, HORIZONS, WINDOW } from '../core/learned/residual-window.js';
import type { Example } from './dataset-windows.js';

/** Takes examples, in order, and leaves files in its folder. */
export interface DatasetWriter {
  /** Their names. */
  readonly files: readonly string[];
  add(clock: number, family: string, examples: readonly Example[]): void;
  finish(): void;
}

/** The arrays of an example: their shapes, without the examples' own axis. */
const ARRAYS = {
  samples: [WINDOW, FEATURES],
  globals: [GLOBALS],
  targets: [HORIZONS.length + 1],
  scales: [HORIZONS.length + 1],
} as const;

const PARQUET = 'windows.parquet';

/** What a data set may consist of, beside its manifest. */
export const DATA_FILES: readonly string[] = [PARQUET, ...['clock', 'at', ...Object.keys(ARRAYS)].map(npy)];

function npy(name: string): string {
  return `${name}.npy`;
}

/** Windows in a row group: about five megabytes. */
const GROUP = 1500;

/** One file `windows.parquet`: a row a window, its arrays as lists of float, row by row. */
export class ParquetDataset implements DatasetWriter {
  readonly files: readonly string[] = [PARQUET];
  private readonly writer: ParquetWriter;
  private rows: { clock: number; family: string; example: Example }[] = [];

  constructor(folder: string) {
    this.writer = new ParquetWriter({
      writer: fileWriter(join(folder, PARQUET)),
      createdBy: 'escapement dataset',
      statistics: false,
      schema: [
        { name: 'root', num_children: 3 + Object.keys(ARRAYS).length },
        { name: 'clock', type: 'INT32', repetition_type: 'REQUIRED' },
        { name: 'family', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
        { name: 'at', type: 'DOUBLE', repetition_type: 'REQUIRED' },
        ...Object.keys(ARRAYS).flatMap(name => listOf(name)),
      ],
    });
  }

  add(clock: number, family: string, examples: readonly Example[]): void {
    for (const example of examples) {
      this.rows.push({ clock, family, example });
      if (this.rows.length === GROUP) this.flush();
    }
  }

  finish(): void {
    this.flush();
    this.writer.finish();
  }

  private flush(): void {
    const { rows } = this;
    if (rows.length === 0) return;
    this.writer.write({
      rowGroupSize: GROUP,
      columnData: [
        { name: 'clock', data: rows.map(({ clock }) => clock) },
        { name: 'family', data: rows.map(({ family }) => family) },
        { name: 'at', data: rows.map(({ example }) => example.at), encoding: 'PLAIN' },
        ...(Object.keys(ARRAYS) as (keyof typeof ARRAYS)[]).map(name => ({
          name,
          data: rows.map(({ example }) => Array.from(example[name])),
          encoding: 'PLAIN' as const,
        })),
      ],
    });
    this.rows = [];
  }
}

/** A list column as the Parquet specification wants it, in three levels; nothing in it may be missing. */
function listOf(name: string) {
  return [
    { name, converted_type: 'LIST' as const, repetition_type: 'REQUIRED' as const, num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED' as const, num_children: 1 },
    { name: 'element', type: 'FLOAT' as const, repetition_type: 'REQUIRED' as const },
  ];
}

/** A NumPy file for each array (and `clock`, an index into the manifest's clocks): what the training script reads. */
export class NpyDataset implements DatasetWriter {
  readonly files: readonly string[];
  private readonly arrays: { readonly name: keyof Example | 'clock'; readonly file: NpyFile }[];

  constructor(folder: string) {
    const file = (name: string) => join(folder, npy(name));
    this.arrays = [
      { name: 'clock', file: new NpyFile(file('clock'), '<i4', []) },
      { name: 'at', file: new NpyFile(file('at'), '<f8', []) },
      ...(Object.keys(ARRAYS) as (keyof typeof ARRAYS)[]).map(name => ({
        name,
        file: new NpyFile(file(name), '<f4', ARRAYS[name]),
      })),
    ];
    this.files = this.arrays.map(({ name }) => npy(name));
  }

  add(clock: number, _family: string, examples: readonly Example[]): void {
    for (const { name, file } of this.arrays) {
      for (const example of examples) {
        if (name === 'clock') file.append(Int32Array.of(clock));
        else if (name === 'at') file.append(Float64Array.of(example.at));
        else file.append(example[name] as Float32Array);
      }
    }
  }

  finish(): void {
    for (const { file } of this.arrays) file.finish();
  }
}

/** NumPy's format 1.0, little-endian (every machine that Node.js runs on is). The header's length does not change. */
class NpyFile {
  private static readonly HEADER = 128;
  private readonly file: number;
  private count = 0;
  private pending: Uint8Array[] = [];
  private bytes = 0;

  constructor(
    path: string,
    private readonly type: string,
    private readonly shape: readonly number[],
  ) {
    this.file = openSync(path, 'w');
    writeSync(this.file, this.header());
  }

  append(values: Int32Array | Float32Array | Float64Array): void {
    this.count += 1;
    this.bytes += values.byteLength;
    this.pending.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    if (this.bytes > 1 << 20) this.flush();
  }

  finish(): void {
    this.flush();
    writeSync(this.file, this.header(), 0, NpyFile.HEADER, 0);
    closeSync(this.file);
  }

  private flush(): void {
    writeSync(this.file, Buffer.concat(this.pending));
    this.pending = [];
    this.bytes = 0;
  }

  private header(): Buffer {
    const shape = [this.count, ...this.shape].join(', ');
    const text = `{'descr': '${this.type}', 'fortran_order': False, 'shape': (${shape}${this.shape.length === 0 ? ',' : ''}), }`;
    const bytes = Buffer.alloc(NpyFile.HEADER, ' ');
    bytes.write('\x93NUMPY\x01\x00', 0, 'latin1');
    bytes.writeUInt16LE(NpyFile.HEADER - 10, 8);
    bytes.write(text, 10, 'latin1');
    bytes.write('\n', NpyFile.HEADER - 1, 'latin1');
    return bytes;
  }
}
