import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { escapement } from '../support/escapement.js';

const folder = fileURLToPath(new URL('../../scenarios', import.meta.url));
const scenarios = readdirSync(folder).filter(
  file => file.endsWith('.yaml') && /^(world|extends):/m.test(readFileSync(join(folder, file), 'utf8')),
);

describe('shipped scenarios', () => {
  test('there are some', () => {
    expect(scenarios).toContain('jump-and-drift.yaml');
  });

  test.each(scenarios)('%s holds what it expects, tells its story, and is completed by editors', file => {
    const text = readFileSync(join(folder, file), 'utf8');
    expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/docs\/reference\/scenario\.schema\.json\n#\n# .+/);
    const { status, stdout, stderr } = escapement(['run', join(folder, file), '--json']);
    expect(stderr).toBe('');
    const summary = JSON.parse(stdout);
    expect(summary.expectations.filter(({ holds }: { holds: boolean }) => !holds)).toEqual([]);
    expect(summary.expectations.length).toBeGreaterThan(0);
    expect(status).toBe(0);
  });
});
