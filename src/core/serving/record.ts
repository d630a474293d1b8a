/**
 * The record by which a running Escapement tells other programs of its machine the time: 192 bytes of shared memory,
 * little-endian, under a sequence lock. docs/connect.md has the layout for readers in other languages.
 *
 * The writer makes `sequence` odd, writes, and makes it even again; a reader takes `sequence`, copies the record, and
 * takes `sequence` again: unless both are the same and even it has to try again. All words are read and written with
 * sequentially consistent atomic operations, so a copy is never half of one record and half of another.
 */
export const RECORD_LENGTH = 192;
const WORDS = RECORD_LENGTH / 4;
const MAGIC = 0x4d544345; // "ECTM"
const VERSION = 1;
const SEQUENCE = 2;
const NANO = 1e9;

/** The corrected time as a line over the machine's counter, and how its bounds grow. Seconds unless they say otherwise. */
export interface TimeRecord {
  /** False: the time is not known (yet, or any more); what follows is then of no use. */
  readonly known: boolean;
  /** CLOCK_MONOTONIC_RAW at the anchor, nanoseconds. */
  readonly counter: bigint;
  /** Unix time at the anchor, nanoseconds. */
  readonly time: bigint;
  /** Time gained on the counter, s/s. */
  readonly drift: number;
  /** Half-width of the interval at `level`, and its growth per second. */
  readonly uncertainty: number;
  readonly level: number;
  readonly uncertaintyRate: number;
  readonly maxError: number;
  readonly maxErrorRate: number;
  /** Since the last measurement was taken, at the anchor. */
  readonly age: number;
  /** How long after the anchor the record may be used, nanoseconds. */
  readonly validFor: bigint;
  /** For how long the machine had been suspended at the anchor, nanoseconds (CLOCK_BOOTTIME − CLOCK_MONOTONIC). */
  readonly suspended: bigint;
  /** Process that writes it. */
  readonly writer: number;
  /** What told it, and the pipeline that did; at most 32 bytes of ASCII. */
  readonly by: string;
  readonly pipeline: string;
}

/** Writes records into 192 bytes of shared memory; there must be one writer only. */
export class RecordWriter {
  private readonly words: Int32Array;
  private readonly scratch = new DataView(new ArrayBuffer(RECORD_LENGTH));
  private readonly made = new Int32Array(this.scratch.buffer);

  constructor(memory: ArrayBuffer) {
    this.words = new Int32Array(memory, 0, WORDS);
  }

  write(record: TimeRecord): void {
    const { words, made } = this;
    encode(record, this.scratch);
    // A writer that died in the middle has left it odd.
    const sequence = Atomics.load(words, SEQUENCE) | 1;
    Atomics.store(words, SEQUENCE, sequence);
    for (let i = 0; i < WORDS; i++) if (i !== SEQUENCE) Atomics.store(words, i, made[i]!);
    Atomics.store(words, SEQUENCE, (sequence + 1) | 0);
  }
}

/** What a reader finds: a record, or why there is none. */
export type Found = TimeRecord | { readonly problem: string };

/** While a writer is at work (it takes less than a microsecond) a reader tries again so often. */
const TRIES = 10_000;

/** Reads records from 192 bytes of shared memory, and decodes each only once. */
export class RecordReader {
  private readonly words: Int32Array;
  private readonly copy = new DataView(new ArrayBuffer(RECORD_LENGTH));
  private readonly copied = new Int32Array(this.copy.buffer);
  private last: { readonly sequence: number; readonly found: Found } | undefined;

  constructor(memory: ArrayBuffer) {
    this.words = new Int32Array(memory, 0, WORDS);
  }

  read(): Found {
    const { words, copied } = this;
    for (let i = 0; i < TRIES; i++) {
      const sequence = Atomics.load(words, SEQUENCE);
      if (this.last?.sequence === sequence) return this.last.found;
      if ((sequence & 1) !== 0) continue;
      for (let word = 0; word < WORDS; word++) copied[word] = Atomics.load(words, word);
      if (Atomics.load(words, SEQUENCE) !== sequence) continue;
      const found = decode(this.copy);
      this.last = { sequence, found };
      return found;
    }
    return { problem: 'is only half written: its writer has died' };
  }
}

function encode(record: TimeRecord, into: DataView): void {
  into.setUint32(0, MAGIC, true);
  into.setUint32(4, VERSION, true);
  into.setUint32(12, record.known ? 1 : 0, true);
  into.setBigInt64(16, record.counter, true);
  into.setBigInt64(24, record.time, true);
  into.setFloat64(32, record.drift, true);
  into.setFloat64(40, record.uncertainty, true);
  into.setFloat64(48, record.level, true);
  into.setFloat64(56, record.uncertaintyRate, true);
  into.setFloat64(64, record.maxError, true);
  into.setFloat64(72, record.maxErrorRate, true);
  into.setFloat64(80, record.age, true);
  into.setBigInt64(88, record.validFor, true);
  into.setBigInt64(96, record.suspended, true);
  into.setUint32(104, record.writer, true);
  writeText(into, 128, record.by);
  writeText(into, 160, record.pipeline);
}

function decode(from: DataView): Found {
  if (from.getUint32(0, true) !== MAGIC) return { problem: 'holds no record of the time' };
  const version = from.getUint32(4, true);
  if (version !== VERSION) return { problem: `holds a record of version ${version}; this reader knows ${VERSION}` };
  return {
    known: (from.getUint32(12, true) & 1) !== 0,
    counter: from.getBigInt64(16, true),
    time: from.getBigInt64(24, true),
    drift: from.getFloat64(32, true),
    uncertainty: from.getFloat64(40, true),
    level: from.getFloat64(48, true),
    uncertaintyRate: from.getFloat64(56, true),
    maxError: from.getFloat64(64, true),
    maxErrorRate: from.getFloat64(72, true),
    age: from.getFloat64(80, true),
    validFor: from.getBigInt64(88, true),
    suspended: from.getBigInt64(96, true),
    writer: from.getUint32(104, true),
    by: readText(from, 128),
    pipeline: readText(from, 160),
  };
}

const TEXT = 32;

function writeText(into: DataView, at: number, text: string): void {
  for (let i = 0; i < TEXT; i++) into.setUint8(at + i, i < text.length ? text.charCodeAt(i) & 0x7f : 0);
}

function readText(from: DataView, at: number): string {
  let text = '';
  for (let i = 0; i < TEXT; i++) {
    const code = from.getUint8(at + i);
    if (code === 0) break;
    text += String.fromCharCode(code & 0x7f);
  }
  return text;
}

/** A time with its bounds. Unix seconds; `nanoseconds` has all digits, which a double has not. */
export interface BoundedTime {
  readonly nanoseconds: bigint;
  readonly time: number;
  /** True time is neither before `earliest` nor after `latest`, whatever the asymmetry of the paths. */
  readonly earliest: number;
  readonly latest: number;
  readonly maxError: number;
  /** Half-width of the interval about `time` at `level`: statistical, assumes symmetric minimum paths. */
  readonly uncertainty: number;
  readonly level: number;
  /** Seconds since the last measurement was taken. */
  readonly age: number;
  /** What told it: the name of a predictor or corrector. */
  readonly by: string;
}

/** What a record tells at a reading of the counter (nanoseconds): its line walked on, its bounds grown. */
export function timeAt(record: TimeRecord, counter: bigint): BoundedTime {
  const gone = Number(counter - record.counter);
  const elapsed = gone / NANO;
  const nanoseconds = record.time + BigInt(Math.round(gone + gone * record.drift));
  const growth = Math.abs(elapsed);
  return bounded(nanoseconds, record.maxError + growth * record.maxErrorRate, {
    uncertainty: record.uncertainty + growth * record.uncertaintyRate,
    level: record.level,
    age: record.age + elapsed,
    by: record.by,
  });
}

/** What a double cannot resolve of Unix seconds: bounds are rounded outwards. */
const RESOLUTION = 2 ** -21;

/** A time with its maximum error either side. */
export function bounded(
  nanoseconds: bigint,
  maxError: number,
  rest: Pick<BoundedTime, 'uncertainty' | 'level' | 'age' | 'by'>,
): BoundedTime {
  const time = Number(nanoseconds) / NANO;
  const reach = maxError + RESOLUTION;
  return { nanoseconds, time, earliest: time - reach, latest: time + reach, maxError, ...rest };
}
