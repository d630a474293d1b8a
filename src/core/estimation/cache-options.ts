import { z } from 'zod';
import { duration, ratio, time } from '../quantity.js';
import type { CacheOptions } from './forecast-cache.js';

/** Options of a plugin that keeps a predictor's forecasts, with ChronoTick's short model as defaults. */
export const CacheShape = {
  interval: duration('From question to question.').prefault('5 s'),
  horizon: duration('How far a forecast reaches.').prefault('30 s'),
  lead: time('How long before it is needed a forecast is asked for.', { min: 0 }).prefault(0),
  points: z
    .int()
    .min(1)
    .default(2)
    .meta({ description: 'Into how many parts the horizon is cut; between them, lines.' }),
  context: z
    .int()
    .min(1)
    .optional()
    .meta({ description: 'How many of the last measurements it is shown; left out: all.' }),
  staleDrift: ratio('How fast an answer gets worse beyond its horizon.', { min: 0 }).prefault('10 ppm'),
  staleFor: time('How long beyond its horizon an answer is still one; left out: as long as the horizon.', {
    min: 0,
  }).optional(),
};

/** The options with what was left out. */
export function cacheOptionsOf(given: z.output<z.ZodObject<typeof CacheShape>>): CacheOptions {
  return { ...given, context: given.context, staleFor: given.staleFor ?? given.horizon };
}
