import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { whyNoChronyd } from '../support/chronyd.js';

const soak = fileURLToPath(new URL('../../bench/soak.js', import.meta.url));

interface Soaked {
  readonly results: readonly {
    readonly phase: string;
    readonly samples: number;
    readonly boundViolations: number;
    readonly liarNamed: number;
  }[];
  readonly events: readonly string[];
  readonly broken: readonly string[];
}

/** `npm run bench:soak`, seconds instead of minutes, and only what holds on any machine. */
describe('a service among three real chronyd and a liar (fails in CI where chronyd is missing)', () => {
  const missing = whyNoChronyd();

  test('never crashes, never breaks its bounds, names the liar throughout', context => {
    if (missing !== undefined) return context.skip(missing);
    return new Promise<void>((resolve, reject) => {
      execFile(process.execPath, [soak, '--short', '--json'], { timeout: 90_000 }, (error, stdout, stderr) => {
        try {
          expect(stderr).toBe('');
          const { results, events, broken } = JSON.parse(stdout) as Soaked;
          expect(broken).toEqual([]);
          expect(error).toBeNull();
          expect(results.map(({ phase }) => phase)).toHaveLength(7);
          for (const { phase, samples, boundViolations, liarNamed } of results) {
            expect(samples, phase).toBeGreaterThan(5);
            expect({ boundViolations, liarNamed }, phase).toEqual({ boundViolations: 0, liarNamed: 1 });
          }
          expect(events).toContain('clock: the wall clock was stepped by +10.0 s');
          resolve();
        } catch (problem) {
          reject(problem);
        }
      });
    });
  }, 100_000);
});
