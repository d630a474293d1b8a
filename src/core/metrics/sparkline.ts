const BLOCKS = '▁▂▃▄▅▆▇█';
/** A full bar is the largest size and the lowest the least, but between them lie no fewer and no more powers of ten. */
const FEWEST = 1;
const MOST = 3;

/** Sizes over time as a line of bars `width` characters wide, by their logarithm; a blank where there is none. */
export function sparkline(sizes: readonly (number | null)[], width: number): string {
  const count = Math.min(width, sizes.length);
  const cells = Array.from({ length: count }, (_, i) => {
    const from = Math.floor((i * sizes.length) / count);
    const to = Math.max(from + 1, Math.floor(((i + 1) * sizes.length) / count));
    const seen = sizes.slice(from, to).filter(size => size !== null);
    return seen.length === 0 ? undefined : Math.max(...seen);
  });
  const present = cells.filter((size): size is number => size !== undefined && size > 0);
  const largest = Math.max(0, ...present);
  const decades = Math.max(FEWEST, Math.min(MOST, Math.log10(largest / Math.min(...present))));
  return cells
    .map(size => {
      if (size === undefined) return ' ';
      const height = largest === 0 ? 0 : 1 + Math.log10(size / largest) / decades;
      return BLOCKS[Math.max(0, Math.min(BLOCKS.length - 1, Math.round(height * (BLOCKS.length - 1))))];
    })
    .join('');
}
