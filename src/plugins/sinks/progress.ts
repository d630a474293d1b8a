import { Presets, SingleBar } from 'cli-progress';
import { z } from 'zod';
import type { Sink } from '../../core/contracts/index.js';
import { plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({});

/** Runs shorter than this show no bar, milliseconds. */
const PATIENCE = 1000;

/** A progress bar with the time left, on standard error, for runs that take longer than a second. */
@plugin({ kind: 'sink', name: 'progress', summary: 'Progress bar with the time left, on long runs', options: Options })
export class ProgressSink implements Sink {
  private readonly started = performance.now();
  private bar: SingleBar | undefined;

  progress(done: number): void {
    if (this.bar === undefined) {
      if (!process.stderr.isTTY || performance.now() - this.started < PATIENCE) return;
      this.bar = new SingleBar(
        {
          format: '{bar} {percentage} %, {eta_formatted} left',
          stream: process.stderr,
          clearOnComplete: true,
          hideCursor: true,
        },
        Presets.shades_classic,
      );
      this.bar.start(1000, 0);
    }
    this.bar.update(Math.round(done * 1000));
  }

  finish(): void {
    this.bar?.stop();
  }
}
