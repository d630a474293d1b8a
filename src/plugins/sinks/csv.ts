import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'inversify';
import { z } from 'zod';
import type { EventRecord, ExchangeRecord, RoundRecord, RunInfo, Sample, Sink } from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { NtpState } from '../../core/ntp/ntp-state.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { OutputFolder } from '../../core/plugin/tokens.js';
import { duration } from '../../core/quantity.js';

const Options = z.strictObject({
  interval: duration('From sample to sample of the `samples-*.csv` files.').prefault('10 s'),
});

/** Bytes gathered before a write. */
const BUFFER = 65536;

/** Longest time that rows stay gathered, milliseconds. */
const FLUSH_PERIOD = 1000;

const MEASUREMENT_COLUMNS =
  'group,source,type,reason,open,sent_wall_s,sent_counter_s,arrived_wall_s,arrived_counter_s,receive_s,transmit_s,leap,' +
  'stratum,precision_s,root_delay_s,root_dispersion_s,reference_id,truth_t_s,truth_wall_error_s,truth_counter_error_s';
const SAMPLE_COLUMNS = 't_s,wall_s,counter_s,told_s,offset_s,uncertainty_s,level,max_error_s,by,error_s,bare_error_s';
const ESTIMATE_COLUMNS =
  't_s,at_wall_s,at_counter_s,offset_s,drift,p00,p01,p11,max_error_s,by,drift_by,prior_offset_s,prior_drift,declined,' +
  'used,not_used,last_measured_counter_s,last_applied_counter_s,reach';
const EVENT_COLUMNS = 't_s,part,what';

/** What the names of the parts of pipelines begin with. */
const PIPELINES = 'pipelines/';

/**
 * CSV files in the run's folder: `measurements.csv` (every question and its answer, both axes; replay reads it again;
 * columns that begin with `truth_` are no inputs), and for each pipeline `samples-NAME.csv` on this sink's own grid and
 * `estimates-NAME.csv`, one row a round, with the state of NTP (the counter when a server last answered and at the last
 * measurement taken, the reach register of each of its servers in octal). Where the reference is NTP, `scored-NAME.csv`
 * has a row for each measurement, as told before it was used. `events.csv` holds what the pipelines' plugins reported and
 * when simulated faults began and ended, `world-events.csv` what sources, sinks and the network of a real world reported
 * (a replay has none of them). Numbers are written so that they read back as the same doubles.
 */
@plugin({ kind: 'sink', name: 'csv', summary: 'Measurements, samples and estimates as CSV files', options: Options })
export class CsvSink implements Sink {
  readonly interval: number;
  private readonly folder: string;
  private readonly files = new Map<string, CsvFile>();
  private readonly ntp = new Map<string, NtpState>();
  private flushed = performance.now();
  private reference: RunInfo['reference'] = 'truth';
  private world: RunInfo['world'] = 'simulated';

  constructor(
    @inject(PluginOptions) options: z.output<typeof Options>,
    @inject(OutputFolder) folder: string | undefined,
  ) {
    if (folder === undefined) throw new InputError('sink csv', 'has no folder to write to: give one with --out DIR');
    this.interval = options.interval;
    this.folder = folder;
  }

  start({ epoch, pipelines, reference, world, oneClock }: RunInfo): void {
    this.reference = reference;
    this.world = world;
    const mark = `# escapement-measurements 1, epoch ${epoch}${oneClock ? ', one clock' : ''}`;
    const measurements = this.file('measurements', MEASUREMENT_COLUMNS, mark);
    measurements.flush();
    for (const name of ['bare-clock', ...pipelines]) this.file(`samples-${name}`, SAMPLE_COLUMNS);
    for (const name of pipelines) this.file(`estimates-${name}`, ESTIMATE_COLUMNS);
  }

  exchange({ t, event, group, open, truth }: ExchangeRecord): void {
    const row = truth === undefined ? ',,' : `${t},${truth.wall},${truth.counter}`;
    const file = this.file('measurements', MEASUREMENT_COLUMNS);
    const owed = Object.keys(open)
      .sort()
      .map(name => `${name}:${open[name]}`)
      .join(' ');
    if (event.type === 'exchange') {
      const { source, sent, arrived, ...rest } = event.exchange;
      file.row(
        `${text(group)},${text(source)},exchange,,${owed},${sent.wall},${sent.counter},${arrived.wall},` +
          `${arrived.counter},${rest.receive},${rest.transmit},${rest.leap},${rest.stratum},${rest.precision},` +
          `${rest.rootDelay},${rest.rootDispersion},${rest.referenceId},${row}`,
      );
    } else {
      const { source, sent, settled, reason } = event.failure;
      file.row(
        `${text(group)},${text(source)},failure,${text(reason)},${owed},${sent.wall},${sent.counter},` +
          `${settled.wall},${settled.counter},,,,,,,,,${row}`,
      );
    }
  }

  sample(sample: Sample): void {
    this.file(`samples-${sample.pipeline}`, SAMPLE_COLUMNS).row(rowOf(sample));
  }

  scored(sample: Sample): void {
    if (this.reference === 'ntp') this.file(`scored-${sample.pipeline}`, SAMPLE_COLUMNS).row(rowOf(sample));
  }

  event({ t, part, what }: EventRecord): void {
    const file =
      part.startsWith(PIPELINES) || this.isFault(what) ? 'events' : this.world === 'real' ? 'world-events' : undefined;
    if (file !== undefined) this.file(file, EVENT_COLUMNS).row(`${t},${text(part)},${text(what)}`);
  }

  round(record: RoundRecord): void {
    const { t, pipeline, estimate, prior, declined, verdicts } = record;
    const ntp = this.ntp.get(pipeline) ?? new NtpState();
    this.ntp.set(pipeline, ntp);
    ntp.note(record);
    const state =
      estimate === undefined
        ? ',,,,,,,,,'
        : `${estimate.at.wall},${estimate.at.counter},${estimate.offset},${estimate.drift},${estimate.p00},` +
          `${estimate.p01},${estimate.p11},${estimate.maxError},${text(estimate.by)},${text(estimate.driftBy ?? '')}`;
    const before = `${prior?.offset ?? ''},${prior?.drift ?? ''},${text(declined ?? '')}`;
    const used = verdicts.filter(verdict => verdict.used).map(({ source }) => source);
    const left = verdicts.filter(verdict => !verdict.used).map(({ source, reason }) => `${source}: ${reason}`);
    const { lastMeasured, lastApplied, reach } = ntp;
    this.file(`estimates-${pipeline}`, ESTIMATE_COLUMNS).row(
      `${t},${state},${before},${text(used.join('; '))},${text(left.join('; '))},` +
        `${lastMeasured?.at.counter ?? ''},${lastApplied?.at.counter ?? ''},${text(reach)}`,
    );
  }

  progress(): void {
    // A run that is killed loses a second of rows at most.
    const now = performance.now();
    if (now - this.flushed < FLUSH_PERIOD) return;
    this.flushed = now;
    for (const file of this.files.values()) file.flush();
  }

  finish(): void {
    for (const file of this.files.values()) file.close();
  }

  private isFault(what: string): boolean {
    return this.world === 'simulated' && (what === 'begins' || what === 'ends');
  }

  private file(name: string, columns: string, comment?: string): CsvFile {
    let file = this.files.get(name);
    if (file === undefined) {
      file = new CsvFile(join(this.folder, `${name}.csv`));
      if (comment !== undefined) file.row(comment);
      file.row(columns);
      this.files.set(name, file);
    }
    return file;
  }
}

function rowOf({ t, reading, told, error, bareError }: Sample): string {
  return (
    `${t},${reading.wall},${reading.counter},${told.time},${told.offset},${told.uncertainty ?? ''},${told.level},` +
    `${told.maxError ?? ''},${text(told.by)},${error ?? ''},${bareError ?? ''}`
  );
}

/** A field on one line: line ends become blanks, so that a line is always a row. */
function text(value: string): string {
  const line = value.replace(/[\r\n]+/g, ' ');
  return /[",]/.test(line) ? `"${line.replaceAll('"', '""')}"` : line;
}

class CsvFile {
  private readonly descriptor: number;
  private buffer = '';

  constructor(path: string) {
    this.descriptor = openSync(path, 'w');
  }

  row(line: string): void {
    this.buffer += `${line}\n`;
    if (this.buffer.length >= BUFFER) this.flush();
  }

  flush(): void {
    if (this.buffer === '') return;
    writeSync(this.descriptor, this.buffer);
    this.buffer = '';
  }

  close(): void {
    this.flush();
    closeSync(this.descriptor);
  }
}
