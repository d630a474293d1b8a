import type { RunInfo, RunSummary, Sample, Sink } from '../contracts/index.js';
import type { ErrorSeries } from './comparison.js';

/**
 * Keeps every scored error of a run: on a grid of the given step where truth is known at any instant, and otherwise at
 * the measurements.
 */
export class ErrorSeriesSink implements Sink {
  readonly interval: number;
  info: RunInfo | undefined;
  private readonly onGrid = new Map<string, { error: number[]; bareError: number[] }>();
  private readonly atMeasurements = new Map<string, { error: number[]; bareError: number[] }>();
  private summary: RunSummary | undefined;

  constructor(
    interval: number,
    private readonly run: string,
  ) {
    this.interval = interval;
  }

  start(info: RunInfo): void {
    this.info = info;
  }

  sample(sample: Sample): void {
    keep(this.onGrid, sample, this.from);
  }

  scored(sample: Sample): void {
    keep(this.atMeasurements, sample, this.from);
  }

  finish(summary: RunSummary): void {
    this.summary = summary;
  }

  /** One series for each pipeline, in the order of the summary. */
  get series(): readonly ErrorSeries[] {
    const kept = this.atMeasurements.size > 0 ? this.atMeasurements : this.onGrid;
    return [...kept].map(([pipeline, errors]) => ({
      pipeline,
      run: this.run,
      ...errors,
      corrections: this.summary?.pipelines.find(({ name }) => name === pipeline)?.corrections,
    }));
  }

  private get from(): number {
    return (this.info?.start ?? 0) + (this.info?.warmup ?? 0);
  }
}

function keep(
  into: Map<string, { error: number[]; bareError: number[] }>,
  { t, pipeline, error, bareError }: Sample,
  from: number,
): void {
  if (t < from || error === undefined || bareError === undefined) return;
  let series = into.get(pipeline);
  if (series === undefined) {
    series = { error: [], bareError: [] };
    into.set(pipeline, series);
  }
  series.error.push(error);
  series.bareError.push(bareError);
}
