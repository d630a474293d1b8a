/** Small dense matrices, row by row: written for tests, to be obviously right rather than fast. */
export type Matrix = readonly (readonly number[])[];

export const product = (a: Matrix, b: Matrix): Matrix =>
  a.map(row => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)));

export const transposed = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map(row => row[j]!));

export const sum = (a: Matrix, b: Matrix): Matrix => a.map((row, i) => row.map((value, j) => value + b[i]![j]!));

export const scaled = (a: Matrix, by: number): Matrix => a.map(row => row.map(value => value * by));

export const inverse = ([[a, b], [c, d]]: readonly [readonly [number, number], readonly [number, number]]): Matrix => {
  const determinant = a * d - b * c;
  return [
    [d / determinant, -b / determinant],
    [-c / determinant, a / determinant],
  ];
};

/** The smallest eigenvalue of a symmetric 2×2 matrix, over the largest: negative where it is not PSD. */
export function definiteness(p00: number, p01: number, p11: number): number {
  // Scaled to a correlation matrix first: offsets and drifts have different units.
  if (p00 < 0 || p11 < 0) return -1;
  if (p00 === 0 || p11 === 0) return p01 === 0 ? 0 : -1;
  return 1 - Math.abs(p01) / Math.sqrt(p00 * p11);
}
