import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'inversify';
import { z } from 'zod';
import type { RunSummary, Sink } from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { plugin } from '../../core/plugin/registry.js';
import { OutputFolder } from '../../core/plugin/tokens.js';

const Options = z.strictObject({});

/** `summary.json` in the run's folder: what `--json` prints. */
@plugin({
  kind: 'sink',
  name: 'summary-json',
  summary: 'summary.json: the figures of every pipeline',
  options: Options,
})
export class SummaryJsonSink implements Sink {
  private readonly folder: string;

  constructor(@inject(OutputFolder) folder: string | undefined) {
    if (folder === undefined) {
      throw new InputError('sink summary-json', 'has no folder to write to: give one with --out DIR');
    }
    this.folder = folder;
  }

  finish(summary: RunSummary): void {
    writeFileSync(join(this.folder, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
  }
}
