import seedrandom from 'seedrandom';

/** Draws from the standard normal distribution by Marsaglia's polar method, from a named stream. */
export function gaussian(seed: string): () => number {
  const uniform = seedrandom.alea(seed);
  // Alea's first draws follow the last character of its seed.
  for (let i = 0; i < 16; i++) uniform();
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    for (;;) {
      const u = 2 * uniform() - 1;
      const v = 2 * uniform() - 1;
      const s = u * u + v * v;
      if (s > 0 && s < 1) {
        const factor = Math.sqrt((-2 * Math.log(s)) / s);
        spare = v * factor;
        return u * factor;
      }
    }
  };
}
