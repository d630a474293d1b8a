import { inject } from 'inversify';
import { z } from 'zod';
import type { RoundRecord, RunInfo, Sink, TimeService } from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { announcedLeap, usedIn } from '../../core/ntp/served-state.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Report } from '../../core/plugin/tokens.js';
import { time } from '../../core/quantity.js';
import { expectServable } from '../../core/serving/real-time.js';
import { unixNanoseconds } from '../../core/serving/record-of.js';
import { SHM_KEY, SHM_LENGTH, ShmWriter } from '../../core/serving/shm.js';
import { trustOptions, whyUnknown } from '../../core/serving/trust.js';
import { type Mapping, Native } from '../../platform/native.js';

const Options = z.strictObject({
  unit: z.int().min(0).max(255).default(0).meta({ description: 'Of the segment: its key is 0x4E545030 + unit.' }),
  permissions: z
    .string()
    .regex(/^0?[0-7]{3}$/, 'expected octal permissions such as 0600')
    .default('0600')
    .meta({ description: 'Of the segment where it is made, octal. 0666 lets everybody set the time that is told.' }),
  every: time('How often a sample is written.', { min: 0.01 }).prefault('1 s'),
  ...trustOptions,
});

/**
 * The shared memory reference clock of chronyd (`refclock SHM 0`) and ntpd (127.127.28.0): so that one of them
 * disciplines the system clock from our estimate. Each sample is the system clock with the corrected time at the same
 * instant. None is written while the time is not known.
 */
@plugin({
  kind: 'sink',
  name: 'shm',
  summary: 'The SHM reference clock that chronyd and ntpd read',
  options: Options,
  example: { unit: 213 },
})
export class ShmSink implements Sink {
  private pipeline = '';
  private epoch = 0;
  private leap = 0;
  private time!: TimeService;
  private mapping: Mapping | undefined;
  private writer: ShmWriter | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Report) private readonly report: Report,
  ) {}

  start(run: RunInfo, time: TimeService): void {
    const { unit, permissions, every } = this.options;
    this.pipeline = expectServable('shm', run, this.options.pipeline);
    this.epoch = run.epoch;
    this.time = time;
    const key = `0x${(SHM_KEY + unit).toString(16).toUpperCase()}`;
    try {
      this.mapping = Native.load().attach(SHM_KEY + unit, SHM_LENGTH, Number.parseInt(permissions, 8));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new InputError(
        `sink shm, unit ${unit}`,
        `cannot have the segment ${key}: ${why}`,
        `another user may have made it: \`ipcs -m\` shows whose it is, \`ipcrm -M ${key}\` removes it`,
      );
    }
    this.writer = new ShmWriter(this.mapping.held!);
    this.timer = setInterval(() => this.write(), every * 1000).unref();
    this.report(`writes the time of '${this.pipeline}' for \`refclock SHM ${unit}\` (segment ${key})`);
  }

  round({ pipeline, measurements, verdicts }: RoundRecord): void {
    if (pipeline !== this.pipeline) return;
    const used = usedIn(measurements, verdicts);
    if (used.length > 0) this.leap = announcedLeap(used);
  }

  finish(): void {
    clearInterval(this.timer);
    this.writer?.invalidate();
    this.writer = undefined;
    // The segment stays, as ntpd's drivers leave it: a reader that holds it would else wait for ever.
    this.mapping?.letGo();
  }

  private write(): void {
    const answer = this.time.read(this.pipeline);
    if (whyUnknown(answer, this.options) !== undefined) {
      this.writer?.invalidate();
      return;
    }
    const { told, reading } = answer;
    this.writer?.write({
      system: unixNanoseconds(reading.wall, this.epoch),
      time: unixNanoseconds(told.time, this.epoch),
      leap: this.leap,
      precision: Math.max(-30, Math.round(Math.log2(told.uncertainty ?? 1))),
    });
  }
}
