import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { stringify } from 'yaml';
import { namedPipelines } from '../../../src/cli/pipelines.js';
import { openTrace } from '../../../src/cli/recordings.js';
import { parseScenario } from '../../../src/cli/scenario-files.js';
import type {
  Corrector,
  Estimate,
  Measurement,
  RecordedEvent,
  RecordedTruth,
  Recording,
  RunSummary,
  Sink,
} from '../../../src/core/contracts/index.js';
import { isDeclined } from '../../../src/core/contracts/index.js';
import { runScenario } from '../../../src/core/experiment/run.js';
import '../../../src/plugins/correctors/ensemble.js';
import { historyOf, make, measured } from '../../support/estimation.js';
import { exchangesOf } from '../../support/paths.js';
import { Record } from '../../support/record.js';
import { runText } from '../../support/run-scenario.js';

const CONTINUES = { continues: true, elapsed: 0 };

const corrector = (): Corrector => make('corrector', 'ensemble').plugin;

const measurements: readonly Measurement[] = exchangesOf([{ source: 'wan', there: 0.01, back: 0.01, queue: 1e-3 }]).map(
  ({ at, offset, delay, source }) => {
    const given = measured(at, offset, delay / 2, source);
    return { ...given, delay };
  },
);

describe('the corrector', () => {
  it('saves its state as JSON with a version, and goes on from it alike', () => {
    const one = corrector();
    for (const m of measurements.slice(0, 100)) one.correct(undefined, m, historyOf([]), undefined);
    const other = corrector();
    other.restore!(JSON.parse(JSON.stringify(one.snapshot!())), CONTINUES);
    for (const m of measurements.slice(100)) {
      expect(other.correct(undefined, m, historyOf([]), undefined)).toEqual(
        one.correct(undefined, m, historyOf([]), undefined),
      );
    }
  });

  it('refuses the state of another version', () => {
    expect(() => corrector().restore!({ version: 99, state: {} }, CONTINUES)).toThrow(
      'expected a snapshot of version 3, found 99',
    );
  });

  it('changes nothing that it is given', () => {
    const one = corrector();
    for (const m of measurements.slice(0, 20)) {
      const copy = structuredClone(m);
      const told = one.correct(undefined, Object.freeze(m), historyOf([]), undefined);
      expect(m).toEqual(copy);
      expect(isDeclined(told!)).toBe(false);
    }
  });
});

describe('the maximum error', () => {
  const stepped = (options: object) =>
    runText(
      stringify({
        name: 'stepped',
        duration: '2 h',
        warmup: '20 min',
        world: {
          clock: { use: 'oscillator', frequencyError: '20 ppm' },
          servers: [{ name: 'wan', delay: '10 ms', jitter: { use: 'exponential', mean: '1 ms' } }],
          faults: [{ use: 'clock-step', at: '1 h', by: '200 ms' }],
        },
        sources: { ntp: { use: 'ntp', poller: { use: 'fixed', interval: '64 s' } } },
        pipelines: [{ name: 'default', axis: 'wall', corrector: { use: 'ensemble', ...options } }],
      }),
    );
  const held = ({ pipelines }: RunSummary) => pipelines.find(one => one.name === 'default')!.bounds.maxErrorCoverage!;

  it('does not hold from a step until the next exchange, unless steps of that size are allowed for', async () => {
    expect(held(await stepped({}))).toBeLessThan(1);
    expect(held(await stepped({ unseenStep: '250 ms' }))).toBe(1);
  });

  it('allows for a step of a second in a recording of one clock, and for none on a counter', async () => {
    // A clock that is set forward by 200 ms after 1000 s, and asked about every 64 s.
    const clock = (t: number) => t + (t < 1000 ? 0 : 0.2);
    const both = (t: number) => ({ wall: clock(t), counter: clock(t) });
    const events = Array.from({ length: 40 }, (_, i): RecordedEvent => {
      const t = 64 * i;
      const { exchange } = measured(clock(t), 0, 5e-3);
      const stamps = { sent: both(t - 0.01), arrived: both(t), receive: t - 0.005, transmit: t - 0.005 };
      return { group: 'trace', trueTime: t, event: { type: 'exchange', exchange: { ...exchange, ...stamps } } };
    });
    const grid = Float64Array.from({ length: 2400 }, (_, t) => t);
    const errors = grid.map(t => clock(t) - t);
    const truth = { t: grid, wall: errors, counter: errors };
    const bounds = async (more: Partial<Recording>) => {
      const summary = await replayed({ epoch: 0, events, notes: [], ...more }, truth, 600);
      return summary.pipelines.find(one => one.name === 'default')!.bounds;
    };
    const one = await bounds({ oneClock: true });
    const two = await bounds({});
    expect(two.maxErrorCoverage).toBeLessThan(1);
    expect(one.maxErrorCoverage).toBe(1);
    expect(one.maxErrorMeanWidth! - two.maxErrorMeanWidth!).toBeCloseTo(2, 9);
  });
});

/** A day with an outage, congestion one way, a colder hour and somebody who sets the wall clock. */
const DAY = {
  name: 'a-day',
  duration: '24 h',
  warmup: '20 min',
  world: {
    clock: { use: 'oscillator', timeError: '80 ms', frequencyError: '-31 ppm', wander: 1e-9 },
    servers: [
      { name: 'near', delay: '6 ms', jitter: { use: 'exponential', mean: '600 us' } },
      { name: 'far', delay: '20 ms', jitter: { use: 'exponential', mean: '2 ms' } },
    ],
    faults: [
      { use: 'delay-burst', at: '3 h', for: '2 h', directions: ['out'], mean: '15 ms' },
      { use: 'clock-step', at: '7 h', by: '-400 ms' },
      { use: 'outage', at: '10 h', for: '2 h' },
      { use: 'frequency-step', at: '15 h', by: '1 ppm' },
    ],
  },
  pipelines: [{ name: 'default', corrector: 'ensemble' }],
};

describe('without a majority', () => {
  /** A round of one measurement of each source, all of them observed before the first is taken. */
  function round(one: Corrector, t: number, offsets: { readonly [source: string]: number }, known?: Estimate) {
    const all = Object.entries(offsets).map(([source, offset]) => measured(t, offset, 1e-3, source));
    const history = { ...historyOf(all), estimate: known };
    let told = known;
    const answers = all.map(m => {
      const answer = one.correct(undefined, m, { ...history, estimate: told }, undefined)!;
      if (!isDeclined(answer)) told = answer;
      return answer;
    });
    return { answers, told };
  }

  it('takes nothing, not even the first of a first round, and says why', () => {
    const { answers } = round(corrector(), 0, { a: 1, b: 2, c: 3, d: 0, e: 0 });
    expect(answers).toHaveLength(5);
    for (const answer of answers) expect(answer).toEqual({ declined: 'no majority: 2 of 5 agree' });
  });

  it('takes what there is again when there is a majority', () => {
    const one = corrector();
    const { told } = round(one, 0, { a: 0, b: 0, c: 0 });
    expect(told!.offset).toBeCloseTo(0, 3);
    const lost = round(one, 64, { a: 1, b: 2, c: 0 }, told);
    expect(lost.answers.some(isDeclined)).toBe(true);
    const found = round(one, 128, { a: 0, b: 0, c: 0 }, lost.told);
    expect(isDeclined(found.answers.at(-1)!)).toBe(false);
    expect(found.told!.offset).toBeCloseTo(0, 3);
  });
});

describe('a simulated day', () => {
  it('is told to within 100 µs RMS, with bounds that hold', async () => {
    const { pipelines } = await runText(stringify(DAY));
    const { error, bounds } = pipelines.find(({ name }) => name === 'default')!;
    expect(error?.rms).toBeLessThan(1e-4);
    expect(error?.p99).toBeLessThan(5e-4);
    expect(bounds.coverage).toBeGreaterThan(0.9);
    expect(bounds.maxErrorCoverage).toBe(1);
  });

  it('is told the same on the counter whether or not the wall clock is stepped', async () => {
    const short = { ...DAY, duration: '3 h' };
    const faults = [{ use: 'clock-step', at: '1 h', by: '-400 ms' }];
    const errors = await Promise.all(
      [[], faults].map(async given => {
        const { pipelines } = await runText(stringify({ ...short, world: { ...DAY.world, faults: given } }));
        return pipelines.find(({ name }) => name === 'default')!.error!;
      }),
    );
    expect(errors[1]!.rms / errors[0]!.rms).toBeCloseTo(1, 6);
  });
});

const peer = fileURLToPath(new URL('../../../../shared/peer', import.meta.url));

async function replayed(
  recording: Recording,
  truth: RecordedTruth | undefined,
  warmup: number,
  sinks: readonly Sink[] = [],
): Promise<RunSummary> {
  const pipelines = await namedPipelines(['default']);
  const text = JSON.stringify({ name: 'peer', warmup, world: { kind: 'replayed', trace: 'given' }, pipelines });
  const { scenario } = await parseScenario(text, 'peer');
  return runScenario({ scenario, file: 'peer', recording, sinks, ...(truth && { truth }) });
}

describe.skipIf(!existsSync(peer))('recordings with truth, where ../shared/peer is there', () => {
  // What chronyd makes of the same packets: its own best estimate, RMS in µs (chrony.csv.gz).
  test.each([
    ['wan-exp-s2', 113.0, 0.6],
    ['lan-quiet-s2', 5.0, 0.7],
    ['bad-osc-s1', 494.2, 0.75],
    ['congestion-s1', 115.9, 0.85],
    ['falseticker-s1', 51.8, 0.7],
    ['four-servers-sym-s1', 66.0, 0.5],
    ['wan-asym-s1', 4999.8, 1.02],
  ])('%s: chronyd errs by %d µs, the default pipeline by at most %d of that', async (name, chronyd, most) => {
    const { recording, truth, warmup } = await openTrace({ trace: `${peer}/${name}` });
    const { pipelines } = await replayed(recording as Recording, truth, warmup!);
    const { error, bounds } = pipelines.find(one => one.name === 'default')!;
    expect(error!.rms / (chronyd * 1e-6)).toBeLessThan(most);
    expect(bounds.maxErrorCoverage).toBe(1);
  });

  it('the time that is told does not change when true time is shifted', async () => {
    const { recording, truth, warmup } = await openTrace({ trace: `${peer}/time-step-s1` });
    const told = async (by: number) => {
      const record = new Record();
      const { epoch, notes, events } = recording as Recording;
      const moved = events.map(event => ({ ...event, trueTime: event.trueTime! + by }));
      const shifted = truth && { ...truth, t: truth.t.map(t => t + by) };
      await replayed({ epoch, notes, events: moved }, shifted, warmup!, [record]);
      return record.rounds.map(({ estimate, prior }) => [estimate, prior]);
    };
    const plain = await told(0);
    expect(plain.length).toBeGreaterThan(300);
    expect(await told(50_000)).toEqual(plain);
  });
});
