import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { escapement } from '../support/escapement.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(resolve(root, file), 'utf8');

test("README's table is what npm start prints today", () => {
  const { stdout } = escapement(['run', resolve(root, 'scenarios/jump-and-drift.yaml')]);
  const table = stdout.split('\n').filter(line => /^[┌│├└]/.test(line));
  expect(table.length).toBeGreaterThan(5);
  expect(read('README.md')).toContain(table.join('\n'));
});

test("README's first two commands are the main job and the tests", () => {
  const commands = read('README.md')
    .match(/```sh\n([\s\S]*?)```/)?.[1]
    ?.trim()
    .split('\n');
  expect(commands).toEqual(['npm ci && npm start', 'npm ci && npm test']);
});

describe('links', () => {
  const pages = [
    'README.md',
    ...readdirSync(resolve(root, 'docs'))
      .filter(file => file.endsWith('.md'))
      .map(file => `docs/${file}`),
  ];

  test.each(pages)('of %s lead somewhere', page => {
    const links = [...read(page).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(match => match[1]!);
    const broken = links.filter(link => !/^https?:/.test(link) && !existsSync(resolve(root, dirname(page), link)));
    expect(broken).toEqual([]);
  });
});
