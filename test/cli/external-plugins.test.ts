import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { escapement, scratch, write } from '../support/escapement.js';

const folder = scratch();
const docs = readFileSync(fileURLToPath(new URL('../../docs/write-a-plugin.md', import.meta.url)), 'utf8');

/** The first block of a language on the page: what a new user copies. */
function block(language: string): string {
  const found = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(docs)?.[1];
  if (found === undefined) throw new Error(`docs/write-a-plugin.md has no ${language} block`);
  return found;
}

const plugin = write(folder, 'proportional.ts', block('ts'));
const scenario = write(folder, 'mine.yaml', block('yaml'));

/** The same corrector in JavaScript without decorators' syntax. */
const JAVASCRIPT = `
import { plugin, z } from 'escapement';
class Halfway {
  correct(prior, measurement, { axis }) {
    const offset = prior === undefined ? measurement.offset : (prior.offset + measurement.offset) / 2;
    return { at: measurement.at, axis, offset, drift: 0, p00: measurement.uncertainty ** 2, p01: 0, p11: 1e-10,
      whiteFm: 0, randomWalkFm: 0, maxError: measurement.rootDistance, maxErrorRate: 1e-4, by: 'NAME' };
  }
}
plugin({ kind: 'corrector', name: 'NAME', summary: 'Half of the way', options: z.object({}) })(Halfway);
`;

function using(name: string): string {
  return write(folder, `${name}.yaml`, block('yaml').replace('{ use: proportional, strength: 0.5 }', name));
}

describe('a plugin from outside', () => {
  test('is written, loaded and run as the page says', () => {
    const { status, stdout, stderr } = escapement(['run', scenario, '--plugin', plugin, '--json']);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const { pipelines } = JSON.parse(stdout);
    expect(pipelines.map(({ name }: { name: string }) => name)).toEqual(['bare-clock', 'mine', 'kalman']);
    expect(pipelines[1].winRate).toBeGreaterThan(0.99);
  });

  test('has its own options: they change what it does', () => {
    const stronger = write(folder, 'stronger.yaml', block('yaml').replace('strength: 0.5', 'strength: 1'));
    const mean = (file: string): number =>
      JSON.parse(escapement(['run', file, '--plugin', plugin, '--json']).stdout).pipelines[1].error.mae;
    expect(mean(stronger)).not.toBe(mean(scenario));
  });

  test('may be JavaScript', () => {
    const module = write(folder, 'halfway.js', JAVASCRIPT.replaceAll('NAME', 'halfway'));
    const { status, stderr } = escapement(['run', using('halfway'), '--plugin', module, '--json']);
    expect([status, stderr]).toEqual([0, '']);
  });

  test('may be an installed package', () => {
    const home = join(folder, 'node_modules', 'escapement-halfway');
    mkdirSync(home, { recursive: true });
    write(home, 'package.json', '{ "name": "escapement-halfway", "type": "module", "main": "index.js" }');
    write(home, 'index.js', JAVASCRIPT.replaceAll('NAME', 'packaged'));
    const { status, stderr } = escapement(
      ['run', using('packaged'), '--plugin', 'escapement-halfway', '--json'],
      folder,
    );
    expect([status, stderr]).toEqual([0, '']);
  });

  test('is listed with its options, and known to the schema', () => {
    const listed = escapement(['plugins', 'corrector', '--plugin', plugin]).stdout;
    expect(listed).toMatch(/proportional\s+Moves the offset part of the way/);
    expect(listed).toMatch(/strength\s+0\.7\s+Share of the innovation/);
    expect(escapement(['schema', '--plugin', plugin]).stdout).toContain('"const": "proportional"');
  });

  test.each([
    ['strength: 0.5', 'strenth: 0.5', /mine-bad\.yaml:\d+ pipelines\[0\]\.corrector\.strenth: is not an option here/],
    ['strength: 0.5', 'strength: 2', /pipelines\[0\]\.corrector\.strength: expected at most 1, found 2/],
    ['use: proportional', 'use: proportionl', /unknown corrector 'proportionl' \(did you mean 'proportional'\?\)/],
  ])('answers %s → %s with its place', (from, to, message) => {
    const bad = write(folder, 'mine-bad.yaml', block('yaml').replace(from, to));
    const { status, stdout, stderr } = escapement(['run', bad, '--plugin', plugin]);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  test.each([
    ['no-such.ts', undefined, /--plugin .*no-such\.ts: no such file/],
    ['broken.ts', 'const = 1;', /--plugin .*broken\.ts: cannot be loaded: .* at line 1, column 6$/m],
    ['nothing.ts', 'export const x = 1;', /--plugin .*nothing\.ts: registers no plugin: expected a class with @plugin/],
    [
      'kind.js',
      JAVASCRIPT.replace("'corrector'", "'correcter'"),
      /kind\.js: Halfway: unknown kind of plugin 'correcter' \(did you mean 'corrector'\?\)/,
    ],
    [
      'name.js',
      JAVASCRIPT.replaceAll('NAME', 'half way'),
      /name\.js: Halfway: expected a name of .*, found 'half way'/,
    ],
    [
      'options.js',
      JAVASCRIPT.replaceAll('NAME', 'bare').replace(', options: z.object({})', ''),
      /options\.js: Halfway: 'bare' has no options: expected a zod object/,
    ],
    ['throws.ts', "throw new Error('on purpose');", /--plugin .*throws\.ts: cannot be loaded: on purpose/],
    ['twin.js', JAVASCRIPT.replaceAll('NAME', 'kalman'), /there is already a corrector named 'kalman'/],
  ])('that cannot be loaded (%s) is one clear line', (name, text, message) => {
    const module = text === undefined ? join(folder, name) : write(folder, name, text);
    const { status, stdout, stderr } = escapement(['run', scenario, '--plugin', module]);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});
