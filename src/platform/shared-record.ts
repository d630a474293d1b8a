import { closeSync, constants, existsSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../core/errors.js';
import { type Found, RECORD_LENGTH, RecordReader, RecordWriter } from '../core/serving/record.js';
import type { ToldRecord } from '../core/serving/record-of.js';
import { CLOCK_MONOTONIC_RAW, type Mapping, Native } from './native.js';

/** Where the record is unless told otherwise: in memory where the system has files there. */
export const DEFAULT_RECORD = join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'escapement');

/** The writer's end of the shared record. */
export class SharedRecord {
  private writer: RecordWriter | undefined;

  private constructor(
    private readonly native: Native,
    private readonly mapping: Mapping,
    private readonly fd: number,
  ) {
    this.writer = new RecordWriter(mapping.held!);
  }

  /**
   * Takes the file for this process, or makes it. A file that is there already is written over in place, so that readers
   * who have it in memory go on. Throws an `InputError` where it cannot be had.
   */
  static write(path: string): SharedRecord {
    const place = `shared time ${path}`;
    let fd: number | undefined;
    try {
      const native = Native.load();
      // Nobody's link is followed: /dev/shm is a folder in which everybody may put one.
      fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
      const { size, uid } = fstatSync(fd);
      if (!fstatSync(fd).isFile()) throw new InputError(place, 'is no file');
      if (uid !== process.getuid!()) throw new InputError(place, `belongs to user ${uid}`, 'choose another path');
      if (size !== 0 && size !== RECORD_LENGTH) {
        throw new InputError(place, `holds something else: expected ${RECORD_LENGTH} bytes, found ${size}`);
      }
      if (!native.lock(fd)) throw new InputError(place, 'is written by another process', 'choose another path');
      ftruncateSync(fd, RECORD_LENGTH);
      return new SharedRecord(native, native.map(fd, RECORD_LENGTH, true), fd);
    } catch (error) {
      if (fd !== undefined) closeSync(fd);
      if (error instanceof InputError) throw error;
      throw new InputError(place, `cannot be had: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  write(told: ToldRecord): void {
    this.writer?.write({ ...told, suspended: this.native.suspended(), writer: process.pid });
  }

  close(): void {
    if (this.writer === undefined) return;
    this.writer = undefined;
    this.mapping.letGo();
    closeSync(this.fd);
  }
}

/** The reader's end: the record, and the machine's counter to walk on from it. */
export class SharedRecordReader {
  private readonly native: Native;
  private mapping: Mapping | undefined;
  private reader: RecordReader | undefined;
  private file = '';

  /** Throws, for people, where there is no shared memory. The file itself may come later. */
  constructor(private readonly path: string) {
    this.native = Native.load();
  }

  /** CLOCK_MONOTONIC_RAW, nanoseconds. */
  counter(): bigint {
    return this.native.nanoseconds(CLOCK_MONOTONIC_RAW);
  }

  /** See {@link Native.suspended}. */
  suspended(): bigint {
    return this.native.suspended();
  }

  read(): Found {
    this.reader ??= this.open();
    return this.reader?.read() ?? { problem: 'is not there: no `escapement live --sink shared-time` writes it' };
  }

  /** Looks whether the file is another one by now; true if it is. */
  renew(): boolean {
    const before = this.file;
    this.close();
    this.reader = this.open();
    return this.reader !== undefined && this.file !== before;
  }

  close(): void {
    this.reader = undefined;
    this.mapping?.letGo();
    this.mapping = undefined;
  }

  private open(): RecordReader | undefined {
    let fd: number;
    try {
      fd = openSync(this.path, constants.O_RDONLY);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw new InputError(this.path, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
    try {
      const { size, ino, dev } = fstatSync(fd);
      // A page beyond the end of a file cannot be touched: the process would end.
      if (size < RECORD_LENGTH) return undefined;
      this.mapping = this.native.map(fd, RECORD_LENGTH, false);
      this.file = `${dev}:${ino}`;
      return new RecordReader(this.mapping.held!);
    } finally {
      closeSync(fd);
    }
  }
}
