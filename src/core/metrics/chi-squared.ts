/**
 * The value that a chi-squared variable of `degrees` degrees of freedom stays below with a probability, to a relative
 * error of 1e-9: Newton's method on the logarithm of the value, kept inside a bracket, from the approximation of Wilson
 * and Hilferty (1931).
 *
 * @param probability within (0, 1)
 * @param degrees degrees of freedom, positive, need not be an integer
 * @throws RangeError if either is out of range
 */
export function chiSquaredQuantile(probability: number, degrees: number): number {
  if (!(probability > 0 && probability < 1)) {
    throw new RangeError(`chiSquaredQuantile.probability: expected a number within (0, 1), found ${probability}`);
  }
  if (!(degrees > 0 && degrees < Infinity)) {
    throw new RangeError(`chiSquaredQuantile.degrees: expected a positive finite number, found ${degrees}`);
  }
  const shape = degrees / 2;
  const spread = 2 / (9 * degrees);
  const start = (1 - spread + normalQuantile(probability) * Math.sqrt(spread)) ** 3;
  // Where that fails, far down the lower tail, P ≈ (value/2)^shape / Γ(shape + 1).
  const tail = 2 * Math.exp((Math.log(probability) + logGamma(shape + 1)) / shape);
  let log = Math.log(start > 0.05 ? degrees * start : tail);
  let low = -Infinity;
  let high = Infinity;
  for (let step = 0; step < 100; step++) {
    const half = Math.exp(log) / 2;
    const excess = lowerGamma(shape, half) - probability;
    if (excess < 0) low = log;
    else high = log;
    const slope = Math.exp(shape * Math.log(half) - half - logGamma(shape));
    let next = log - excess / slope;
    if (!(next > low && next < high)) {
      next = low === -Infinity ? high - 1 : high === Infinity ? low + 1 : (low + high) / 2;
    }
    if (Math.abs(next - log) < 1e-11) return Math.exp(next);
    log = next;
  }
  return Math.exp(log);
}

/** The regularised lower incomplete gamma function P(a, x): a series below its mean, else a continued fraction. */
export function lowerGamma(a: number, x: number): number {
  if (x <= 0) return 0;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let n = 1; term > sum * 1e-16; n++) {
      term *= x / (a + n);
      sum += term;
    }
    return front * sum;
  }
  // Q(a, x) = front / (x + 1 − a − 1(1 − a)/(x + 3 − a − 2(2 − a)/(x + 5 − a − …))), by Lentz's method.
  let b = x + 1 - a;
  let c = Infinity;
  let d = 1 / b;
  let fraction = d;
  for (let n = 1; n < 1e6; n++) {
    const numerator = -n * (n - a);
    b += 2;
    d = 1 / (b + numerator * d);
    c = b + numerator / c;
    const factor = c * d;
    fraction *= factor;
    if (Math.abs(factor - 1) < 1e-15) break;
  }
  return 1 - front * fraction;
}

/** ln Γ(x) for x > 0: Stirling's series, reached by recurrence. */
function logGamma(x: number): number {
  let shift = 0;
  let y = x;
  while (y < 10) {
    shift -= Math.log(y);
    y += 1;
  }
  const inverse = 1 / (y * y);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse / 1188)))) / y;
  return shift + (y - 0.5) * Math.log(y) - y + Math.log(2 * Math.PI) / 2 + series;
}

/** The standard normal quantile to 4.5e-4 (Abramowitz and Stegun, 26.2.23): a starting point only. */
function normalQuantile(p: number): number {
  const t = Math.sqrt(-2 * Math.log(Math.min(p, 1 - p)));
  const z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  return p < 0.5 ? -z : z;
}
