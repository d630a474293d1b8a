import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import type { Timex, TimexCall, TimexState } from '../core/discipline/kernel-clock.js';

/** struct timex of a 64-bit Linux. */
const LENGTH = 208;
const LONGS = { offset: 8, freq: 16, maxerror: 24, esterror: 32, tick: 88 } as const;
const STATUS = 40;
const SECONDS = 72;
const NANOSECONDS = 80;
/** Linux's; as the bit stands in CapEff of /proc/self/status. */
export const CAP_SYS_TIME = 25n;

/** adjtimex(2) through koffi. */
export class LinuxTimex implements Timex {
  private readonly koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  private readonly adjtimex = this.koffi.load(null).func('int adjtimex(void *buf)') as (buf: Uint8Array) => number;

  private constructor() {}

  /** Throws, for people, where there is none. */
  static load(): LinuxTimex {
    const { platform, arch } = process;
    if (platform !== 'linux' || !/64$/.test(arch) || endianness() !== 'LE') {
      throw new Error(`no adjtimex(2) known on ${platform} ${arch}`);
    }
    return new LinuxTimex();
  }

  call(request: TimexCall): TimexState {
    const bytes = encodeTimex(request);
    if (this.adjtimex(bytes) < 0) {
      const number = this.koffi.errno();
      const name = Object.entries(this.koffi.os.errno).find(([, value]) => value === number)?.[0] ?? `errno ${number}`;
      throw Object.assign(new Error(`adjtimex: ${name === 'EPERM' ? 'not permitted (EPERM)' : name}`), { code: name });
    }
    return decodeTimex(bytes);
  }
}

export function encodeTimex(request: TimexCall): Uint8Array {
  const bytes = new Uint8Array(LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, request.modes, true);
  for (const name of Object.keys(LONGS) as (keyof typeof LONGS)[]) {
    view.setBigInt64(LONGS[name], BigInt(request[name] ?? 0), true);
  }
  view.setInt32(STATUS, request.status ?? 0, true);
  view.setBigInt64(SECONDS, BigInt(request.time?.seconds ?? 0), true);
  view.setBigInt64(NANOSECONDS, BigInt(request.time?.nanoseconds ?? 0), true);
  return bytes;
}

function decodeTimex(bytes: Uint8Array): TimexState {
  const view = new DataView(bytes.buffer);
  return {
    freq: Number(view.getBigInt64(LONGS.freq, true)),
    tick: Number(view.getBigInt64(LONGS.tick, true)),
    status: view.getInt32(STATUS, true),
  };
}
