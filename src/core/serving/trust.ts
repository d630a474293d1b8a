import { z } from 'zod';
import type { Answer } from '../contracts/index.js';
import { duration, formatDuration, formatTime } from '../quantity.js';

/** From when on an answer is not served as the time any more. Seconds. */
export interface TrustLimits {
  readonly maxAge: number;
  readonly maxError: number;
}

/** Options of sinks that serve the time to others. */
export const trustOptions = {
  pipeline: z.string().min(1).optional().meta({ description: 'Whose time is served; left out: the first pipeline’s.' }),
  maxAge: duration('Longest since a measurement was taken; after it the time counts as not known.').prefault('3 h'),
  maxError: duration('Largest maximum error; beyond it the time counts as not known.').prefault('1 s'),
};

/** Seconds of the counter since the estimate took a measurement (or was made, where it does not say). */
export function ageOf({ estimate, reading }: Answer): number | undefined {
  if (estimate === undefined) return undefined;
  return reading.counter - (estimate.anchor?.at ?? estimate.at).counter;
}

/** Why an answer is not to be handed on as the time, for people; undefined where it is. */
export function whyUnknown(answer: Answer, { maxAge, maxError }: TrustLimits): string | undefined {
  const { told } = answer;
  const age = ageOf(answer);
  if (age === undefined || told.maxError === undefined) return 'nothing is known yet';
  if (!Number.isFinite(told.time)) return 'the estimate is not a number';
  if (age > maxAge) return `the last measurement is ${formatDuration(age)} old, limit ${formatDuration(maxAge)}`;
  if (!(told.maxError <= maxError)) {
    return `the maximum error is ${formatTime(told.maxError)}, limit ${formatTime(maxError)}`;
  }
  return undefined;
}
