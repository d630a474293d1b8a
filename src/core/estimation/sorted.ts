/** Index of the first element of an ascending array that is not below `value`. */
export function lowerBound(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts `value` in its place in an ascending array. */
export function insert(sorted: number[], value: number): void {
  let i = sorted.length;
  sorted.push(value);
  while (i > 0 && sorted[i - 1]! > value) {
    sorted[i] = sorted[i - 1]!;
    i--;
  }
  sorted[i] = value;
}

/** Takes one `value` out of an ascending array. */
export function remove(sorted: number[], value: number): void {
  const at = lowerBound(sorted, value);
  for (let i = at + 1; i < sorted.length; i++) sorted[i - 1] = sorted[i]!;
  sorted.pop();
}
