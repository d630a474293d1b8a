/** A weighted least-squares fit: its coefficients, and the root mean square of what it leaves, in units of the noise. */
export interface Fit {
  readonly coefficients: readonly number[];
  readonly chi: number;
}

/** Share of the weight that pulls every coefficient to zero: keeps fits of few or coinciding points finite and small. */
const RIDGE = 1e-3;

/**
 * Fits values[i] ≈ Σ c_k · columns[k][i] by weighted least squares with a slight pull to zero. Columns should be about one
 * in size. Normal equations by Gaussian elimination; with the ridge they are positive definite.
 */
export function leastSquares(
  columns: readonly ArrayLike<number>[],
  values: ArrayLike<number>,
  weights: ArrayLike<number>,
): Fit {
  const k = columns.length;
  const n = values.length;
  let total = 0;
  for (let i = 0; i < n; i++) total += weights[i]!;
  const rows = columns.map((left, a) => {
    const row = new Float64Array(k + 1);
    for (let b = 0; b < k; b++) row[b] = weighted(left, columns[b]!, weights, n);
    row[a]! += RIDGE * total;
    row[k] = weighted(left, values, weights, n);
    return row;
  });
  for (let a = 0; a < k; a++) {
    for (let b = a + 1; b < k; b++) {
      const share = rows[b]![a]! / rows[a]![a]!;
      for (let c = a; c <= k; c++) rows[b]![c]! -= share * rows[a]![c]!;
    }
  }
  const coefficients = new Array<number>(k).fill(0);
  for (let a = k - 1; a >= 0; a--) {
    let rest = rows[a]![k]!;
    for (let b = a + 1; b < k; b++) rest -= rows[a]![b]! * coefficients[b]!;
    coefficients[a] = rest / rows[a]![a]!;
  }
  let left = 0;
  for (let i = 0; i < n; i++) {
    let off = values[i]!;
    for (let a = 0; a < k; a++) off -= coefficients[a]! * columns[a]![i]!;
    left += weights[i]! * off * off;
  }
  return { coefficients, chi: Math.sqrt(left / n) };
}

function weighted(a: ArrayLike<number>, b: ArrayLike<number>, weights: ArrayLike<number>, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += weights[i]! * a[i]! * b[i]!;
  return sum;
}
