import { expect, test } from 'vitest';
import {
  type CorrectedTime,
  type Corrector,
  type Estimate,
  type Fault,
  isDeclined,
  isRejection,
  type Measurement,
  type PollState,
  type Predictor,
  timeOn,
} from '../../src/core/contracts/index.js';
import { InputError } from '../../src/core/errors.js';
import { type Golden, misshapen } from '../../src/core/models/card.js';
import { filled } from '../../src/core/models/feeds.js';
import { carry, firstEstimate, propagate } from '../../src/core/pipeline/estimates.js';
import { bareTime, timeWith } from '../../src/core/pipeline/telling.js';
import type { PluginDescriptor, PluginKind } from '../../src/core/plugin/registry.js';
import { randomStream } from '../../src/core/world/random.js';
import { isPromise } from '../../src/core/world/scheduler.js';
import { runText } from '../support/run-scenario.js';
import { expectSound, frozen, isClock, life, make, measurementAt, TestHistory } from './conformance.js';

type Rules = { readonly [K in PluginKind]: (descriptor: PluginDescriptor<K>) => void };

/** Registers the tests of a plugin's kind. */
export function conform<K extends PluginKind>(kind: K, descriptor: PluginDescriptor<K>): void {
  (RULES[kind] as (descriptor: PluginDescriptor<K>) => void)(descriptor);
}

const NOISE = { whiteFm: 1e-18, randomWalkFm: 1e-18 };

const estimateAt = (t: number): Estimate =>
  frozen({ ...firstEstimate(measurementAt(t, -0.01), 'counter', 1e-5, NOISE, 'test'), drift: -12e-6 });

/** What a corrector makes of a life, with the last estimate carried forward as the prior. */
function correctAll(corrector: Corrector, measurements: readonly Measurement[], history = new TestHistory()) {
  return measurements.map(measurement => {
    const prior = history.estimate && frozen(propagate(history.estimate, measurement.at, 'test', NOISE));
    const answer = corrector.correct(prior, measurement, history, prior);
    history.add(measurement);
    if (isDeclined(answer)) {
      expect(answer.declined).not.toBe('');
      history.estimate = prior;
    } else if (answer !== undefined) {
      expectSound(answer);
      expect(answer.at).toEqual(measurement.at);
      expect(answer.by).not.toBe('');
      history.estimate = frozen({ ...answer });
    }
    return answer;
  });
}

const frozenDims = <T extends { readonly dims: readonly number[] }>(tensor: T): T => {
  Object.freeze(tensor.dims);
  return Object.freeze(tensor);
};

async function predictAll(predictor: Predictor) {
  const loading = predictor.load?.();
  if (loading !== undefined && isPromise(loading)) await loading;
  const history = new TestHistory();
  const answers: unknown[] = [];
  for (const measurement of life()) {
    for (const at of [measurement.at, { wall: measurement.at.wall + 30, counter: measurement.at.counter + 30 }]) {
      const answer = await predictor.predict(history, frozen({ ...at }));
      if (answer !== undefined) {
        expectSound(answer);
        expect(answer.axis).toBe(history.axis);
      }
      answers.push(answer);
    }
    history.add(measurement);
    const last = history.estimate;
    history.estimate = frozen(
      last === undefined
        ? firstEstimate(measurement, 'counter', 1e-5, NOISE, 'test')
        : { ...carry(last, measurement.at), offset: measurement.offset, p00: 1e-8, p01: 0, p11: 1e-12 },
    );
  }
  return answers;
}

/** Real time, with a server that never answers. */
const REAL = `
name: conformance
duration: 300 ms
world: { kind: real }
sources: { ntp: { use: ntp, servers: ['127.0.0.1:1'] } }
pipelines: [{ name: kalman }]
`;

const WORLD = `
name: conformance
duration: 800 s
world:
  servers:
    - { name: a, jitter: exponential SERVER }
    - { name: b, jitter: exponential }
    - { name: c, jitter: exponential }
FAULTS
sources: { ntp: { use: ntp, poller: { use: fixed, interval: 16 s } } }
pipelines: [{ name: p, filters: [delay-excess], combiner: median }]
`;

const scenario = (server: string, faults: string): string => WORLD.replace('SERVER', server).replace('FAULTS', faults);

/** Runs a scenario and keeps what was measured, in rows with the run's time. */
async function rowsOf(text: string): Promise<{ rows: readonly (readonly [number, string])[]; events: string[] }> {
  const rows: [number, string][] = [];
  const events: string[] = [];
  const summary = await runText(text, {
    sinks: [
      {
        exchange: ({ t, event, group }) => void rows.push([t, JSON.stringify([group, event])]),
        event: ({ what }) => void events.push(what),
      },
    ],
  });
  expect(summary.interrupted).toBe(false);
  for (const { error } of summary.pipelines) if (error !== null) expect(Number.isFinite(error.rms)).toBe(true);
  return { rows, events };
}

const drawOf =
  (kind: 'phase' | 'frequency', part: { phase(t: number): number; frequency(t: number): number }) => (t: number) =>
    part[kind](t);

/** Phase and frequency are functions of the realisation and of t, whoever asks in between. */
function sameWhoeverAsks(made: () => { phase(t: number): number; frequency(t: number): number }): void {
  const sparse = made();
  const dense = made();
  for (let t = 0; t <= 300; t++) {
    if (t % 7 !== 0) for (const part of [0.13, 0.5, 0.77]) dense.phase(t - 1 + part < 0 ? 0 : t - 1 + part);
    if (t % 50 !== 0) continue;
    for (const kind of ['phase', 'frequency'] as const) {
      const value = drawOf(kind, dense)(t + 0.25);
      expect(Number.isFinite(value)).toBe(true);
      expect(drawOf(kind, sparse)(t + 0.25)).toBe(value);
    }
  }
}

const RULES: Rules = {
  corrector: descriptor => {
    test('stays sound through a jump, a silence, duplicates and a crawling path, and leaves its inputs alone', () => {
      correctAll(make(descriptor), life());
    });
    test('does the same twice', () => {
      expect(correctAll(make(descriptor), life())).toEqual(correctAll(make(descriptor), life()));
    });
    test('goes on from a snapshot as if nothing had happened, and refuses one of another version', () => {
      const whole = make(descriptor);
      if (whole.snapshot === undefined) {
        expect(whole.restore).toBeUndefined();
        return;
      }
      const measurements = life();
      const history = new TestHistory();
      correctAll(whole, measurements.slice(0, 30), history);
      const saved = JSON.parse(JSON.stringify(whole.snapshot()));
      const resumed = make(descriptor);
      resumed.restore!(saved, { continues: true, elapsed: 0 });
      const twin = new TestHistory();
      for (let i = 0; i < 30; i++) twin.add(measurements[i]!);
      twin.estimate = history.estimate;
      expect(correctAll(resumed, measurements.slice(30), twin)).toEqual(
        correctAll(whole, measurements.slice(30), history),
      );
      expect(() => make(descriptor).restore!({ ...saved, version: -1 }, { continues: true, elapsed: 0 })).toThrow(
        /version/,
      );
    });
  },
  model: descriptor => {
    test('answers its golden question with what its card declares, the same twice, also side by side', async () => {
      const open = await make(descriptor).open();
      const golden = (open.card.golden as Golden).inputs;
      const inputs = Object.fromEntries(
        open.card.inputs.map(({ name, dtype }) => {
          const { dims, data } = golden[name]!;
          return [name, frozenDims({ dims, data: filled(dtype, data.length, i => data[i] ?? Number.NaN) })];
        }),
      );
      const answers = await Promise.all([open.run(inputs), open.run(inputs), open.run(inputs)]);
      expect(open.counts).toEqual({ asked: 3, late: 0, dropped: 0 });
      for (const answer of answers) expect(answer).toEqual(answers[0]);
      for (const output of open.card.outputs) expect(misshapen(output, answers[0]![output.name]!.dims)).toBeUndefined();
    });
  },
  predictor: descriptor => {
    test('answers soundly, or not at all, through a jump, a silence and duplicates', async () => {
      await predictAll(make(descriptor));
    });
    test('does the same twice', async () => {
      expect(await predictAll(make(descriptor))).toEqual(await predictAll(make(descriptor)));
    });
    test('knows nothing before there is anything to know', async () => {
      expect(await make(descriptor).predict(new TestHistory(), { wall: 1, counter: 1 })).toBeUndefined();
    });
  },
  filter: descriptor => {
    const filterAll = () => {
      const filter = make(descriptor);
      const history = new TestHistory();
      return life().map(measurement => {
        const answer = filter.filter(measurement, history);
        if (isRejection(answer)) expect(answer.rejected).not.toBe('');
        else {
          expect(answer.source).toBe(measurement.source);
          expect(Number.isFinite(answer.offset + answer.delay + answer.rootDistance)).toBe(true);
          expect(answer.uncertainty).toBeGreaterThan(0);
          history.add(answer);
        }
        return answer;
      });
    };
    test('passes a measurement on or says why not, and does the same twice', () => {
      expect(filterAll()).toEqual(filterAll());
    });
    test('lets something through', () => {
      expect(filterAll().some(answer => !isRejection(answer))).toBe(true);
    });
  },
  combiner: descriptor => {
    const round = (sources: number, at: number): readonly Measurement[] =>
      frozen(
        Array.from({ length: sources }, (_, i) =>
          measurementAt(at + i * 1e-3, -0.01 + (i === 3 ? 0.3 : i * 1e-4), 0.02 + i * 1e-3, `s${i}`),
        ),
      );
    test('gives one verdict on each source of a round, and hands on what is sound', () => {
      const combiner = make(descriptor);
      for (const size of [1, 2, 3, 5]) {
        const given = round(size, 100 * size);
        const others = frozen(round(5, 100 * size - 30).slice(size));
        const { measurements, verdicts } = combiner.combine(given, others);
        expect(verdicts.map(({ source }) => source).sort()).toEqual(given.map(({ source }) => source).sort());
        for (const { reason } of verdicts) expect(reason).not.toBe('');
        for (const { offset, uncertainty, source } of measurements) {
          expect(Number.isFinite(offset)).toBe(true);
          expect(uncertainty).toBeGreaterThan(0);
          // Others are compared with, never handed on.
          for (const other of others) expect(source.split('+')).not.toContain(other.source);
        }
      }
    });
  },
  poller: descriptor => {
    test('waits a positive time, never under the floor', () => {
      const poller = make(descriptor);
      let interval: number | undefined;
      for (let sent = 0; sent < 60; sent++) {
        const floor = sent > 40 ? 128 : 0;
        const missed = sent % 10 === 9 ? 3 : 0;
        const last = sent === 0 ? undefined : { offset: 1e-3, delay: 0.02, at: sent * 64 };
        const state = frozen({ sent, missed, reach: missed ? 0b1000 : 0xff, interval, floor, last }) as PollState;
        interval = poller.next(state);
        expect(interval).toBeGreaterThan(0);
        expect(Number.isFinite(interval)).toBe(true);
        expect(interval).toBeGreaterThanOrEqual(floor);
      }
    });
  },
  delay: descriptor => {
    const draws = () => {
      const law = make(descriptor);
      const random = randomStream('1', 'packets');
      return Array.from({ length: 500 }, (_, i) => law.draw(random, i * 3.7));
    };
    test('never makes a packet faster than its path, and draws the same twice', () => {
      const drawn = draws();
      for (const delay of drawn) {
        expect(Number.isFinite(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(0);
      }
      expect(draws()).toEqual(drawn);
    });
  },
  loss: descriptor => {
    test('loses some and not all, the same twice', () => {
      const lost = () => {
        const law = make(descriptor);
        const random = randomStream('1', 'packets');
        return Array.from({ length: 2000 }, (_, i) => law.lost(random, i * 7.3, i + 1));
      };
      expect(new Set(lost())).toEqual(new Set([true, false]));
      expect(lost()).toEqual(lost());
    });
  },
  noise: descriptor => {
    test('is the same whoever asks', () => sameWhoeverAsks(() => make(descriptor)));
  },
  clock: descriptor => {
    test('is read soundly', () => {
      const clock = make(descriptor);
      if (clock.world === 'simulated') {
        sameWhoeverAsks(() => {
          const model = make(descriptor);
          if (model.world !== 'simulated') throw new Error('changed its world');
          return model;
        });
        expect(clock.granularity).toBeGreaterThanOrEqual(0);
        return;
      }
      if (!isClock(clock)) throw new Error('cannot be read');
      let before = clock.read();
      expect(before.counter).toBeCloseTo(before.wall, 2);
      for (let i = 0; i < 1000; i++) {
        const now = clock.read();
        expect(now.counter).toBeGreaterThanOrEqual(before.counter);
        before = now;
      }
      expect(clock.epoch % 1_000_000_000n).toBe(0n);
      expect(clock.description).not.toBe('');
    });
  },
  timekeeper: descriptor => {
    test('tells the bare clock with unknown bounds while there is no estimate', () => {
      const told = make(descriptor).tell(undefined, { wall: 7, counter: 5 }, 0.95);
      expect(told).toEqual(bareTime({ wall: 7, counter: 5 }, 0.95));
    });
    test('is pure, finite, and its bounds never shrink with age', () => {
      const keeper = make(descriptor);
      const estimate = estimateAt(1000);
      keeper.adopt?.(estimate, undefined, { wall: 1000, counter: 1000 }, 0.95);
      let before: CorrectedTime | undefined;
      for (const age of [0, 1, 60, 3600, 86_400, 30 * 86_400]) {
        const reading = frozen({ wall: 1000 + age, counter: 1000 + age });
        const told = keeper.tell(estimate, reading, 0.95);
        expect(keeper.tell(estimate, reading, 0.95)).toEqual(told);
        expect(Number.isFinite(told.time + told.offset)).toBe(true);
        expect(told.time).toBeCloseTo(timeOn(told.axis, reading) + told.offset, 6);
        // One that remembers what it told may be catching up with the estimate: then it gets nearer with age.
        if (keeper.adopt === undefined) {
          expect(told.uncertainty!).toBeGreaterThanOrEqual(before?.uncertainty ?? 0);
          expect(told.maxError!).toBeGreaterThanOrEqual(before?.maxError ?? 0);
        }
        expect(told.level).toBe(0.95);
        before = told;
      }
    });
  },
  supervisor: descriptor => {
    test('leaves a sound estimate sound, through a life', () => {
      const supervisor = make(descriptor);
      const history = new TestHistory();
      for (const measurement of life()) {
        const last = history.estimate;
        const told = last && timeWith(last, measurement.at, 'counter', last.offset, 0.95);
        const forecast = last && told && { estimate: last, told, error: last.offset - measurement.offset };
        supervisor.observe?.(measurement, forecast && frozen(forecast), history);
        history.add(measurement);
        history.estimate = frozen({
          ...estimateAt(measurement.at.counter),
          at: measurement.at,
          offset: measurement.offset,
        });
        expectSound(supervisor.supervise(history.estimate, history));
      }
    });
  },
  'dataset-corrector': descriptor => {
    test('keeps the points in order, adds none, leaves its input alone, and does the same twice', () => {
      const reading = (t: number) => ({ wall: t, counter: t });
      const points = frozen(
        Array.from({ length: 40 }, (_, i) => ({
          issued: reading(1000 + 5 * i),
          target: reading(1000 + 5 * i),
          offset: -0.01 + i * 1e-5,
          drift: -1e-5,
        })),
      );
      const earlier = frozen([measurementAt(900, -0.009), measurementAt(1000, -0.01)]);
      const occasion = frozen({
        axis: 'counter' as const,
        measurement: measurementAt(1200, -0.015),
        predicted: -0.0096,
        earlier,
      });
      const revised = make(descriptor).revise(points, occasion);
      expect(revised.length).toBeLessThanOrEqual(points.length);
      const targets = revised.map(({ target }) => target.counter);
      expect(targets).toEqual([...targets].sort((a, b) => a - b));
      for (const { offset, drift, target } of revised) {
        expect(Number.isFinite(offset + drift)).toBe(true);
        expect(points.some(point => point.target.counter === target.counter)).toBe(true);
      }
      expect(make(descriptor).revise(points, occasion)).toEqual(revised);
    });
  },
  discipline: descriptor => {
    test('steers by finite amounts towards what is told, the same twice', () => {
      const steer = () => {
        const moves: [string, ...number[]][] = [];
        const clock = {
          step: (by: number) => void moves.push(['step', by]),
          slew: (by: number, rate: number) => void moves.push(['slew', by, rate]),
          setFrequency: (rate: number) => void moves.push(['frequency', rate]),
        };
        const discipline = make(descriptor);
        for (const [offset, cause] of [
          [5, 'first'],
          [1e-3, 'update'],
          [-2e-4, 'update'],
          [0.3, 'update'],
          [1, 'leap'],
        ] as const) {
          discipline.steer(frozen({ offset, drift: 12e-6, cause }), clock);
          const [kind, by] = moves.findLast(([one]) => one !== 'frequency') ?? ['none', 0];
          if (kind !== 'none') expect(Math.sign(by ?? 0)).toBe(Math.sign(offset));
        }
        return moves;
      };
      const moves = steer();
      expect(moves.length).toBeGreaterThan(0);
      for (const [, ...amounts] of moves) for (const amount of amounts) expect(Number.isFinite(amount)).toBe(true);
      expect(steer()).toEqual(moves);
    });
  },
  fault: descriptor => {
    // A predictor that answers NaN ends its run, with a message that names it: the pipeline has a test of its own.
    if (descriptor.name === 'predictor-nan') {
      test('ends the run with one clear error', async () => {
        const text = scenario('', '  faults: [{ use: predictor-nan, at: 300 s, for: 60 s }]');
        await expect(rowsOf(text)).rejects.toThrow(/^pipeline 'p': 'kalman' gave an estimate that is not finite/);
      });
      return;
    }
    const options = JSON.stringify(descriptor.example ?? {}).slice(1, -1);
    const struck = scenario(
      '',
      `  faults: [{ use: ${descriptor.name}, at: 300 s, for: 60 s${options && `, ${options}`} }]`,
    );
    test('strikes when its time has come, changes nothing before, and ends', async () => {
      const calm = await rowsOf(scenario('', ''));
      const { rows, events } = await rowsOf(struck);
      const before = (all: typeof rows) => all.filter(([t]) => t < 300).map(([, row]) => row);
      expect(before(rows).length).toBeGreaterThan(30);
      expect(before(rows)).toEqual(before(calm.rows));
      expect(events).toContain('begins');
    });
    test('does the same twice', async () => {
      expect(await rowsOf(struck)).toEqual(await rowsOf(struck));
    });
    test('returns how to end it, or nothing', () => {
      expect(typeof (make(descriptor) as Fault).inject).toBe('function');
    });
  },
  server: descriptor => {
    const text = scenario(`, behaviour: ${descriptor.name}`, '');
    test('answers the same twice, and leaves the other servers as they were', async () => {
      const served = await rowsOf(text);
      expect(await rowsOf(text)).toEqual(served);
      const others = (all: typeof served) =>
        all.rows.map(([, row]) => row).filter(row => /"source":"[bc]"/.test(row) && row.includes('"exchange"'));
      expect(others(served).length).toBeGreaterThan(60);
      expect(others(served)).toEqual(others(await rowsOf(scenario('', ''))));
    });
  },
  source: descriptor => {
    test('does nothing before it is started, and names its servers', () => {
      const source = make(descriptor);
      let events = 0;
      source.events.subscribe(() => {
        events += 1;
      });
      expect([events, source.outstanding]).toEqual([0, 0]);
      expect(source.servers.length).toBeGreaterThan(0);
      source.stop();
    });
  },
  format: descriptor => {
    test('recognises neither nothing nor noise', () => {
      const format = make(descriptor);
      for (const head of [[], [''], ['\u0000\u0001\u0002'], ['hello, world'], ['a,b,c', '1,2,3']]) {
        expect(format.recognises(head)).toBe(false);
      }
    });
    test('refuses noise with the file and what is wrong, never with a crash', () => {
      for (const lines of [[], ['hello, world'], ['a,b,c', '1,2,NaN']]) {
        let told = '';
        try {
          make(descriptor).read(lines, 'noise.csv');
        } catch (error) {
          expect((error as Error).name).toBe('InputError');
          told = (error as Error).message;
        }
        if (lines.length > 0) expect(told).toContain('noise.csv');
      }
    });
  },
  network: descriptor => {
    test('opens and closes sockets of its own', () => {
      const clock = { read: () => ({ wall: 0, counter: 0 }) };
      const network = make(descriptor).connect(clock);
      const [one, two] = [network.open('one'), network.open('two')];
      expect(one).not.toBe(two);
      one.close();
      two.close();
      two.close();
    });
  },
  sink: descriptor => {
    test('takes a run from its start to its end, also one that was interrupted at once', async () => {
      const { seen, write } = swallow();
      try {
        const run = (more: { signal?: AbortSignal } = {}) => {
          const inWorld = (text: string) => runText(text, { sinks: [make(descriptor)], ...more });
          // What serves the time to others refuses all but real time.
          return inWorld(scenario('', '')).catch(error => {
            expect(error).toBeInstanceOf(InputError);
            expect((error as InputError).message).toContain('expected a real world, found a simulated one');
            return inWorld(REAL);
          });
        };
        const summary = await run();
        expect(summary.interrupted).toBe(false);
        const short = await run({ signal: AbortSignal.abort() });
        expect(short.interrupted).toBe(true);
      } finally {
        process.stdout.write = write;
      }
      expect(seen.join('')).not.toMatch(/NaN|undefined|\[object/);
    });
  },
};

/** Keeps what is written to standard output. */
function swallow() {
  const { write } = process.stdout;
  const seen: string[] = [];
  process.stdout.write = ((chunk: string | Uint8Array) => {
    seen.push(String(chunk));
    return true;
  }) as typeof process.stdout.write;
  return { seen, write };
}
