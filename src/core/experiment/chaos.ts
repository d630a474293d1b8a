import { asResolved, pluginsOf } from '../plugin/registry.js';
import { randomStream } from '../world/random.js';
import type { FaultChoice, Scenario } from './scenario.js';

/** Faults on a timeline at most, and the shortest that one lasts, seconds. */
const MOST = 6;
const SHORTEST = 60;
/** A fault lasts at most this share of the run, so that recovery can be seen. */
const LONGEST = 0.2;
/** They strike in this share of what follows the warm-up, the first and the last of it left alone. */
const FROM = 0.05;
const TO = 0.85;

/**
 * A random timeline for a simulated scenario: one to six faults of those whose plugins are loaded, each with random
 * options, at random times. A function of the seed, the scenario's servers, pipelines and duration, and of what faults
 * there are.
 */
export function drawTimeline(scenario: Scenario, seed: string): readonly FaultChoice[] {
  const random = randomStream(seed, 'chaos');
  const { duration = 0, warmup, world } = scenario;
  if (world.kind !== 'simulated') return [];
  const scope = {
    servers: world.servers.map(({ name }) => name),
    pipelines: scenario.pipelines.map(({ name }) => name),
  };
  const kinds = pluginsOf('fault');
  const count = 1 + Math.floor(random.uniform() * MOST);
  const timeline: FaultChoice[] = [];
  while (timeline.length < count) {
    const kind = kinds[Math.floor(random.uniform() * kinds.length)]!;
    const at = Math.round(warmup + (duration - warmup) * (FROM + (TO - FROM) * random.uniform()));
    const longest = Math.max(SHORTEST, LONGEST * duration);
    const lasting = Math.round(SHORTEST * (longest / SHORTEST) ** random.uniform());
    const options = kind.chaos === undefined ? {} : kind.chaos(random, scope);
    const parsed = options && kind.options.safeParse(options);
    // A fault that cannot be drawn for this scenario is passed over; its draws are made all the same.
    if (parsed?.success) {
      timeline.push({ at, for: lasting, fault: asResolved({ use: kind.name, ...parsed.data }) });
    }
  }
  return timeline.sort((a, b) => a.at - b.at);
}

/** The scenario with these faults besides its own, under another seed. */
export function withTimeline(scenario: Scenario, seed: string, timeline: readonly FaultChoice[]): Scenario {
  const { world } = scenario;
  if (world.kind !== 'simulated') return scenario;
  return { ...scenario, seed, world: { ...world, faults: [...world.faults, ...timeline] } };
}

/**
 * Reduces a timeline that breaks something to a smallest one that still does: first every fault without which it still
 * breaks is left out, until none can be (a 1-minimal timeline, Zeller and Hildebrandt 2002); then each is made as short as
 * it can be, by halves. `breaks` runs a timeline.
 */
export async function shrinkTimeline(
  timeline: readonly FaultChoice[],
  breaks: (timeline: readonly FaultChoice[]) => Promise<boolean>,
): Promise<readonly FaultChoice[]> {
  let smallest = timeline;
  for (let i = 0; i < smallest.length; ) {
    const without = smallest.filter((_, index) => index !== i);
    if (await breaks(without)) {
      smallest = without;
      i = 0;
    } else {
      i += 1;
    }
  }
  for (let i = 0; i < smallest.length; i++) {
    for (;;) {
      const entry = smallest[i]!;
      const half = Math.floor((entry.for ?? 0) / 2);
      if (half < 1) break;
      const shorter = smallest.map((other, index) => (index === i ? { ...entry, for: half } : other));
      if (!(await breaks(shorter))) break;
      smallest = shorter;
    }
  }
  return smallest;
}

/** The seeds of `runs` chaotic runs: the first is the given one, so that any of them can be run again by itself. */
export function chaosSeeds(seed: string, runs: number): readonly string[] {
  return Array.from({ length: runs }, (_, index) => (index === 0 ? seed : `${seed}.${index}`));
}

/** A timeline as it stands in a scenario file. */
export function timelineEntries(timeline: readonly FaultChoice[]): readonly Record<string, unknown>[] {
  return timeline.map(({ at, for: lasting, every, chance, fault: { use, ...options } }) => {
    const entry = { use, at, for: lasting, every, chance, ...options };
    return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined));
  });
}
