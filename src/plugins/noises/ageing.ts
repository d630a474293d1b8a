import { inject } from 'inversify';
import { z } from 'zod';
import type { NoisePart } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { duration, ratio, time } from '../../core/quantity.js';

const DAY = 86400;

const Options = z.strictObject({
  perDay: ratio('Frequency change in a day, at the start of the run.').prefault('1e-9'),
  stabilising: duration(
    'Left out, the frequency drifts at a constant rate. Given, it follows a logarithm and slows down with this time constant.',
  ).optional(),
  age: time('Age of the oscillator at the start, where it is `stabilising`.', { min: 0 }).prefault(0),
});

/**
 * Ageing: y = D·t, or, for an oscillator that settles, y = D·(A + B)·ln(1 + t/(A + B)) with age A and time constant B
 * (the logarithmic law of MIL-PRF-55310, A·ln(B·t + 1), put so that dy/dt = D at the start of the run).
 */
@plugin({
  kind: 'noise',
  name: 'ageing',
  summary: 'Ageing: drift of the frequency, linear or logarithmic',
  options: Options,
})
export class Ageing implements NoisePart {
  private readonly rate: number;
  private readonly settling: number | undefined;

  constructor(@inject(PluginOptions) { perDay, stabilising, age }: z.output<typeof Options>) {
    this.rate = perDay / DAY;
    this.settling = stabilising === undefined ? undefined : stabilising + age;
  }

  phase(t: number): number {
    const { rate, settling } = this;
    if (settling === undefined) return (rate * t * t) / 2;
    const u = t / settling;
    // ∫ ln(1 + u) = (1 + u)·ln(1 + u) − u; a series where that would cancel.
    const integral = u < 1e-4 ? u * u * (1 / 2 - u / 6) : (1 + u) * Math.log1p(u) - u;
    return rate * settling * settling * integral;
  }

  addPhases(first: number, sums: Float64Array): void {
    for (let i = 0; i < sums.length; i++) sums[i]! += this.phase(first + i);
  }

  frequency(t: number): number {
    const { rate, settling } = this;
    return settling === undefined ? rate * t : rate * settling * Math.log1p(t / settling);
  }
}
