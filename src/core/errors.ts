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

/** The known name nearest to a misspelt one, if any is near enough to be meant. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 2)) + 1;
  for (const candidate of known) {
    const d = distance(name.toLowerCase(), candidate.toLowerCase());
    if (d < bestDistance) [best, bestDistance] = [candidate, d];
  }
  return best;
}

/** "unknown corrector 'kalmann'" with the nearest name, or the list where nothing is near. */
export function unknownName(place: string, what: string, name: string, known: readonly string[]): InputError {
  const near = nearest(name, known);
  const hint = near === undefined ? `known: ${known.join(', ') || 'none'}` : `did you mean '${near}'?`;
  return new InputError(place, `unknown ${what} '${name}'`, hint);
}
