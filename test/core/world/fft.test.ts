import { describe, expect, it } from 'vitest';
import { fft } from '../../../src/core/world/fft.js';
import { gaussian } from '../../support/gaussian.js';

describe('fft', () => {
  it.each([1, 2, 4, 64])('is the discrete Fourier transform of %i values', n => {
    const draw = gaussian(`fft ${n}`);
    const x = Float64Array.from({ length: n }, draw);
    const y = Float64Array.from({ length: n }, draw);
    const re = x.slice();
    const im = y.slice();
    fft(re, im);
    for (let k = 0; k < n; k++) {
      let real = 0;
      let imaginary = 0;
      for (let j = 0; j < n; j++) {
        const angle = (-2 * Math.PI * j * k) / n;
        real += x[j]! * Math.cos(angle) - y[j]! * Math.sin(angle);
        imaginary += x[j]! * Math.sin(angle) + y[j]! * Math.cos(angle);
      }
      expect(re[k]).toBeCloseTo(real, 11);
      expect(im[k]).toBeCloseTo(imaginary, 11);
    }
  });

  it('gives the values back, n times, when inverted', () => {
    const draw = gaussian('fft back');
    const x = Float64Array.from({ length: 4096 }, draw);
    const re = x.slice();
    const im = new Float64Array(4096);
    fft(re, im);
    fft(re, im, true);
    expect(Math.max(...re.map((v, i) => Math.abs(v / 4096 - x[i]!)))).toBeLessThan(1e-14);
    expect(Math.max(...im.map(v => Math.abs(v / 4096)))).toBeLessThan(1e-14);
  });

  it('takes nothing but a power of two', () => {
    expect(() => fft(new Float64Array(12), new Float64Array(12))).toThrow(/power of two, found 12/);
    expect(() => fft(new Float64Array(0), new Float64Array(0))).toThrow(RangeError);
    expect(() => fft(new Float64Array(8), new Float64Array(4))).toThrow(/expected 8 imaginary parts.*found 4/);
  });
});
