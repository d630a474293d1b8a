import { join } from 'node:path';
import { InputError, unknownName } from '../core/errors.js';
import { pageOf } from './report-page.js';
import { type RunFolder, readRun } from './run-folder.js';
import { writeOutput } from './scenario-files.js';

export interface ReportOptions {
  readonly format?: string;
  readonly out?: string;
  readonly theme?: string;
  readonly utc?: boolean;
  readonly chart?: readonly string[];
}

const FORMATS = ['html', 'svg', 'png'];
const THEMES = ['light', 'dark'];

/** `escapement report RUN-DIR…`: runs as one page, or their charts as pictures. Says what it wrote. */
export async function report(folders: readonly string[], options: ReportOptions): Promise<void> {
  const { format = 'html', theme = 'light', utc = false } = options;
  if (!FORMATS.includes(format)) throw unknownName('--format', 'format', format, FORMATS);
  if (!THEMES.includes(theme)) throw unknownName('--theme', 'theme', theme, THEMES);
  if (format === 'html') {
    for (const unfit of ['chart', 'theme', 'utc'] as const) {
      if (options[unfit] !== undefined) throw new InputError(`--${unfit}`, 'is for pictures: the page has all of them');
    }
    process.stdout.write(`${writePage(folders, options.out)}\n`);
    return;
  }
  const runs = readRuns(folders);
  const { CHARTS, stillCharts } = await import('./still-charts.js');
  const odd = options.chart?.find(name => !CHARTS.includes(name));
  if (odd !== undefined) throw unknownName('--chart', 'chart', odd, CHARTS);
  const rastered = format === 'png' ? (await import('./raster.js')).pngOf : undefined;
  for (const [index, run] of runs.entries()) {
    const below =
      folders.length > 1 && options.out !== undefined
        ? join(options.out, run.name.replace(/[\\/]+/g, '-'))
        : options.out;
    for (const { name, svg } of stillCharts(run, { dark: theme === 'dark', utc, charts: options.chart ?? CHARTS })) {
      const file = join(below ?? folders[index]!, `${name}.${format}`);
      writeOutput(file, rastered === undefined ? svg : rastered(svg));
      process.stdout.write(`${file}\n`);
    }
  }
}

/** Writes the page of some runs, and says where: `out`, or in the only run's folder, or here. */
export function writePage(folders: readonly string[], out: string | undefined): string {
  const file = out ?? (folders.length === 1 ? join(folders[0]!, 'report.html') : 'report.html');
  writeOutput(file, pageOf(readRuns(folders)));
  return file;
}

/** Runs are called by their folder's name; by its path where two have the same. */
function readRuns(folders: readonly string[]): readonly RunFolder[] {
  const runs = folders.map(readRun);
  const unique = new Set(runs.map(({ name }) => name)).size === runs.length;
  return unique ? runs : runs.map((run, index) => ({ ...run, name: folders[index]! }));
}
