import { inject } from 'inversify';
import { z } from 'zod';
import {
  type EventRecord,
  type ExchangeRecord,
  type Measurement,
  measure,
  type RoundRecord,
  type RunInfo,
  type RunSummary,
  type Sink,
  type Verdict,
} from '../../core/contracts/index.js';
import { describeUse } from '../../core/models/use.js';
import { NtpState } from '../../core/ntp/ntp-state.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { formatTime } from '../../core/quantity.js';

const Options = z.strictObject({
  rounds: z.boolean().default(true).meta({ description: 'A line for each round and pipeline; false: events only.' }),
  to: z
    .enum(['stdout', 'stderr'])
    .default('stdout')
    .meta({ description: 'Standard output, or standard error where a protocol is spoken on the other.' }),
});

interface ServerRecord {
  asked: number;
  answered: number;
  used: number;
  why: string;
}

/**
 * What happens, line by line, for people who watch: each round of measurements (the wall clock's
 * offset by the median of those that the first pipeline used, one standard deviation of their mean taken as
 * independent, and why the others were not used), the state of NTP (when a server last answered, when the first pipeline
 * last took a measurement, every server's reach register in octal), then what each pipeline tells: what to add to the wall clock, the
 * drift with its standard deviation, the interval at its level, and the maximum error. At the end, each server's record.
 */
@plugin({ kind: 'sink', name: 'log', summary: 'A line for each round and pipeline, as they come', options: Options })
export class LogSink implements Sink {
  private readonly servers = new Map<string, ServerRecord>();
  /** As the first pipeline sees it. */
  private readonly ntp = new NtpState();
  private readonly told = new Set<string>();
  private pipelines: readonly string[] = [];
  private width = 0;
  private began = 0;

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  start({ pipelines, clock, start = 0 }: RunInfo): void {
    this.began = Math.floor(start);
    this.pipelines = pipelines;
    this.width = Math.max(...pipelines.map(name => name.length));
    if (clock !== undefined) this.write(`Clock: ${clock}. Ctrl-C ends the run.`);
  }

  exchange({ event }: ExchangeRecord): void {
    const server = this.server(event.type === 'exchange' ? event.exchange.source : event.failure.source);
    server.asked += 1;
    if (event.type === 'exchange') server.answered += 1;
  }

  round(record: RoundRecord): void {
    if (!this.options.rounds) {
      if (record.pipeline === this.pipelines[0]) this.count(record.verdicts);
      return;
    }
    const { t, pipeline, measurements, verdicts, mad, reading, told, estimate } = record;
    if (this.told.has(pipeline)) this.told.clear();
    if (this.told.size === 0)
      this.write(`[${(t - this.began).toFixed(1)} s] NTP: ${this.heard(measurements, verdicts, mad)}`);
    this.told.add(pipeline);
    if (pipeline === this.pipelines[0]) {
      this.count(verdicts);
      this.ntp.note(record);
      this.write(`      ${this.state(t)}`);
    }
    const name = pipeline.padEnd(this.width);
    if (estimate === undefined || told.uncertainty === undefined || told.maxError === undefined) {
      this.write(`      ${name}  knows nothing yet`);
      return;
    }
    const ppm = (1e6 * estimate.drift).toFixed(3);
    this.write(
      `      ${name}  offset=${formatTime(told.time - reading.wall, true)} ± ${formatTime(told.uncertainty)} ` +
        `(${100 * told.level} %)  drift=${estimate.drift >= 0 ? '+' : ''}${ppm} ± ` +
        `${(1e6 * Math.sqrt(estimate.p11)).toFixed(3)} ppm  at most ± ${formatTime(told.maxError)}`,
    );
  }

  event({ t, part, what }: EventRecord): void {
    this.write(`[${(t - this.began).toFixed(1)} s] ${part}: ${what}`);
  }

  finish({ models }: RunSummary): void {
    // Where rounds are shown, there is a table at the end that has them.
    if (!this.options.rounds) for (const use of models) this.write(describeUse(use));
    if (this.servers.size === 0) return;
    this.write(`\nServers, and how often ${this.pipelines[0]} used them:`);
    const names = [...this.servers.keys()];
    const width = Math.max(...names.map(name => name.length));
    [...this.servers.values()].forEach(({ asked, answered, used, why }, index) => {
      const rest = why === '' ? '' : `; last time not: ${why}`;
      this.write(`      ${names[index]!.padEnd(width)}  answered ${answered}/${asked}, used ${used}${rest}`);
    });
  }

  private heard(measurements: readonly Measurement[], verdicts: readonly Verdict[], mad: number | undefined): string {
    const used = new Set(verdicts.filter(verdict => verdict.used).map(({ source }) => source));
    const left = verdicts.filter(verdict => !verdict.used);
    const taken = measurements.filter(({ source }) => used.has(source));
    const reasons = left.map(({ source, reason }) => `${source}: ${reason}`).join('; ');
    const share = `${used.size}/${verdicts.length} used${mad === undefined ? '' : `, MAD=${formatTime(mad)}`}`;
    const counted = `(${share}${reasons === '' ? '' : `; not used: ${reasons}`})`;
    if (taken.length === 0) return `nothing to go by ${counted}`;
    const walls = taken.map(({ exchange }) => measure(exchange, 'wall'));
    const variance = walls.reduce((sum, { uncertainty }) => sum + uncertainty ** 2, 0) / walls.length ** 2;
    const offset = median(walls.map(measurement => measurement.offset));
    return `offset=${formatTime(offset, true)} ± ${formatTime(Math.sqrt(variance))} ${counted}`;
  }

  /** When something was last measured, and last taken by the first pipeline, and every server's reach register. */
  private state(now: number): string {
    const { lastMeasured, lastApplied, reach } = this.ntp;
    const ago = (when: { readonly t: number } | undefined): string =>
      when === undefined ? 'never' : `${(now - when.t).toFixed(1)} s ago`;
    return `last measured ${ago(lastMeasured)}, last applied ${ago(lastApplied)}, reach ${reach}`;
  }

  private count(verdicts: readonly Verdict[]): void {
    for (const { source, used, reason } of verdicts) {
      const server = this.server(source);
      if (used) server.used += 1;
      else server.why = reason;
    }
  }

  private write(line: string): void {
    process[this.options.to].write(`${line}\n`);
  }

  private server(name: string): ServerRecord {
    let record = this.servers.get(name);
    if (record === undefined) {
      record = { asked: 0, answered: 0, used: 0, why: '' };
      this.servers.set(name, record);
    }
    return record;
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
