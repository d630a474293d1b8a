import Table from 'cli-table3';
import { z } from 'zod';
import type { EventRecord, PipelineSummary, RunInfo, RunSummary, Sink } from '../../core/contracts/index.js';
import { showMetric } from '../../core/experiment/expectations.js';
import { sparkline } from '../../core/metrics/sparkline.js';
import { describeUse } from '../../core/models/use.js';
import { plugin } from '../../core/plugin/registry.js';
import { formatDuration, formatTime } from '../../core/quantity.js';

const Options = z.strictObject({});

/** Characters of a sparkline. */
const SPARK = 16;
/** What is left out, in this order, where the terminal is too narrow for the table. */
const SPARED = ['bias', 'p95', 'RMS', '± interval', 'mean |error|'];

/** Events without which a pipeline's figures would not be understood: another than its own predictor has answered. */
const UNFIT = /^pipelines\/.* cannot be (loaded|used)\b/;

/** The figures of every pipeline as a table on standard output, with a line that says how to read it. */
@plugin({ kind: 'sink', name: 'table', summary: 'A table of every pipeline on standard output', options: Options })
export class TableSink implements Sink {
  private info: RunInfo | undefined;
  private readonly unfit = new Set<string>();

  start(info: RunInfo): void {
    this.info = info;
  }

  event({ part, what }: EventRecord): void {
    const said = `${part}: ${what}`;
    if (UNFIT.test(said)) this.unfit.add(said);
  }

  finish(summary: RunSummary): void {
    process.stdout.write(`${[render(summary, this.info), ...this.unfit].join('\n')}\n`);
  }
}

function render(summary: RunSummary, info: RunInfo | undefined): string {
  const best = summary.pipelines.reduce<PipelineSummary | undefined>(
    (a, b) => (b.error !== null && (a?.error == null || b.error.rms < a.error.rms) ? b : a),
    undefined,
  );
  const starred = summary.pipelines.length > 2 ? best : undefined;
  const table = fitting(
    columnsOf(summary).map(([title, cell]) => [
      title,
      ...summary.pipelines.map(one => (title === 'pipeline' && one === starred ? `${cell(one)} *` : cell(one))),
    ]),
  );
  const reference = summary.pipelines[0]?.reference === 'truth' ? 'true time' : 'the NTP measurements';
  const count = summary.pipelines[0]?.samples ?? 0;
  const { answered, failed } = summary.exchanges;
  const lines = [
    '',
    `${summary.scenario}: ${formatDuration(summary.duration)} ${summary.world}, seed ${summary.seed}` +
      `${summary.interrupted ? ' (interrupted)' : ''}`,
    ...(info?.description === undefined || info.description === '' ? [] : [wrap(info.description)]),
    '',
    table,
    `Error = told − ${reference} (positive: ahead), ${count} samples` +
      `${summary.warmup > 0 ? ` after ${formatDuration(summary.warmup)} of warm-up` : ''}; ` +
      `${answered} answers, ${failed} questions failed.${starred === undefined ? '' : ' * least RMS.'}`,
  ];
  lines.push(...summary.models.map(describeUse));
  for (const { pipeline, metric, limit, found, holds } of summary.expectations) {
    lines.push(`${holds ? 'holds ' : 'BROKEN'}  ${pipeline} ${metric} ${limit}: found ${showMetric(metric, found)}`);
  }
  return lines.join('\n');
}

type Cell = (pipeline: PipelineSummary) => string;

function columnsOf({ pipelines }: RunSummary): readonly (readonly [string, Cell])[] {
  return [
    ['pipeline', ({ name }) => name],
    ['mean |error|', ({ error }) => formatTime(error?.mae)],
    ['RMS', ({ error }) => formatTime(error?.rms)],
    ['p95', ({ error }) => formatTime(error?.p95)],
    ['worst', ({ error }) => formatTime(error?.max)],
    ['at', ({ behaviour }) => (behaviour?.worst == null ? '–' : formatDuration(behaviour.worst.at))],
    ['error over time', ({ behaviour }) => sparkline(behaviour?.course?.largest ?? [], SPARK)],
    ['bias', ({ error }) => formatTime(error?.bias, true)],
    ['beats bare clock', ({ name, winRate }) => (name === 'bare-clock' ? '' : percent(winRate))],
    [`${percent(pipelines[0]?.bounds.level ?? 0.95)} holds`, ({ bounds }) => percent(bounds.coverage)],
    ['± interval', ({ bounds }) => (bounds.meanWidth === null ? '–' : formatTime(bounds.meanWidth / 2))],
  ];
}

/** The columns as a table, without some of them where the terminal has no room for all. */
function fitting(columns: readonly (readonly string[])[]): string {
  const room = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
  for (let spared = 0; ; spared += 1) {
    const left = columns.filter(([title]) => !SPARED.slice(0, spared).includes(title!));
    const table = new Table({
      head: left.map(([title]) => title!),
      colAligns: left.map(([title]) => (title === 'pipeline' || title === 'error over time' ? 'left' : 'right')),
      style: { head: [], border: [], compact: true },
    });
    columns[0]!.slice(1).forEach((_, row) => {
      table.push(left.map(cells => cells[1 + row]!));
    });
    const text = table.toString();
    if (spared === SPARED.length || text.indexOf('\n') <= room) return text;
  }
}

function percent(share: number | null): string {
  return share === null ? '–' : `${(100 * share).toFixed(1).replace(/\.0$/, '')} %`;
}

function wrap(text: string): string {
  return text
    .trim()
    .split(/\n\s*\n/)
    .map(paragraph =>
      paragraph.split(/\s+/).reduce((lines, word) => {
        const last = lines.slice(lines.lastIndexOf('\n') + 1);
        return `${lines}${lines === '' ? '' : last.length + word.length >= 100 ? '\n' : ' '}${word}`;
      }, ''),
    )
    .join('\n');
}
