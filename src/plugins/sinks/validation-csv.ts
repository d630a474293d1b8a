import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'inversify';
import { z } from 'zod';
import {
  type CorrectedTime,
  type Estimate,
  measure,
  type RoundRecord,
  type RunInfo,
  type RunSummary,
  type Sample,
  type Sink,
  type Timekeeper,
  timeOn,
} from '../../core/contracts/index.js';
import { InputError, unknownName } from '../../core/errors.js';
import { median } from '../../core/estimation/lines.js';
import { confidence } from '../../core/metrics/confidence.js';
import { COMBINED } from '../../core/pipeline/combined.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { OutputFolder, PluginFactory } from '../../core/plugin/tokens.js';
import { duration, time } from '../../core/quantity.js';

const Options = z.strictObject({
  pipeline: z.string().optional().meta({ description: 'Whose estimates; left out: those of the first.' }),
  interval: duration('From row to row.').prefault('1 s'),
  tolerance: time('What `chronotick_confidence` is the probability of being within.', { above: 0 }).prefault('1 ms'),
  fix1: choice('timekeeper', 'Tells `chronotick_time_fix1`.').prefault('drift'),
  fix2: choice('timekeeper', 'Tells `chronotick_time_fix2`.').prefault('ntp-anchored'),
  print: z.boolean().default(true).meta({ description: 'The log lines on standard output, too.' }),
});

const COLUMNS = [
  'sample_number',
  'elapsed_seconds',
  'datetime',
  'system_time',
  'chronotick_time_fix1',
  'chronotick_time_fix2',
  'chronotick_offset_ms',
  'chronotick_drift_rate',
  'chronotick_prediction_time',
  'chronotick_uncertainty_ms',
  'chronotick_confidence',
  'chronotick_source',
  'time_since_ntp_s',
  'ntp_time',
  'ntp_offset_ms',
  'ntp_uncertainty_ms',
  'ntp_mad_ms',
  'ntp_n_combined',
  'ntp_n_total',
  'ntp_n_rejected',
  'ntp_rejected_servers',
  'has_ntp',
];

/** P(|N(0, 1)| ≤ 1): the half-width at this level is one standard deviation. */
const ONE_SIGMA = 0.6826894921370859;

/** What a round said of the wall clock. Seconds; positive: it is behind. */
interface Heard {
  readonly record: RoundRecord;
  /** Undefined where nothing was taken. */
  readonly ntp: { readonly offset: number; readonly uncertainty: number; readonly mad: number } | undefined;
  readonly combined: readonly string[];
  readonly rejected: readonly string[];
}

/**
 * ChronoTick's V3 validation: a row a second with Fix 1 and Fix 2 side by side, both from one pipeline's estimate, and
 * with each round of NTP measurements in the row after it; and three log lines for each round, which
 * `grep -E "NTP:|ChronoTick|Fix"` finds. Files `validation-NAME.csv` and `validation-NAME.log`.
 *
 * In a row with NTP, and in the log, everything of ChronoTick's is as it stood before that measurement re-anchored it: a
 * time is never scored against its own anchor. In every row fix1 = system_time + offset + drift·(system_time −
 * prediction_time); on the counter axis `offset` and `prediction_time` are put in terms of the system clock as it is at
 * the row. The uncertainties are one standard deviation. Blank is what is not known.
 */
@plugin({
  kind: 'sink',
  name: 'validation-csv',
  summary: 'ChronoTick’s V3 rows and log lines: Fix 1 and Fix 2 against NTP',
  options: Options,
})
export class ValidationCsvSink implements Sink {
  readonly interval: number;
  private readonly fix1: Timekeeper;
  private readonly fix2: Timekeeper;
  private name = '';
  private epoch = 0;
  private from = 0;
  private level = ONE_SIGMA;
  private rows = 0;
  private csv: number | undefined;
  private log: number | undefined;
  /** The last round that no row has told of. */
  private heard: Heard | undefined;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(OutputFolder) private readonly folder: string | undefined,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    if (folder === undefined && !options.print) {
      throw new InputError('sink validation-csv', 'has no folder to write to: give one with --out DIR, or print: true');
    }
    this.interval = options.interval;
    this.fix1 = make('timekeeper', options.fix1, 'fix1');
    this.fix2 = make('timekeeper', options.fix2, 'fix2');
  }

  start({ pipelines, epoch, start = 0 }: RunInfo): void {
    const { pipeline = pipelines[0]! } = this.options;
    if (!pipelines.includes(pipeline)) {
      throw unknownName('sink validation-csv, pipeline', 'pipeline', pipeline, pipelines);
    }
    this.name = pipeline;
    this.epoch = epoch;
    this.from = start;
    if (this.folder === undefined) return;
    this.csv = openSync(join(this.folder, `validation-${pipeline}.csv`), 'w');
    this.log = openSync(join(this.folder, `validation-${pipeline}.log`), 'w');
    writeSync(this.csv, `${COLUMNS.join(',')}\n`);
  }

  sample(sample: Sample): void {
    if (sample.pipeline !== this.name || this.csv === undefined) return;
    const { heard } = this;
    this.heard = undefined;
    this.rows += 1;
    const { t, reading } = sample;
    const estimate = heard === undefined ? sample.estimate : heard.record.before;
    const row = [
      this.rows,
      (t - this.from).toFixed(3),
      new Date(1000 * (this.epoch + reading.wall)).toISOString(),
      this.unix(reading.wall),
      ...this.told(sample, estimate),
      ...this.measured(heard, sample),
    ];
    writeSync(this.csv, `${row.join(',')}\n`);
  }

  round(record: RoundRecord): void {
    if (record.pipeline !== this.name) return;
    const heard = hearing(record);
    this.heard = heard;
    for (const line of this.lines(heard)) {
      if (this.log !== undefined) writeSync(this.log, `${line}\n`);
      if (this.options.print) process.stdout.write(`${line}\n`);
    }
  }

  finish(_summary: RunSummary): void {
    for (const descriptor of [this.csv, this.log]) if (descriptor !== undefined) closeSync(descriptor);
  }

  /** ChronoTick's columns. */
  private told({ reading }: Sample, estimate: Estimate | undefined): readonly (string | number)[] {
    const fix1 = this.fix1.tell(estimate, reading, this.level);
    const fix2 = this.fix2.tell(estimate, reading, this.level);
    const times = [this.unix(fix1.time), this.unix(fix2.time)];
    if (estimate === undefined) return [...times, '', '', '', '', 0, fix1.by, 0];
    const { axis, at, drift, anchor } = estimate;
    const age = timeOn(axis, reading) - timeOn(axis, at);
    return [
      ...times,
      milliseconds(fix1.time - reading.wall - drift * age),
      drift,
      this.unix(reading.wall - age),
      fix1.uncertainty === undefined ? '' : milliseconds(fix1.uncertainty),
      confidence(fix1, this.options.tolerance).toFixed(6),
      quoted(estimate.by),
      anchor === undefined ? 0 : (reading.counter - anchor.at.counter).toFixed(3),
    ];
  }

  /** The NTP columns: true time now, by what was measured, walked to here on the counter. */
  private measured(heard: Heard | undefined, { reading }: Sample): readonly (string | number)[] {
    if (heard?.ntp === undefined) return ['', '', '', '', '', '', '', '', 'False'];
    const { record, ntp, combined, rejected } = heard;
    const at = record.taken.at(-1)!.at;
    return [
      this.unix(at.wall + ntp.offset + (reading.counter - at.counter)),
      milliseconds(ntp.offset),
      milliseconds(ntp.uncertainty),
      milliseconds(ntp.mad),
      combined.length,
      combined.length + rejected.length,
      rejected.length,
      quoted(rejected.join(';')),
      'True',
    ];
  }

  /** The log of one round. */
  private lines({ record, ntp, combined, rejected }: Heard): readonly string[] {
    const { before, taken, reading, t } = record;
    const share = `combined ${combined.length}/${combined.length + rejected.length}`;
    const clock = `[${Math.round(t - this.from)}s]`;
    const head =
      ntp === undefined
        ? `${clock} 📡 NTP: nothing to go by (${share})`
        : `${clock} 📡 NTP: offset=${signed(ntp.offset, 2)}ms ± ${(1000 * ntp.uncertainty).toFixed(2)}ms ` +
          `(${share}, MAD=${(1000 * ntp.mad).toFixed(2)}ms)`;
    if (before === undefined) return [head, '      ChronoTick (Fix1): no estimate yet'];
    const offset = this.fix1.tell(before, reading, this.level).time - reading.wall;
    const drift = `${before.drift < 0 ? '' : '+'}${(1e6 * before.drift).toFixed(3)}μs/s`;
    const told = `      ChronoTick (Fix1): offset=${signed(offset, 2)}ms, drift=${drift}, source=${before.by}`;
    const last = taken.at(-1);
    if (ntp === undefined || last === undefined) return [head, told];
    const error = (time: CorrectedTime): number => time.time - (last.at.wall + ntp.offset);
    const fixes = [this.fix1, this.fix2].map(fix => signed(error(fix.tell(before, last.at, this.level)), 3));
    return [head, told, `      Fix1 vs NTP: ${fixes[0]}ms | Fix2 vs NTP: ${fixes[1]}ms`];
  }

  /** Unix time to the nanosecond, which a double of it does not have. */
  private unix(seconds: number): string {
    const whole = Math.floor(seconds);
    const nanos = Math.round((seconds - whole) * 1e9);
    const carry = nanos === 1e9 ? 1 : 0;
    return `${this.epoch + whole + carry}.${String(carry === 1 ? 0 : nanos).padStart(9, '0')}`;
  }
}

/** Of the measurements taken the median, with the deviation of their mean if their errors are independent. */
function hearing(record: RoundRecord): Heard {
  const { taken, measurements, verdicts, mad } = record;
  const combined = taken.flatMap(({ source }) => source.split(COMBINED));
  const rejected = verdicts.map(({ source }) => source).filter(source => !combined.includes(source));
  if (taken.length === 0) return { record, ntp: undefined, combined, rejected };
  const axis = record.estimate?.axis ?? 'wall';
  const walls = taken.map(({ at, offset }) => timeOn(axis, at) + offset - at.wall);
  const heard = measurements.map(({ exchange }) => measure(exchange, 'wall').offset);
  const middle = median(heard);
  return {
    record,
    ntp: {
      offset: median(walls),
      uncertainty: Math.sqrt(taken.reduce((sum, { uncertainty }) => sum + uncertainty ** 2, 0)) / taken.length,
      mad: mad ?? median(heard.map(offset => Math.abs(offset - middle))),
    },
    combined,
    rejected,
  };
}

function milliseconds(seconds: number): string {
  return (1000 * seconds).toFixed(6);
}

function signed(seconds: number, digits: number): string {
  return `${seconds < 0 ? '' : '+'}${(1000 * seconds).toFixed(digits)}`;
}

/** A field on one line. */
function quoted(value: string): string {
  const line = value.replace(/[\r\n]+/g, ' ');
  return /[",]/.test(line) ? `"${line.replaceAll('"', '""')}"` : line;
}
