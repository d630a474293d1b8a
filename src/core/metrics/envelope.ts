/** More buckets than a terminal shows; twice as fine as that before a merge. */
const MOST = 64;

/** The largest size in each of some equal lengths of time, gathered as it comes, in flat memory. */
export class Envelope {
  private sizes: number[] = [];
  private step = 1;

  /** @param from when the first bucket begins, seconds */
  constructor(private readonly from: number) {}

  add(t: number, size: number): void {
    let bucket = Math.floor((t - this.from) / this.step);
    while (bucket >= MOST) {
      this.merge();
      bucket = Math.floor((t - this.from) / this.step);
    }
    while (this.sizes.length <= bucket) this.sizes.push(Number.NaN);
    if (!(this.sizes[bucket]! >= size)) this.sizes[bucket] = size;
  }

  /** Buckets in which nothing was seen are null. */
  get summary(): { readonly from: number; readonly step: number; readonly largest: readonly (number | null)[] } {
    const largest = this.sizes.map(size => (Number.isNaN(size) ? null : size));
    return { from: this.from, step: this.step, largest };
  }

  private merge(): void {
    this.step *= 2;
    const { sizes } = this;
    this.sizes = Array.from({ length: Math.ceil(sizes.length / 2) }, (_, i) => {
      const [a, b] = [sizes[2 * i]!, sizes[2 * i + 1] ?? Number.NaN];
      return Number.isNaN(a) || b > a ? b : a;
    });
  }
}
