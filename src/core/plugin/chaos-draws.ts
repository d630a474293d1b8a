import type { RandomStream } from '../contracts/index.js';

/** Draws for faults on a chaotic timeline: three significant digits, so that people can read and repeat them. */

/** Between two sizes, every order of magnitude as likely as the next. */
export function logUniform(random: RandomStream, low: number, high: number): number {
  return Number((low * (high / low) ** random.uniform()).toPrecision(3));
}

/** The same to either side of 0. */
export function signed(random: RandomStream, low: number, high: number): number {
  const size = logUniform(random, low, high);
  return random.uniform() < 0.5 ? -size : size;
}

/** One or more of a list, in its order; the more, the less likely. */
export function some(random: RandomStream, names: readonly string[]): readonly string[] {
  const first = Math.floor(random.uniform() * names.length);
  const also = names.map(() => random.uniform() < 0.25);
  return names.filter((_, index) => index === first || also[index]);
}
