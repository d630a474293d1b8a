/**
 * Discrete Fourier transform in place, by the radix-2 algorithm of Cooley and Tukey (1965):
 * X[k] = Σ x[j]·exp(−2πi·jk/n), or with + in the exponent when `inverse`. Neither direction is scaled: both, one after
 * the other, multiply by n.
 *
 * @param re real parts, n values
 * @param im imaginary parts, n values
 * @throws RangeError unless n is a power of two and both parts have it
 */
export function fft(re: Float64Array, im: Float64Array, inverse = false): void {
  const n = re.length;
  if (n === 0 || !Number.isInteger(Math.log2(n))) {
    throw new RangeError(`fft: expected a length that is a power of two, found ${n}`);
  }
  if (im.length !== n)
    throw new RangeError(`fft: expected ${n} imaginary parts, one for each real part, found ${im.length}`);

  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j |= bit;
    if (i < j) {
      const r = re[i]!;
      const s = im[i]!;
      re[i] = re[j]!;
      im[i] = im[j]!;
      re[j] = r;
      im[j] = s;
    }
  }

  const cos = new Float64Array(n >> 1);
  const sin = new Float64Array(n >> 1);
  const sign = inverse ? 1 : -1;
  for (let size = 2; size <= n; size *= 2) {
    const half = size >> 1;
    // Each stage has its own table, read in order: one table read with a stride misses the cache at every step.
    for (let k = 0; k < half; k++) {
      const angle = (2 * Math.PI * k) / size;
      cos[k] = Math.cos(angle);
      sin[k] = sign * Math.sin(angle);
    }
    for (let start = 0; start < n; start += size) {
      for (let k = 0; k < half; k++) {
        const a = start + k;
        const b = a + half;
        const c = cos[k]!;
        const s = sin[k]!;
        const r = re[b]! * c - im[b]! * s;
        const t = re[b]! * s + im[b]! * c;
        re[b] = re[a]! - r;
        im[b] = im[a]! - t;
        re[a] = re[a]! + r;
        im[a] = im[a]! + t;
      }
    }
  }
}
