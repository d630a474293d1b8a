import { distance } from 'fastest-levenshtein';

/** Bad input, told to people: where it stands, what was expected, what was found. Never shown with a stack trace. */
export class InputError extends Error {
  override readonly name = 'InputError';

  constructor(
    /** A file, with line or column where known, or a path in a scenario such as `pipelines[1].corrector.strength`. */
    readonly place: string,
    readonly problem: string,
    readonly hint?: string,
  ) {
    super(`${place}: ${problem}${hint === undefined ? '' : ` (${hint})`}`);
  }
}

/** What this machine lacks (a runtime, say), so that the input could not be tried: it may be right all the same. */
export class UnavailableError extends InputError {}

/** What a plugin threw, told to people by the name of the part that it plays. An `InputError` says it itself. */
export function thrownBy(part: string, error: unknown): InputError {
  if (error instanceof InputError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new InputError(part, `threw: ${why.split('\n')[0]}`);
}

/** Runs a plugin's code: what it throws ends the run with a message that names the part. */
export function guarded<T>(part: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw thrownBy(part, error);
  }
}

/** What a plugin answers, where that has to be an object: anything else ends the run with a message that names the part. */
export function expectObject(part: string, answer: unknown, expected: string): void {
  if (typeof answer === 'object' && answer !== null) return;
  throw new InputError(part, `gave ${typeof answer === 'string' ? `'${answer}'` : answer}; expected ${expected}`);
}

/** The known name nearest to a misspelt one, if any is near enough to be meant. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(name.length < 3 ? 1 : 2, Math.floor(name.length / 2)) + 1;
  for (const candidate of known) {
    const d = distance(name.toLowerCase(), candidate.toLowerCase());
    // One that has no letter in common is not what was meant, however short.
    if (d < bestDistance && d < Math.max(name.length, candidate.length)) [best, bestDistance] = [candidate, d];
  }
  return best;
}

/** "unknown corrector 'kalmann'" with the nearest name, or the list where nothing is near. */
export function unknownName(place: string, what: string, name: string, known: readonly string[]): InputError {
  const near = nearest(name, known);
  const hint = near === undefined ? `known: ${known.join(', ') || 'none'}` : `did you mean '${near}'?`;
  return new InputError(place, `unknown ${what} '${name}'`, hint);
}
