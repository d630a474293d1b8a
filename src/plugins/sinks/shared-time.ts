import { resolve } from 'node:path';
import { inject } from 'inversify';
import { z } from 'zod';
import type { RoundRecord, RunInfo, Sink, TimeService } from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { InputFolder, Report } from '../../core/plugin/tokens.js';
import { duration, time } from '../../core/quantity.js';
import { expectServable } from '../../core/serving/real-time.js';
import { recordOf, UNKNOWN_RECORD } from '../../core/serving/record-of.js';
import { trustOptions, whyUnknown } from '../../core/serving/trust.js';
import { DEFAULT_RECORD, SharedRecord } from '../../platform/shared-record.js';

const Options = z.strictObject({
  path: z.string().min(1).default(DEFAULT_RECORD).meta({ description: 'File that readers map into their memory.' }),
  every: time('How often the record is written, besides after each round.', { min: 0.01 }).prefault('1 s'),
  validFor: duration('How long a record may be used when no newer one is written.').prefault('30 s'),
  ...trustOptions,
});

/**
 * A record of the time in shared memory for programs on this machine: the corrected time as a line over the machine's
 * counter, with bounds and how they grow, under a sequence lock. Readers compute the time themselves, in less than a
 * microsecond and without asking anybody: `EscapementClient` does, and docs/connect.md has the layout for others.
 */
@plugin({
  kind: 'sink',
  name: 'shared-time',
  summary: 'A record of the time in shared memory, for programs on this machine',
  options: Options,
  example: { path: 'time' },
})
export class SharedTimeSink implements Sink {
  private pipeline = '';
  private epoch = 0;
  private origin = 0n;
  private time!: TimeService;
  private record: SharedRecord | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(InputFolder) private readonly folder: string,
    @inject(Report) private readonly report: Report,
  ) {}

  start(run: RunInfo, time: TimeService): void {
    const { every, validFor } = this.options;
    const path = resolve(this.folder, this.options.path);
    this.pipeline = expectServable('shared-time', run, this.options.pipeline);
    if (run.counterOrigin === undefined) {
      throw new InputError(
        'sink shared-time',
        'needs a clock whose counter is CLOCK_MONOTONIC_RAW, which readers can read too',
        `this run reads ${run.clock}`,
      );
    }
    this.epoch = run.epoch;
    this.origin = run.counterOrigin;
    this.time = time;
    this.record = SharedRecord.write(path);
    this.write();
    this.timer = setInterval(() => this.write(), every * 1000).unref();
    this.report(`writes the time of '${this.pipeline}' to ${path}, each record good for ${validFor} s`);
  }

  round({ pipeline }: RoundRecord): void {
    if (pipeline === this.pipeline) this.write();
  }

  finish(): void {
    clearInterval(this.timer);
    this.record?.write(UNKNOWN_RECORD);
    this.record?.close();
    this.record = undefined;
  }

  private write(): void {
    const { record, time, pipeline, epoch, origin } = this;
    if (record === undefined) return;
    const now = time.read(pipeline);
    const known = whyUnknown(now, this.options) === undefined;
    const { validFor } = this.options;
    record.write(
      known ? recordOf(now, seconds => time.ahead(seconds, pipeline), { epoch, origin, validFor }) : UNKNOWN_RECORD,
    );
  }
}
