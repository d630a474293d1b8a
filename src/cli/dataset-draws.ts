import type { RandomStream } from '../core/contracts/index.js';

/** The kinds of clocks and paths that a data set is drawn from. */
export const FAMILIES = [
  'exponential',
  'heavy-tails',
  'one-way-congestion',
  'jumps',
  'temperature',
  'flicker',
  'route-changes',
  'mixtures',
  'sparse',
  'gaussian',
  'servers',
  'named-clocks',
  'adaptive-polls',
  'congestion',
  'usual-crystals',
] as const;
export type Family = (typeof FAMILIES)[number];

export interface DrawOptions {
  /** Polling intervals, s. */
  readonly polls: readonly [number, number];
  /** Turns of polling for each clock, log-uniform. */
  readonly turns: readonly [number, number];
  /** No clock is followed for less than this, s. */
  readonly atLeast: number;
  readonly servers: number;
  /** Share of the clocks that get something that breaks the rule that delays bound errors. */
  readonly randomised: number;
  /** What breaks it, where it is not to be drawn. */
  readonly contaminated?: Contamination;
}

/** What breaks the rule that a measurement of low delay is a good one. */
export const CONTAMINATIONS = ['low-delay-falseticker', 'deaf-delays', 'stamp-jitter'] as const;
type Contamination = (typeof CONTAMINATIONS)[number];

/** One drawn situation: a scenario's content but for its pipelines, and which axis is to be estimated. */
export interface Draw {
  readonly family: Family;
  readonly poll: number;
  readonly duration: number;
  readonly axis: 'counter' | 'wall';
  /** Whether the least delays of the two ways stay alike, so that an interval has to hold the truth. */
  readonly symmetric: boolean;
  /** Empty: nothing does. */
  readonly contaminated: Contamination | '';
  readonly scenario: Readonly<Record<string, unknown>>;
}

class Dice {
  constructor(private readonly random: RandomStream) {}

  between(low: number, high: number): number {
    return low + (high - low) * this.random.uniform();
  }

  /** Uniform in the logarithm. */
  scale(low: number, high: number): number {
    return low * (high / low) ** this.random.uniform();
  }

  chance(p: number): boolean {
    return this.random.uniform() < p;
  }

  sign(): number {
    return this.random.uniform() < 0.5 ? -1 : 1;
  }

  one<T>(of: readonly T[]): T {
    return of[Math.min(of.length - 1, Math.floor(of.length * this.random.uniform()))]!;
  }
}

/**
 * What else a usual crystal may have. In the first hours of a poller that adapts the intervals are long before there are many
 * measurements, so that little is known of how the crystal wanders.
 */
const BESIDE = ['nothing', 'temperature', 'congestion', 'adaptive-polls', 'first-hours'] as const;

type Law = Readonly<Record<string, unknown>>;
const exponential = (mean: number): Law => ({ use: 'exponential', mean });

/** Queueing with the scale `mean`, of a heavy-tailed kind. */
function heavy(dice: Dice, mean: number): Law {
  switch (dice.one(['pareto', 'log-normal', 'weibull'])) {
    case 'pareto':
      return { use: 'pareto', scale: mean, shape: dice.between(1.1, 2.5), cap: 0.4 };
    case 'log-normal':
      return { use: 'log-normal', median: mean, sigma: dice.between(0.7, 1.4) };
    default:
      return { use: 'weibull', scale: mean, shape: dice.between(0.4, 0.8) };
  }
}

/** Packets that mostly wait little, and sometimes long. */
function mixed(dice: Dice, mean: number): Law {
  return {
    use: 'mixture',
    of: [
      { weight: dice.between(0.5, 0.9), law: exponential(mean) },
      { weight: dice.between(0.1, 0.4), law: heavy(dice, mean) },
      { weight: dice.between(0.01, 0.05), law: exponential(mean * dice.scale(5, 50)) },
    ],
  };
}

/** Congestion that comes and goes. */
function congested(dice: Dice, mean: number, poll: number): Law {
  return {
    use: 'markov',
    states: [
      { lasts: poll * dice.scale(10, 80), law: exponential(mean) },
      { lasts: poll * dice.scale(5, 40), law: exponential(mean * dice.scale(5, 50)) },
    ],
  };
}

/** The shortest of a few hundred waits: a law that hardly ever waits little hides a part of the path's length. */
function shortest(law: Law): number {
  return law['use'] === 'log-normal' ? Number(law['median']) * Math.exp(-2.6 * Number(law['sigma'])) : 0;
}

/** Draws one clock with its paths. Everything comes from `random`, so that one seed gives one situation. */
export function draw(family: Family, random: RandomStream, options: DrawOptions): Draw {
  const dice = new Dice(random);
  const [least, most] = options.polls;
  const sparse = family === 'sparse' && most > 1024;
  // A crystal such as most machines have, which nobody gains by following faster: alone, or with one thing more.
  const crystal = family === 'usual-crystals';
  const beside = crystal ? dice.one(BESIDE) : family;
  const young = beside === 'first-hours';
  // On the nearest networks queues are short beside what a crystal wanders between polls.
  const near = crystal && dice.chance(0.3);
  // A poller that adapts begins at the shortest interval and takes its time to the longest.
  const adapts = young || beside === 'adaptive-polls';
  const usual = young ? 128 : adapts ? 256 : 1024;
  const poll = Math.round(
    sparse ? dice.scale(Math.max(1024, least), most) : dice.scale(least, Math.max(least, Math.min(usual, most))),
  );
  const longest = adapts ? Math.min(poll * 2 ** dice.one([2, 3, 4, 5]), Math.max(most, poll)) : poll;
  const typical = Math.round(Math.sqrt(poll * longest));
  const turns = Math.round(dice.scale(...options.turns));
  const duration = Math.max(young ? longest * dice.between(16, 40) : typical * turns, options.atLeast);
  const mixture = family === 'mixtures';
  const faults: Record<string, unknown>[] = [];
  let symmetric = true;

  // The oscillator. Noises are drawn on a lattice that follows the polling.
  const step = Math.max(1, Math.round(poll / 32));
  const wanderOfAny = (): number => (dice.chance(0.1) ? dice.scale(3e-8, 3e-7) : dice.scale(1e-10, 3e-8));
  const wander = crystal ? dice.scale(3e-10, 3e-9) : wanderOfAny();
  const parts: Record<string, unknown>[] = [
    { use: 'white-fm', adev: dice.scale(1e-11, 3e-9), step },
    { use: 'random-walk-fm', adev: wander / Math.sqrt(3), step },
  ];
  if (beside === 'temperature' || (mixture && dice.chance(0.4))) {
    const period = dice.scale(crystal ? 3600 : 1200, 86400);
    const ambient = (share: number, of: number) => ({
      shape: 'sinusoid',
      amplitude: share,
      period: of,
      peak: dice.between(0, of),
    });
    parts.push({
      use: 'temperature',
      lag: 0,
      linear: crystal ? dice.scale(1e-7, 6e-6) : dice.scale(1e-8, 2e-6),
      ambient: [ambient(1, period), ambient(dice.between(0, 0.5), period / 2)],
      step: Math.max(step, 10),
    });
  }
  if (family === 'flicker' || (mixture && dice.chance(0.3))) {
    parts.push({ use: 'flicker-fm', adev: dice.scale(3e-10, 3e-8), step });
  }
  const named = family === 'named-clocks';
  const clock = named
    ? {
        use: dice.one(['laptop-crystal', 'server-crystal', 'tcxo', 'ocxo', 'vm-guest']),
        timeError: dice.between(-0.1, 0.1),
        frequencyError: dice.between(-5e-5, 5e-5),
      }
    : {
        use: 'oscillator',
        timeError: dice.between(-0.1, 0.1),
        frequencyError: dice.between(-5e-5, 5e-5),
        parts,
      };

  // The paths.
  const roundTrip = near ? dice.scale(1e-4, 1e-3) : dice.scale(2e-4, 0.2);
  const queueing = Math.max(near ? dice.scale(2e-6, 5e-5) : roundTrip * dice.scale(0.003, 0.5), 2e-6);
  const several = options.servers > 1 && (family === 'servers' || (mixture && dice.chance(0.3)));
  const count = several ? 2 + Math.floor(dice.between(0, options.servers - 1)) : 1;
  const servers = Array.from({ length: count }, (_, index) => {
    const own = index === 0 ? 1 : dice.scale(0.3, 3);
    const mean = queueing * own;
    const uneven = dice.chance(0.5) ? dice.scale(1, 4) ** dice.sign() : 1;
    const ways = { out: law(mean * Math.sqrt(uneven)), back: law(mean / Math.sqrt(uneven)) };
    if (family === 'one-way-congestion' || (mixture && dice.chance(0.4))) {
      ways[dice.one(['out', 'back'] as const)] = congested(dice, mean, poll);
    }
    // Where one way's shortest wait is longer than the other's, nobody can see which.
    if (Math.abs(shortest(ways.out) - shortest(ways.back)) > 0.02 * mean) symmetric = false;
    const delay = (roundTrip / 2) * own;
    // Of several paths some are longer one way: the others can tell.
    const longer = several && dice.chance(0.3) ? delay * dice.scale(0.01, 0.3) : 0;
    if (longer > 0) symmetric = false;
    return {
      name: `s${index}`,
      delay,
      out: { jitter: ways.out, delay: delay + longer },
      back: { jitter: ways.back },
      loss: dice.chance(0.5) ? dice.between(0, 0.1) : 0,
      precision: '120 ns',
    };
  });
  function law(mean: number): Law {
    if (family === 'gaussian') return { use: 'normal', deviation: mean };
    if (family === 'heavy-tails') return heavy(dice, mean);
    if (mixture) return mixed(dice, mean);
    if (adapts && dice.chance(0.3)) return heavy(dice, mean);
    return exponential(mean);
  }

  // What happens.
  const events = (n: number, one: (at: number) => void): void => {
    for (let i = 0; i < n; i++) one(Math.round(duration * dice.between(0.15, 0.95)));
  };
  const jumps = family === 'jumps' || (mixture && dice.chance(0.3));
  if (jumps) {
    events(dice.one([1, 2, 3]), at => {
      if (dice.chance(0.5)) faults.push({ use: 'frequency-step', at, by: dice.sign() * dice.scale(1e-8, 5e-6) });
      else faults.push({ use: 'clock-step', at, by: dice.sign() * dice.scale(1e-4, 0.1) });
    });
  }
  if (family === 'route-changes' || (mixture && dice.chance(0.3))) {
    events(dice.one([1, 2]), at => {
      const by = dice.scale(0.05, 1) * roundTrip;
      const share = dice.chance(0.5) ? 0.5 : dice.between(0, 1);
      if (share !== 0.5) symmetric = false;
      faults.push({
        use: 'route-flip',
        at,
        out: by * share,
        back: by * (1 - share),
        ...(dice.chance(0.5) && { for: Math.round(poll * dice.scale(5, 60)) }),
      });
    });
  }

  if (beside === 'congestion') {
    const every = poll * dice.scale(12, 80);
    faults.push({
      use: 'delay-burst',
      at: Math.round(every * dice.between(0.1, 1)),
      for: Math.round(every * dice.between(0.1, 0.5)),
      every: Math.round(every),
      mean: queueing * dice.scale(5, 50),
    });
  }

  // What breaks the rule that a delay bounds an error: without it, a model believes low delays blindly.
  let contaminated: Contamination | '' = '';
  if (dice.chance(options.randomised)) {
    contaminated = options.contaminated ?? dice.one(CONTAMINATIONS);
    if (contaminated === 'low-delay-falseticker') {
      faults.push({
        use: 'server-step',
        servers: ['s0'],
        at: poll * 3,
        for: Math.round(poll * 0.8),
        every: poll * Math.round(dice.scale(2, 6)),
        chance: dice.between(0.1, 0.5),
        by: dice.sign() * queueing * dice.scale(3, 300),
      });
    } else if (contaminated === 'deaf-delays') {
      const noise = { use: 'white-pm', adev: queueing * dice.scale(0.5, 10), step: 1 };
      servers[0] = { ...servers[0]!, clock: { use: 'oscillator', frequencyError: 0, parts: [noise] } } as never;
    } else {
      Object.assign(clock, { latencyJitter: Math.min(queueing * dice.scale(0.1, 3), 0.01) });
      // Two waits on one way, the queue's and the stamp's, are hardly ever both short: a part of that way stays hidden.
      symmetric = false;
    }
  }
  const poller = adapts
    ? { use: 'rfc5905', min: poll, max: longest, burst: dice.one([1, 4, 8]) }
    : { use: 'fixed', interval: poll };
  return {
    family,
    poll,
    duration,
    axis: faults.some(({ use }) => use === 'clock-step') ? 'wall' : 'counter',
    symmetric,
    contaminated,
    scenario: {
      duration,
      world: { clock, servers, faults },
      sources: { ntp: { use: 'ntp', poller } },
    },
  };
}
