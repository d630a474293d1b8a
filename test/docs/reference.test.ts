import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { escapement } from '../support/escapement.js';

const read = (file: string): string => readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), 'utf8');

test.each([
  ['docs/reference/scenario.schema.json', ['schema']],
  ['docs/reference/scenario.md', ['schema', '--markdown']],
])('%s is what the schemas say today (npm run docs writes it)', (file, args) => {
  expect(read(file)).toBe(escapement(args).stdout);
});

test('every key in the reference says what it means', () => {
  const empty = read('docs/reference/scenario.md')
    .split('\n')
    .filter(line => /^\| `.*\|\s*\|$/.test(line));
  expect(empty).toEqual([]);
});
