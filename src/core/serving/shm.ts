/**
 * The shared memory segment of ntpd's and chronyd's SHM reference clock, `struct shmTime` of a 64-bit little-endian
 * system: 96 bytes, key 0x4E545030 + unit. In mode 1 the reader compares `count` before and after copying, so that it
 * can tell a sample that was changed meanwhile, and takes it only where `valid` is set, which it then clears.
 */
export const SHM_LENGTH = 96;
export const SHM_KEY = 0x4e545030;

const MODE = 0;
const COUNT = 1;
const LEAP = 9;
const PRECISION = 10;
const SAMPLES = 11;
const VALID = 12;

/** One sample: at the same instant the system clock read `system` and true time was `time`. Unix nanoseconds. */
export interface ShmSample {
  readonly system: bigint;
  readonly time: bigint;
  /** 0; 1 or 2 where a leap second is announced. */
  readonly leap: number;
  /** log2 of seconds. */
  readonly precision: number;
}

export class ShmWriter {
  private readonly words: Int32Array;
  private readonly memory: DataView;

  constructor(memory: ArrayBuffer) {
    this.words = new Int32Array(memory, 0, SHM_LENGTH / 4);
    this.memory = new DataView(memory, 0, SHM_LENGTH);
    this.invalidate();
    Atomics.store(this.words, MODE, 1);
  }

  write({ system, time, leap, precision }: ShmSample): void {
    const { words } = this;
    Atomics.store(words, VALID, 0);
    Atomics.add(words, COUNT, 1);
    this.stamp(time, 8, 16, 52);
    this.stamp(system, 24, 32, 56);
    Atomics.store(words, LEAP, leap);
    Atomics.store(words, PRECISION, precision);
    Atomics.store(words, SAMPLES, 3);
    Atomics.add(words, COUNT, 1);
    Atomics.store(words, VALID, 1);
  }

  /** What was written and not yet taken is not to be taken any more. */
  invalidate(): void {
    Atomics.store(this.words, VALID, 0);
  }

  /** Seconds, microseconds, and (since the structure grew) nanoseconds. */
  private stamp(nanoseconds: bigint, seconds: number, micro: number, nano: number): void {
    const rest = Number(nanoseconds % 1_000_000_000n);
    this.memory.setBigInt64(seconds, nanoseconds / 1_000_000_000n, true);
    this.memory.setInt32(micro, Math.floor(rest / 1000), true);
    this.memory.setUint32(nano, rest, true);
  }
}
