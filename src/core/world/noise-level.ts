import { z } from 'zod';
import { ratio, time } from '../quantity.js';
import { type PowerLaw, powerLawLevel } from './power-law.js';

/** Options that all power-law noises share: how strong, and on which lattice. `unit` is that of h. */
export function noiseOptions(alpha: PowerLaw, unit: string) {
  return z
    .strictObject({
      adev: ratio('Allan deviation at 1 s of this noise alone.', { min: 0 }).optional(),
      h: z
        .number()
        .min(0)
        .optional()
        .meta({ description: `Instead of \`adev\`: coefficient of S_y(f) = h·f^${alpha}, ${unit}.` }),
      step: time('The lattice on which the noise is drawn.', { min: 0.05 }).prefault('1 s'),
      negligible: time('Readings between lattice points are refined until what is left is under this.', {
        above: 0,
      }).prefault('10 ps'),
    })
    .superRefine(({ adev, h, step }, context) => {
      if ((adev === undefined) === (h === undefined)) {
        context.addIssue({
          code: 'custom',
          message: `expected one of \`adev\` and \`h\`, found ${adev === undefined ? 'neither' : 'both'}`,
        });
      } else if (alpha > 0 && adev !== undefined && step > 1) {
        context.addIssue({
          code: 'custom',
          path: ['step'],
          message: `expected at most 1 s where \`adev\` at 1 s is given, found ${step} s`,
        });
      }
    });
}

export interface NoiseLevel {
  readonly adev?: number | undefined;
  readonly h?: number | undefined;
  readonly step: number;
}

/** The coefficient h_α that the options ask for. Phase noises have the bandwidth 1/(2·step) of their lattice. */
export function levelOf(alpha: PowerLaw, { adev, h, step }: NoiseLevel): number {
  return h ?? powerLawLevel(alpha, adev ?? 0, 1, alpha > 0 ? step : 1);
}
