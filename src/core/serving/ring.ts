/** The last `capacity` things, the oldest first. */
export class Ring<T> {
  private readonly items: T[] = [];
  private first = 0;

  constructor(private readonly capacity: number) {}

  get length(): number {
    return this.items.length;
  }

  push(item: T): void {
    if (this.items.length < this.capacity) {
      this.items.push(item);
      return;
    }
    this.items[this.first] = item;
    this.first = (this.first + 1) % this.capacity;
  }

  toArray(): T[] {
    return [...this.items.slice(this.first), ...this.items.slice(0, this.first)];
  }
}
