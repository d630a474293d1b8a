import Table from 'cli-table3';
import { z } from 'zod';
import type { PipelineSummary, RunInfo, RunSummary, Sink } from '../../core/contracts/index.js';
import { plugin } from '../../core/plugin/registry.js';
import { formatDuration, formatTime } from '../../core/quantity.js';

const Options = z.strictObject({});

/** The figures of every pipeline as a table on standard output, with a line that says how to read it. */
@plugin({ kind: 'sink', name: 'table', summary: 'A table of every pipeline on standard output', options: Options })
export class TableSink implements Sink {
  private info: RunInfo | undefined;

  start(info: RunInfo): void {
    this.info = info;
  }

  finish(summary: RunSummary): void {
    process.stdout.write(`${render(summary, this.info)}\n`);
  }
}

function render(summary: RunSummary, info: RunInfo | undefined): string {
  const table = new Table({
    head: [
      'pipeline',
      'mean |error|',
      'RMS',
      'p95',
      'worst',
      'bias',
      'beats bare clock',
      '95 % holds',
      '± interval',
    ].map(title => (title === '95 % holds' ? `${percent(summary.pipelines[0]?.bounds.level ?? 0.95)} holds` : title)),
    colAligns: ['left', ...new Array<'right'>(8).fill('right')],
    style: { head: [], border: [], compact: true },
  });
  const best = summary.pipelines.reduce<PipelineSummary | undefined>(
    (a, b) => (b.error !== null && (a?.error == null || b.error.rms < a.error.rms) ? b : a),
    undefined,
  );
  for (const pipeline of summary.pipelines) {
    const { error, bounds, winRate } = pipeline;
    table.push([
      pipeline === best && summary.pipelines.length > 2 ? `${pipeline.name} *` : pipeline.name,
      formatTime(error?.mae),
      formatTime(error?.rms),
      formatTime(error?.p95),
      formatTime(error?.max),
      formatTime(error?.bias, true),
      pipeline.name === 'bare-clock' ? '' : percent(winRate),
      percent(bounds.coverage),
      bounds.meanWidth === null ? '–' : formatTime(bounds.meanWidth / 2),
    ]);
  }
  const reference = summary.pipelines[0]?.reference === 'truth' ? 'true time' : 'the NTP measurements';
  const count = summary.pipelines[0]?.samples ?? 0;
  const { answered, failed } = summary.exchanges;
  const lines = [
    '',
    `${summary.scenario}: ${formatDuration(summary.duration)} ${summary.world}, seed ${summary.seed}` +
      `${summary.interrupted ? ' (interrupted)' : ''}`,
    ...(info?.description === undefined || info.description === '' ? [] : [wrap(info.description)]),
    '',
    table.toString(),
    `Error = told − ${reference} (positive: ahead), ${count} samples` +
      `${summary.warmup > 0 ? ` after ${formatDuration(summary.warmup)} of warm-up` : ''}; ` +
      `${answered} answers, ${failed} questions failed.${best !== undefined && summary.pipelines.length > 2 ? ' * least RMS.' : ''}`,
  ];
  for (const { pipeline, metric, limit, found, holds } of summary.expectations) {
    const value =
      found === null ? 'nothing' : /coverage|winRate|frequency/i.test(metric) ? String(found) : formatTime(found);
    lines.push(`${holds ? 'holds ' : 'BROKEN'}  ${pipeline} ${metric} ${limit}: found ${value}`);
  }
  return lines.join('\n');
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
