import type { z } from 'zod';
import type { Snapshot } from '../contracts/state.js';
import { problemOf } from './problem.js';

/** The state in a snapshot, checked; throws an Error that says what is wrong with it. */
export function stateIn<S extends z.ZodType>({ version, state }: Snapshot, wanted: number, schema: S): z.output<S> {
  if (version !== wanted) throw new Error(`expected a snapshot of version ${wanted}, found ${version}`);
  const parsed = schema.safeParse(state);
  if (parsed.success) return parsed.data;
  const { path, problem } = problemOf(parsed.error, state, schema);
  throw new Error(`${path.map(String).join('.') || 'the state'}: ${problem}`);
}
