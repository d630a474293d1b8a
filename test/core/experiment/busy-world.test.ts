import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { SourceEvent } from '../../../src/core/contracts/index.js';
import { runText } from '../../support/run-scenario.js';

const busy = parse(readFileSync(fileURLToPath(new URL('../../../bench/busy-day.yaml', import.meta.url)), 'utf8')) as {
  readonly pipelines: readonly unknown[];
};

/** What the first source heard in four hours, and what its pipeline made of it. */
async function heard(more: Readonly<Record<string, unknown>>) {
  const events: SourceEvent[] = [];
  const estimates: unknown[] = [];
  await runText(
    stringify({
      ...busy,
      duration: '4 h',
      sources: { first: 'ntp' },
      pipelines: [{ name: 'kalman', source: 'first', filters: ['delay-excess'], combiner: 'inverse-variance' }],
      ...more,
    }),
    {
      sinks: [
        {
          exchange: ({ group, event }) => {
            if (group === 'first') events.push(event);
          },
          round: ({ pipeline, t, estimate }) => {
            if (pipeline === 'kalman') estimates.push([t, estimate]);
          },
        },
      ],
    },
  );
  return JSON.stringify({ events, estimates });
}

describe('with every noise, law of delay and many faults', () => {
  it('a realisation does not depend on who asks, or how often', async () => {
    const alone = await heard({});
    expect(alone.length).toBeGreaterThan(300_000);
    const kalman = { name: 'kalman', source: 'first', filters: ['delay-excess'], combiner: 'inverse-variance' };
    const asked = await heard({
      sources: { first: 'ntp', second: { use: 'ntp', poller: { use: 'fixed', interval: '17.3 s' } } },
      pipelines: [kalman, { name: 'other', source: 'second' }],
    });
    expect(asked).toBe(alone);
    expect(await heard({ sampling: { interval: '0.1 s' } })).toBe(alone);
    expect(await heard({ seed: 2 })).not.toBe(alone);
  });
});
