import type { HistoryDocument, StatusDocument } from '../../core/serving/documents.js';

export type OffsetPoint = HistoryDocument['pipelines'][string][number];
export type AnswerPoint = HistoryDocument['sources'][string][number];

/** More points than a chart of a screen's width can show. */
const MOST = 20_000;

/**
 * What the page knows: the last status, and lines that go on over a restart of the service, because they are kept by
 * Unix time and not by the service's count.
 */
export class DashboardModel {
  status: StatusDocument | undefined;
  readonly offsets = new Map<string, OffsetPoint[]>();
  readonly answers = new Map<string, AnswerPoint[]>();
  /** Unix times at which another run of the service was met. */
  readonly restarts: number[] = [];

  /** Takes a status in; true if it comes from another run of the service than the one before. */
  take(status: StatusDocument): boolean {
    const restarted = this.status !== undefined && this.status.service.started !== status.service.started;
    if (restarted) this.restarts.push(Date.parse(status.service.started) / 1000);
    this.status = status;
    return restarted;
  }

  /** The newest point of all lines, Unix time; undefined while there is none. */
  get newest(): number | undefined {
    const lasts = [...this.offsets.values(), ...this.answers.values()].flatMap(points => points.at(-1)?.unix ?? []);
    return lasts.length === 0 ? undefined : Math.max(...lasts);
  }

  add({ pipelines, sources }: HistoryDocument): void {
    for (const [name, points] of Object.entries(pipelines)) append(this.offsets, name, points);
    for (const [name, points] of Object.entries(sources)) append(this.answers, name, points);
  }
}

/** Only what is later than what is there: two answers to the same question may cross. */
function append<T extends { readonly unix: number }>(
  lines: Map<string, T[]>,
  name: string,
  points: readonly T[],
): void {
  const line = lines.get(name) ?? [];
  const last = line.at(-1)?.unix ?? Number.NEGATIVE_INFINITY;
  line.push(...points.filter(({ unix }) => unix > last));
  lines.set(name, line.slice(-MOST));
}
