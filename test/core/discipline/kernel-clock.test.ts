import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ADJ_ESTERROR,
  ADJ_FREQUENCY,
  ADJ_MAXERROR,
  ADJ_NANO,
  ADJ_OFFSET_SINGLESHOT,
  ADJ_SETOFFSET,
  ADJ_STATUS,
  ADJ_TICK,
  KernelClock,
  type Timex,
  type TimexCall,
  type TimexState,
} from '../../../src/core/discipline/kernel-clock.js';
import { attainable } from '../../../src/core/discipline/steering.js';
import { encodeTimex } from '../../../src/platform/timex.js';

/** A kernel's clock as adjtimex(2) steers it, on an oscillator that gains nothing; records what it is asked. */
class FakeKernel implements Timex {
  readonly calls: TimexCall[] = [];
  /** Wall − undisciplined time, seconds. */
  offset = 0;
  freq = 0;
  tick = 10_000;
  status = 0x41;
  private slew = 0;

  call(request: TimexCall): TimexState {
    if (request.modes !== 0) this.calls.push(request);
    const { modes, freq, tick, status, time, offset } = request;
    if (modes === ADJ_OFFSET_SINGLESHOT) this.slew = offset! / 1e6;
    else {
      if (modes & ADJ_FREQUENCY) this.freq = Math.max(-32_768_000, Math.min(32_768_000, freq!));
      if (modes & ADJ_TICK) this.tick = tick!;
      if (modes & ADJ_STATUS) this.status = status!;
      if (modes & ADJ_SETOFFSET) this.offset += time!.seconds + time!.nanoseconds / 1e9;
    }
    return { freq: this.freq, tick: this.tick, status: this.status };
  }

  pass(seconds: number): void {
    const slewed = Math.sign(this.slew) * Math.min(Math.abs(this.slew), 500e-6 * seconds);
    this.slew -= slewed;
    this.offset += slewed + seconds * (this.freq / 65_536e6 + (this.tick - 10_000) / 10_000);
  }
}

const QUALITY = { maxError: 0.0123, uncertainty: 4.2e-4 };
const ALL = ADJ_FREQUENCY | ADJ_TICK | ADJ_MAXERROR | ADJ_ESTERROR | ADJ_STATUS;

describe('the system clock through adjtimex', () => {
  test('is asked, in the kernel’s units, for its frequency and for a slew', () => {
    const kernel = new FakeKernel();
    const done = new KernelClock(kernel, 0.128).steer(0.01, 12e-6, true, QUALITY);
    expect(kernel.calls).toEqual([
      // 12 ppm in 2^-16 ppm; STA_PLL and STA_UNSYNC cleared, errors in µs.
      { modes: ALL, freq: 786_432, tick: 10_000, maxerror: 12_300, esterror: 420, status: 0 },
      { modes: ADJ_OFFSET_SINGLESHOT, offset: 10_000 },
    ]);
    expect(done).toEqual({ did: 'slew', by: 0.01, frequency: 12e-6 });
  });

  test.each([
    [2.75, { seconds: 2, nanoseconds: 750_000_000 }],
    [-2.75, { seconds: -3, nanoseconds: 250_000_000 }],
    [-0.2, { seconds: -1, nanoseconds: 800_000_000 }],
  ])('is stepped by %d s where it may be, as whole seconds and nanoseconds that are never negative', (offset, time) => {
    const kernel = new FakeKernel();
    new KernelClock(kernel, 0.128).steer(offset, 0, true, QUALITY);
    expect(kernel.calls.slice(1)).toEqual([
      { modes: ADJ_OFFSET_SINGLESHOT, offset: 0 },
      { modes: ADJ_SETOFFSET | ADJ_NANO, time },
    ]);
    expect(kernel.offset).toBeCloseTo(offset, 9);
  });

  test('is never stepped where it may not be, whatever its error', () => {
    const kernel = new FakeKernel();
    expect(new KernelClock(kernel, 0.128).steer(100, 0, false, QUALITY).did).toBe('slew');
    expect(kernel.calls.some(({ modes }) => modes & ADJ_SETOFFSET && modes !== ADJ_OFFSET_SINGLESHOT)).toBe(false);
  });

  test('comes to where it should be and runs as it should, from any error that can be slewed and any frequency', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -0.1, max: 0.1, noNaN: true }),
        fc.double({ min: -5e-3, max: 5e-3, noNaN: true }),
        (wrong, drift) => {
          const kernel = new FakeKernel();
          kernel.offset = wrong;
          const clock = new KernelClock(kernel, 0.128);
          // True time gains `drift` on the oscillator.
          let truth = 0;
          for (let i = 0; i < 100; i++) {
            clock.steer(truth - kernel.offset, drift, false, QUALITY);
            kernel.pass(4);
            truth += 4 * drift;
          }
          // The kernel counts microseconds and 2^-16 ppm.
          expect(Math.abs(truth - kernel.offset)).toBeLessThan(2e-6);
        },
      ),
    );
  });

  test('is let go of when somebody else sets it', () => {
    const kernel = new FakeKernel();
    const clock = new KernelClock(kernel, 0.128);
    expect(clock.taken).toBe(false);
    clock.steer(0, 12e-6, false, QUALITY);
    expect(clock.taken).toBe(false);
    kernel.call({ modes: ADJ_FREQUENCY, freq: 1 });
    expect(clock.taken).toBe(true);
  });

  test('makes of a frequency whole ticks and a fine rest within the kernel’s limits', () => {
    const limits = { step: 1, maxFrequency: 500e-6, tick: 100e-6, maxTick: 0.1 };
    fc.assert(
      fc.property(fc.double({ min: -0.2, max: 0.2, noNaN: true }), wanted => {
        const { ticks, fine } = attainable(wanted, limits);
        expect(Math.abs(ticks)).toBeLessThanOrEqual(1000);
        expect(Number.isInteger(ticks)).toBe(true);
        expect(Math.abs(fine)).toBeLessThanOrEqual(500e-6);
        if (Math.abs(wanted) <= 0.1005) expect(ticks * 100e-6 + fine).toBeCloseTo(wanted, 12);
      }),
    );
    expect(attainable(400e-6, limits)).toEqual({ ticks: 0, fine: 400e-6 });
  });

  test('struct timex has its fields where a 64-bit Linux has them', () => {
    const bytes = encodeTimex({
      modes: 1,
      offset: -2,
      freq: 3,
      maxerror: 4,
      esterror: 5,
      status: 6,
      tick: 7,
      time: { seconds: -8, nanoseconds: 9 },
    });
    const view = new DataView(bytes.buffer);
    expect(bytes).toHaveLength(208);
    expect([view.getUint32(0, true), view.getInt32(40, true)]).toEqual([1, 6]);
    expect([8, 16, 24, 32, 88, 72, 80].map(at => Number(view.getBigInt64(at, true)))).toEqual([-2, 3, 4, 5, 7, -8, 9]);
  });
});
