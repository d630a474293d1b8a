import { z } from 'zod';
import { InputError } from '../errors.js';
import { problemOf } from './problem.js';
import { asResolved, findPlugin, type PluginChoice, type PluginKind } from './registry.js';

/** The key under which a schema says that a plugin of some kind stands here. Read when the JSON Schema is written. */
export const PLUGIN_KIND_KEY = 'x-escapement-kind';

/**
 * A plugin named in a scenario or in another plugin's options: `kalman`, or `{ use: kalman, …options }`. Reads to its
 * options with all defaults filled in; the plugin's file must have been loaded.
 */
export function choice(kind: PluginKind, description: string) {
  return z
    .union([z.string(), z.looseObject({ use: z.string() })], `expected the name of a ${kind}, or { use: NAME, … }`)
    .meta({ description, [PLUGIN_KIND_KEY]: kind })
    .transform((value, context): PluginChoice => resolveChoice(kind, value, context));
}

/** Fills in a choice's options, or reports what is wrong with them at their own place. */
export function resolveChoice(
  kind: PluginKind,
  value: string | { use: string },
  context: z.RefinementCtx<unknown>,
): PluginChoice {
  const { use, ...options } = typeof value === 'string' ? { use: value } : value;
  try {
    const schema = findPlugin(kind, use, '').options;
    const parsed = schema.safeParse(options);
    if (parsed.success) return asResolved({ use, ...parsed.data });
    const { path, problem, hint } = problemOf(parsed.error, options, schema);
    context.addIssue({ code: 'custom', message: withHint(problem, hint), path: [...path], input: value });
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    context.addIssue({ code: 'custom', message: withHint(error.problem, error.hint), path: ['use'], input: value });
  }
  return z.NEVER;
}

function withHint(problem: string, hint: string | undefined): string {
  return hint === undefined ? problem : `${problem} (${hint})`;
}
