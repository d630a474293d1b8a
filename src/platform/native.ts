import { createRequire } from 'node:module';
import { endianness } from 'node:os';

type Koffi = typeof import('koffi');
type Pointer = bigint;

/** What a call to the operating system failed with, as Node's own errors have it. */
export class SystemError extends Error {
  constructor(
    readonly call: string,
    readonly code: string,
  ) {
    super(`${call}: ${REASONS[code] ?? code}`);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied (EACCES)',
  EPERM: 'not permitted (EPERM)',
  EINVAL: 'not possible as it is (EINVAL)',
  ENOMEM: 'no memory left (ENOMEM)',
  ENOSPC: 'no room left (ENOSPC)',
  ENOSYS: 'this system has no such call (ENOSYS)',
};

/** As clock_gettime(2) numbers them on Linux; on macOS CLOCK_MONOTONIC_RAW is the same. */

export const CLOCK_MONOTONIC_RAW = 4;
const CLOCK_MONOTONIC = 1;
const CLOCK_BOOTTIME = 7;

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const LOCK_EXCLUSIVE_NOW = 2 | 4;
const IPC_CREAT = 0o1000;
const FAILED: Pointer = 0xffff_ffff_ffff_ffffn;

/** Shared memory and clocks of a 64-bit little-endian Linux or macOS, through koffi. */
export class Native {
  private readonly koffi: Koffi = createRequire(import.meta.url)('koffi');
  private readonly libc = this.koffi.load(null);
  private readonly errors = new Map(Object.entries(this.koffi.os.errno).map(([name, number]) => [number, name]));
  private readonly clockGettime = this.libc.func('int clock_gettime(int clock, void *into)') as (
    clock: number,
    into: Uint32Array,
  ) => number;
  private readonly mmap = this.libc.func(
    'void *mmap(void *at, size_t length, int protection, int flags, int fd, int64_t offset)',
  ) as (at: null, length: number, protection: number, flags: number, fd: number, offset: number) => Pointer;
  private readonly munmap = this.libc.func('int munmap(void *at, size_t length)') as (
    at: Pointer,
    length: number,
  ) => number;
  private readonly flock = this.libc.func('int flock(int fd, int operation)') as (
    fd: number,
    operation: number,
  ) => number;
  private readonly shmget = this.libc.func('int shmget(int key, size_t size, int flags)') as (
    key: number,
    size: number,
    flags: number,
  ) => number;
  private readonly shmat = this.libc.func('void *shmat(int id, void *at, int flags)') as (
    id: number,
    at: null,
    flags: number,
  ) => Pointer;
  private readonly shmdt = this.libc.func('int shmdt(void *at)') as (at: Pointer) => number;
  /** struct timespec: seconds (low, high), nanoseconds (low, high). */
  private readonly timespec = new Uint32Array(4);

  private constructor() {}

  /** Throws, for people, where there is none. */
  static load(): Native {
    const { platform, arch } = process;
    if ((platform !== 'linux' && platform !== 'darwin') || !/64$/.test(arch) || endianness() !== 'LE') {
      throw new Error(`there is no way to shared memory on ${platform} ${arch}`);
    }
    loaded ??= new Native();
    return loaded;
  }

  /** Nanoseconds of a clock. */
  nanoseconds(clock: number): bigint {
    const { timespec } = this;
    if (this.clockGettime(clock, timespec) !== 0) throw this.failure(`clock_gettime(${clock})`);
    return BigInt(timespec[0]! + timespec[1]! * 4294967296) * 1_000_000_000n + BigInt(timespec[2]!);
  }

  /** Nanoseconds for which this machine has been suspended since it was started; always 0 where that cannot be asked. */
  suspended(): bigint {
    if (process.platform !== 'linux') return 0n;
    let least: bigint | undefined;
    // A clock that is read between two readings of another differs from it by at least what lies between the two.
    for (let i = 0; i < 3; i++) {
      const before = this.nanoseconds(CLOCK_MONOTONIC);
      const boot = this.nanoseconds(CLOCK_BOOTTIME);
      const apart = boot - before;
      if (least === undefined || apart < least) least = apart;
    }
    return least!;
  }

  /** A file in memory that others may have in theirs too. */
  map(fd: number, length: number, writable: boolean): Mapping {
    const at = this.mmap(null, length, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    if (at === FAILED) throw this.failure('mmap');
    return new Mapping(this.koffi.view(at, length), () => void this.munmap(at, length));
  }

  /** Takes a file for this process alone, among those that ask for it so; false where another one has it. */
  lock(fd: number): boolean {
    return this.flock(fd, LOCK_EXCLUSIVE_NOW) === 0;
  }

  /** A System V segment, made where there is none. */
  attach(key: number, length: number, permissions: number): Mapping {
    const id = this.shmget(key, length, IPC_CREAT | permissions);
    if (id < 0) throw this.failure('shmget');
    const at = this.shmat(id, null, 0);
    if (at === FAILED) throw this.failure('shmat');
    return new Mapping(this.koffi.view(at, length), () => void this.shmdt(at));
  }

  private failure(call: string): SystemError {
    const number = this.koffi.errno();
    return new SystemError(call, this.errors.get(number) ?? `errno ${number}`);
  }
}

let loaded: Native | undefined;

/** Memory shared with other processes. Once let go it is gone: touching it then would end the process. */
export class Mapping {
  private memory: ArrayBuffer | undefined;

  constructor(
    memory: ArrayBuffer,
    private readonly release: () => void,
  ) {
    this.memory = memory;
  }

  /** The memory, while it is held. */
  get held(): ArrayBuffer | undefined {
    return this.memory;
  }

  letGo(): void {
    if (this.memory === undefined) return;
    this.memory = undefined;
    this.release();
  }
}
