import { z } from 'zod';
import { InputError } from '../errors.js';
import { asResolved, findPlugin, inputErrorOf, type PluginChoice, type PluginKind } from './registry.js';

/** The key under which a schema says that a plugin of some kind stands here. Read when the JSON Schema is written. */
export const PLUGIN_KIND_KEY = 'x-escapement-kind';

/**
 * A plugin named in a scenario or in another plugin's options: `kalman`, or `{ use: kalman, …options }`. Reads to its
 * options with all defaults filled in; the plugin's file must have been loaded.
 */
export function choice(kind: PluginKind, description: string) {
  return z
    .union([z.string(), z.looseObject({ use: z.string() })])
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
    const parsed = findPlugin(kind, use, '').options.safeParse(options);
    if (parsed.success) return asResolved({ use, ...parsed.data });
    const { place, problem, hint } = inputErrorOf(parsed.error, '');
    context.addIssue({ code: 'custom', message: withHint(problem, hint), path: pathOf(place), input: value });
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    context.addIssue({ code: 'custom', message: withHint(error.problem, error.hint), path: ['use'], input: value });
  }
  return z.NEVER;
}

function withHint(problem: string, hint: string | undefined): string {
  return hint === undefined ? problem : `${problem} (${hint})`;
}

/** `a.b[2]` as zod has it. */
function pathOf(place: string): (string | number)[] {
  return place === '' || place === 'scenario'
    ? []
    : place
        .split(/[.[\]]+/)
        .filter(key => key !== '')
        .map(key => (/^\d+$/.test(key) ? Number(key) : key));
}
