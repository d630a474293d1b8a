import { describe, expect, test } from 'vitest';
import { type Draw, draw } from '../../src/cli/dataset-draws.js';
import { randomStream } from '../../src/core/world/random.js';

describe('usual crystals', () => {
  const drawn: readonly Draw[] = Array.from({ length: 300 }, (_, i) =>
    draw('usual-crystals', randomStream('draws', `${i}`), {
      polls: [16, 4096],
      turns: [60, 800],
      atLeast: 0,
      servers: 4,
      randomised: 0,
    }),
  );
  const pollerOf = ({ scenario }: Draw) =>
    (scenario['sources'] as { ntp: { poller: { use: string; min: number; max: number } } }).ntp.poller;
  const typicalOf = (one: Draw) => Math.round(Math.sqrt(one.poll * pollerOf(one).max));
  const adapting = drawn.filter(one => pollerOf(one).use === 'rfc5905');

  test('have polls that adapt in two fifths, half of those followed for their first hours only', () => {
    expect(adapting.length / drawn.length).toBeGreaterThan(0.3);
    expect(adapting.length / drawn.length).toBeLessThan(0.5);
    // Others are followed for a whole number of turns.
    const young = adapting.filter(one => !Number.isInteger(one.duration / typicalOf(one)));
    expect(young.length / adapting.length).toBeGreaterThan(0.35);
    expect(young.length / adapting.length).toBeLessThan(0.65);
    for (const one of young) {
      expect(one.poll).toBeLessThanOrEqual(128);
      expect(one.duration / pollerOf(one).max).toBeGreaterThanOrEqual(16);
      expect(one.duration / pollerOf(one).max).toBeLessThanOrEqual(40);
    }
  });

  test('wander as most machines do, and are near in three of ten', () => {
    const near = drawn.filter(({ scenario }) => {
      const { servers } = scenario['world'] as { servers: { delay: number }[] };
      return servers[0]!.delay <= 5e-4;
    });
    expect(near.length / drawn.length).toBeGreaterThan(0.25);
    expect(near.length / drawn.length).toBeLessThan(0.55);
    for (const { scenario } of drawn) {
      const { clock } = scenario['world'] as { clock: { parts: { use: string; adev: number }[] } };
      const wander = clock.parts.find(({ use }) => use === 'random-walk-fm')!.adev * Math.sqrt(3);
      expect(wander).toBeGreaterThanOrEqual(3e-10);
      expect(wander).toBeLessThanOrEqual(3e-9 * (1 + 1e-12));
    }
  });
});
