import type { ModelTotals, ModelUse, OpenModel } from '../contracts/index.js';

/** Counts things by kind, and tells of each kind's first, tenth, hundredth, … */
export class Tally {
  readonly counts = new Map<string, number>();

  constructor(private readonly tell: (kind: string, times: number) => void) {}

  add(kind: string): void {
    const times = (this.counts.get(kind) ?? 0) + 1;
    this.counts.set(kind, times);
    if (Number.isInteger(Math.log10(times))) this.tell(kind, times);
  }
}

/** What has become of the questions to a model, with the answers of it that were not believed, by why. */
export function useOf({ card, counts }: OpenModel, refused: Iterable<readonly [string, number]>): ModelUse {
  const { asked, late, dropped } = counts;
  const unasked = dropped > 0 ? ([['newer questions came first', dropped]] as const) : [];
  return { model: card.id, asked, late, dropped: Object.fromEntries([...unasked, ...refused]) };
}

/** For people: how many questions, what became of the answers, and whose word was told. */
export function describeUse({ part, model, asked, late, dropped, told }: ModelTotals): string {
  const listed = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([what, count]) => `${count} ${what}`)
      .join(', ');
  const total = Object.values(dropped).reduce((sum, count) => sum + count, 0);
  const why = total === 0 ? '' : ` (${listed(dropped)})`;
  const by = told === undefined ? '' : `; told: ${listed(told)}`;
  return `${part}: model '${model}', ${asked} questions, ${late} answers late, ${total} dropped${why}${by}`;
}
