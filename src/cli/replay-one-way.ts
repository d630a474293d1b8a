import Table from 'cli-table3';
import type { OneWayRecording } from '../core/contracts/index.js';
import { InputError } from '../core/errors.js';
import { formatDuration, formatTime } from '../core/quantity.js';
import { type EnvelopeLine, type OneWaySummary, summariseOneWay } from '../core/recording/one-way.js';
import type { Trace } from './recordings.js';

/** What one-way packets say of two clocks, as a table or as JSON, and what they cannot say. */
export function replayOneWay(recording: OneWayRecording, { file, format }: Trace, json: boolean): void {
  const summary = summariseOneWay(recording);
  if (summary === undefined) {
    throw new InputError(file, `expected at least three packets at different times, found ${recording.t.length}`);
  }
  const document = { world: 'replayed', format, file, duration: summary.duration, oneWay: summary };
  process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : `${render(summary, file)}\n`);
}

function render({ packets, duration, line, envelope, above, parts }: OneWaySummary, file: string): string {
  const table = new Table({
    head: ['part', 'packets', 'relative drift', 'envelope at its start', 'median above it', 'p95 above it', 'worst'],
    colAligns: ['left', ...new Array<'right'>(6).fill('right')],
    style: { head: [], border: [], compact: true },
  });
  const row = (name: string, count: number, under: EnvelopeLine, over: OneWaySummary['above']): void => {
    table.push([
      name,
      String(count),
      formatDrift(under.drift),
      formatTime(under.height),
      formatTime(over.p50),
      formatTime(over.p95),
      formatTime(over.max),
    ]);
  };
  for (const part of parts) {
    row(`${formatDuration(part.from)} to ${formatDuration(part.to)}`, part.packets, part.line, part.above);
  }
  row('all', packets, line, above);
  const { window, windows } = envelope;
  return [
    '',
    `${file}: one-way packets, ${formatDuration(duration)}`,
    '',
    table.toString(),
    'Latency = shortest delay + queueing + (receiver − sender); the envelope is the line that no packet lies under.',
    `Relative drift, receiver against sender: ${formatDrift(line.drift)} by that line; ` +
      `${formatDrift(envelope.drift)} ± ${(envelope.driftError * 1e6).toFixed(4)} ppm by least squares through ` +
      `the minima of ${windows} windows of ${formatDuration(window)}.`,
    `Envelope jitter: those minima lie ${formatTime(envelope.jitter)} (RMS) about their line.`,
    'Not to be known from packets in one direction: the constant offset between the clocks (the envelope’s height is',
    'the shortest delay plus that offset), which of the two clocks drifts, and errors against true time.',
  ].join('\n');
}

function formatDrift(drift: number): string {
  const ppm = drift * 1e6;
  return `${ppm >= 0 ? '+' : ''}${ppm.toFixed(Math.abs(ppm) < 1 ? 4 : 3)} ppm`;
}
