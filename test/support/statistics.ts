/** Largest distance between the sample's distribution and `cdf` (Kolmogorov and Smirnov), times √n. */
export function kolmogorovSmirnov(sample: readonly number[], cdf: (x: number) => number): number {
  const sorted = [...sample].sort((a, b) => a - b);
  const n = sorted.length;
  let distance = 0;
  sorted.forEach((x, i) => {
    const p = cdf(x);
    distance = Math.max(distance, (i + 1) / n - p, p - i / n);
  });
  return distance * Math.sqrt(n);
}

/** The statistic that a true hypothesis exceeds once in a thousand samples. */
export const KS_LIMIT = 1.95;

/** Normal distribution function by the error function's continued fraction and series, absolute error under 1e-12. */
export function normalCdf(x: number): number {
  return x < 0 ? upperTail(-x) : 1 - upperTail(x);
}

function upperTail(x: number): number {
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (x > 4) {
    let fraction = x;
    for (let k = 80; k > 0; k--) fraction = x + k / fraction;
    return density / fraction;
  }
  let term = x;
  let sum = x;
  for (let k = 1; k < 200; k++) {
    term *= (x * x) / (2 * k + 1);
    sum += term;
  }
  return 0.5 - density * sum;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The k-th moment about the mean. */
export function moment(values: readonly number[], k: number): number {
  const centre = mean(values);
  return mean(values.map(value => (value - centre) ** k));
}

export function variance(values: readonly number[]): number {
  return moment(values, 2);
}

export function correlation(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  const covariance = mean(a.map((value, i) => (value - meanA) * (b[i]! - meanB)));
  return covariance / Math.sqrt(variance(a) * variance(b));
}
