import { z } from 'zod';
import { nearest } from '../errors.js';

/** What is wrong with an input, in people's words: where in it, what was expected and found, and what may be meant. */
export interface Problem {
  readonly path: readonly PropertyKey[];
  readonly problem: string;
  readonly hint?: string | undefined;
}

type Issue = z.core.$ZodIssue;

/**
 * The first problem that a schema found in an input. A key that is not known goes first: that another is missing often
 * means that it is misspelt.
 */
export function problemOf({ issues }: z.ZodError, input: unknown, schema: z.ZodType): Problem {
  const all = issues.map(issue => meant(issue, input));
  const issue = all.find(({ code }) => code === 'unrecognized_keys') ?? all[0];
  if (issue === undefined) return { path: [], problem: 'is not valid' };
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    const near = nearest(key, keysAt(schema, issue.path));
    return {
      path: [...issue.path, key],
      problem: 'is not an option here',
      hint: near === undefined ? undefined : `did you mean '${near}'?`,
    };
  }
  const found = at(input, issue.path);
  return { path: issue.path, ...describe(issue, found) };
}

/** Of a union that failed, the branch that was meant: one of the given kind, or the one that got furthest. */
function meant(issue: Issue, input: unknown): Issue {
  if (issue.code !== 'invalid_union') return issue;
  let best: Issue | undefined;
  let bestScore = Number.NEGATIVE_INFINITY;
  const expected = new Set<string>();
  let atOnce = true;
  for (const branch of issue.errors) {
    const first = branch.find(({ code }) => code === 'unrecognized_keys') ?? branch[0];
    if (first === undefined) continue;
    const wrongType = branch.find(inner => inner.code === 'invalid_type' && inner.path.length === 0);
    atOnce &&= first.path.length === 0 && first.code !== 'unrecognized_keys';
    if (wrongType?.code === 'invalid_type') expected.add(typeName(wrongType.expected));
    const wrongKind = wrongType !== undefined || branch.some(inner => inner.path.at(-1) === 'kind');
    // A number, with a unit or without, that its own schema refuses is no name of a plugin.
    const refused = first.code === 'custom' && first.path.length === 0 && isNumeric(at(input, issue.path));
    const score = (wrongKind ? -100 : 0) + (refused ? 100 : 0) + first.path.length - branch.length;
    if (score > bestScore) [best, bestScore] = [first, score];
  }
  if (best === undefined) return issue;
  // Whatever was meant, it is not this: the schema's own words, or every type that would do.
  const { path } = issue;
  const own = issue.message.startsWith('expected') ? issue.message : undefined;
  if (atOnce && (own !== undefined || expected.size === issue.errors.length)) {
    const message = own ?? `expected ${[...expected].join(' or ')}`;
    return { code: 'custom', path, message: `${message}, found ${shown(at(input, path))}` };
  }
  const kinds = issue.errors.flatMap(branch => {
    const kind = branch.find(inner => inner.code === 'invalid_value' && inner.path.at(-1) === 'kind');
    return kind?.code === 'invalid_value' ? [kind] : [];
  });
  if (kinds.length === issue.errors.length) {
    return { ...kinds[0]!, path: [...path, ...kinds[0]!.path], values: kinds.flatMap(({ values }) => values) };
  }
  return meant({ ...best, path: [...path, ...best.path] }, input);
}

function isNumeric(value: unknown): boolean {
  return typeof value === 'number' || (typeof value === 'string' && /^\s*[+-]?\.?\d/.test(value));
}

function describe(issue: Issue, found: unknown): Pick<Problem, 'problem' | 'hint'> {
  const but = `, found ${shown(found)}`;
  switch (issue.code) {
    case 'custom':
      return { problem: issue.message };
    case 'invalid_type':
      return { problem: `expected ${typeName(issue.expected)}${but}` };
    case 'too_small':
    case 'too_big':
      return { problem: `expected ${limitOf(issue)}${but}` };
    case 'invalid_value': {
      const values = issue.values.map(String);
      const near = typeof found === 'string' ? nearest(found, values) : undefined;
      const list = values.length === 1 ? values[0] : `one of ${values.join(', ')}`;
      return { problem: `expected ${list}${but}`, hint: near === undefined ? undefined : `did you mean '${near}'?` };
    }
    default:
      return { problem: `${issue.message}${but}` };
  }
}

function limitOf(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const [limit, more] =
    issue.code === 'too_small' ? ([issue.minimum, 'more'] as const) : ([issue.maximum, 'less'] as const);
  const bound =
    issue.inclusive === false ? `${more} than ${limit}` : `at ${more === 'more' ? 'least' : 'most'} ${limit}`;
  if (issue.origin === 'array') return `${bound} ${limit === 1 ? 'entry' : 'entries'}`;
  if (issue.origin === 'string') return `${bound} ${limit === 1 ? 'character' : 'characters'}`;
  return bound;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: 'a map',
  record: 'a map',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

function typeName(expected: string): string {
  return TYPE_NAMES[expected] ?? expected;
}

/** A value as people wrote it, or what it is. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value !== 'string') return String(value);
  return value.length > 60 ? `'${value.slice(0, 57)}…'` : `'${value}'`;
}

function at(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    input,
  );
}

/** The keys that a schema knows at a place. */
function keysAt(schema: z.core.$ZodType, [head, ...rest]: readonly PropertyKey[]): readonly string[] {
  if (schema instanceof z.ZodPipe) return keysAt(schema.def.in, head === undefined ? [] : [head, ...rest]);
  if ('innerType' in schema._zod.def) {
    return keysAt(schema._zod.def.innerType as z.core.$ZodType, head === undefined ? [] : [head, ...rest]);
  }
  if (schema instanceof z.ZodUnion) {
    return schema.options.flatMap(option => keysAt(option as z.ZodType, head === undefined ? [] : [head, ...rest]));
  }
  if (schema instanceof z.ZodObject) {
    if (head === undefined) return Object.keys(schema.shape);
    const inner = (schema.shape as Readonly<Record<PropertyKey, z.ZodType>>)[head];
    return inner === undefined ? [] : keysAt(inner, rest);
  }
  if (head === undefined) return [];
  if (schema instanceof z.ZodArray) return keysAt(schema.element as z.ZodType, rest);
  if (schema instanceof z.ZodRecord) return keysAt(schema.valueType as z.ZodType, rest);
  return [];
}
