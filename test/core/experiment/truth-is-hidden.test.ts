import { inject } from 'inversify';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import {
  type ClockReading,
  type Combination,
  type Combiner,
  type CorrectedTime,
  type Corrector,
  type Estimate,
  type ExchangeRecord,
  type Filter,
  type History,
  type Measurement,
  type Poller,
  type PollState,
  type Predictor,
  type Sample,
  type Sink,
  type Timekeeper,
  World,
} from '../../../src/core/contracts/index.js';
import { propagate } from '../../../src/core/pipeline/estimates.js';
import { bareTime } from '../../../src/core/pipeline/telling.js';
import { PluginOptions, plugin } from '../../../src/core/plugin/registry.js';
import { OutputFolder, PartName, PluginFactory, ServerNames, Streams } from '../../../src/core/plugin/tokens.js';
import { randomStream } from '../../../src/core/world/random.js';
import { reachable } from '../../support/reachable.js';
import { runText } from '../../support/run-scenario.js';

/** All that any spy was ever given, and all that it was told when it asked. */
const kept = new Set<unknown>();
let asked = 0;
let otherReadings = 0;

const Options = z.strictObject({});
const summary = 'Keeps all that it is given';

/** Injects whatever there is to inject, keeps it, and asks the world whenever it is called. */
class Spy {
  constructor(
    @inject(World) readonly world: World,
    @inject(PluginOptions) options: unknown,
    @inject(Streams) streams: Streams,
    @inject(PluginFactory) factory: PluginFactory,
    @inject(ServerNames) servers: unknown,
    @inject(PartName) part: unknown,
    @inject(OutputFolder) folder: unknown,
  ) {
    for (const given of [this, world, options, streams, factory, servers, part, folder]) kept.add(given);
    const stream = streams('own');
    kept.add(stream);
    this.keep(stream.uniform());
  }

  keep(...given: readonly unknown[]): void {
    for (const one of given) kept.add(one);
    const { clock, scheduler, network, epoch } = this.world;
    kept.add(clock.read());
    kept.add(scheduler.time);
    kept.add(scheduler.now() / 1000);
    kept.add(epoch);
    if (asked++ % 50 !== 0) return;
    kept.add(scheduler.at(scheduler.time + 30, () => kept.add(scheduler.time)));
    kept.add(scheduler.schedule(() => kept.add(scheduler.now() / 1000), 12_345));
    // A socket of one's own, and what comes back on it.
    const socket = network.open(`spy-${asked}`);
    kept.add(socket);
    const endpoints = network.resolve('near', 123);
    kept.add(endpoints);
    kept.add(socket.received.subscribe(datagram => kept.add(datagram)));
    const request = new Uint8Array(48);
    request[0] = 0x23;
    if (!(endpoints instanceof Promise)) kept.add(socket.send(request, endpoints[0]!));
  }
}

@plugin({ kind: 'filter', name: 'spy', summary, options: Options })
class SpyFilter extends Spy implements Filter {
  filter(measurement: Measurement, history: History): Measurement {
    this.keep(measurement, history);
    return measurement;
  }
}

@plugin({ kind: 'combiner', name: 'spy', summary, options: Options })
class SpyCombiner extends Spy implements Combiner {
  combine(round: readonly Measurement[]): Combination {
    this.keep(round);
    return { measurements: round, verdicts: round.map(({ source }) => ({ source, used: true, reason: 'kept' })) };
  }
}

@plugin({ kind: 'predictor', name: 'spy', summary, options: Options })
class SpyPredictor extends Spy implements Predictor {
  predict(history: History, at: ClockReading): Estimate | undefined | Promise<Estimate | undefined> {
    this.keep(history, at);
    const answer = history.estimate && propagate(history.estimate, at, 'spy');
    return asked % 3 === 0 ? Promise.resolve(answer) : answer;
  }
}

@plugin({ kind: 'corrector', name: 'spy', summary, options: Options })
class SpyCorrector extends Spy implements Corrector {
  correct(prior: Estimate | undefined, measurement: Measurement, history: History): Estimate {
    this.keep(prior, measurement, history);
    const { at, offset, rootDistance } = measurement;
    const noise = { whiteFm: 0, randomWalkFm: 0, maxErrorRate: 1e-5, maxError: rootDistance };
    return { at, axis: 'counter', offset, drift: 0, p00: 1e-6, p01: 0, p11: 1e-10, ...noise, by: 'spy' };
  }
}

@plugin({ kind: 'timekeeper', name: 'spy', summary, options: Options })
class SpyTimekeeper extends Spy implements Timekeeper {
  tell(estimate: Estimate | undefined, reading: ClockReading, level: number): CorrectedTime {
    this.keep(estimate, reading, level);
    const now = this.world.clock.read();
    if (now.counter !== reading.counter || now.wall !== reading.wall) otherReadings += 1;
    if (Math.abs(this.world.scheduler.time - reading.counter) > 2e-9) otherReadings += 1;
    return bareTime(reading, level);
  }
}

@plugin({ kind: 'poller', name: 'spy', summary, options: Options })
class SpyPoller extends Spy implements Poller {
  next(state: PollState): number {
    this.keep(state);
    return Math.max(state.floor, 13.7);
  }
}

/** Stands outside, as sinks do, and is told the truth: every instant that was true, and every error of the clock. */
class Witness implements Sink {
  readonly interval = 3.7719;
  readonly truths: number[] = [];

  exchange({ t, truth }: ExchangeRecord): void {
    this.truths.push(t, truth!.wall, truth!.counter);
  }

  sample({ t, error, bareError, reading }: Sample): void {
    this.truths.push(t, error!, bareError!, reading.counter - t);
  }
}

const scenario = (axis: string): string =>
  stringify({
    name: 'spied-on',
    duration: '20 min',
    world: {
      clock: { use: 'oscillator', timeError: '371.3 ms', frequencyError: '1.3e-3', whiteFm: 1e-7, wander: 1e-6 },
      servers: [
        { name: 'near', delay: '8 ms', jitter: { use: 'exponential', mean: '3 ms' } },
        { name: 'far', delay: '40 ms', jitter: { use: 'exponential', mean: '3 ms' } },
      ],
      faults: [
        { use: 'clock-step', at: '401.77 s', by: '-217.7 ms' },
        { use: 'frequency-step', at: '702.31 s', by: 7.7e-4 },
      ],
    },
    sources: { ntp: { use: 'ntp', poller: 'spy' } },
    pipelines: [
      {
        name: 'spies',
        axis,
        filters: ['spy'],
        combiner: 'spy',
        predictor: 'spy',
        corrector: 'spy',
        timekeeper: 'spy',
      },
    ],
    sampling: { interval: '0.7317 s', jitter: '0.2 s' },
  });

/** Numbers so near to a truth that they cannot be there by chance. */
function leaks(numbers: Iterable<number>, truths: readonly number[]): readonly number[] {
  const sorted = [...new Set(truths)].filter(truth => Math.abs(truth) > 1e-6).sort((a, b) => a - b);
  const near = (number: number): boolean => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle]! < number) low = middle + 1;
      else high = middle;
    }
    return [sorted[low - 1], sorted[low]].some(truth => truth !== undefined && Math.abs(truth - number) < 2e-9);
  };
  // An error may be met with either sign, and a time in milliseconds or as Unix time.
  return [...numbers].filter(number => [number, -number, number / 1000].some(near));
}

describe('a pipeline of spies that keep all they are given', () => {
  test.each(['counter', 'wall'])('finds neither true time nor the clock’s error, on the %s axis', async axis => {
    kept.clear();
    asked = 0;
    const witness = new Witness();
    const result = await runText(scenario(axis), { sinks: [witness] });
    expect(result.interrupted).toBe(false);
    // A timekeeper should not, but may, ask the clock: it is told what it was given.
    expect(otherReadings).toBe(0);
    expect(asked).toBeGreaterThan(1500);
    expect(witness.truths.length).toBeGreaterThan(1500);
    const { numbers, objects } = reachable(kept);
    expect(numbers.size).toBeGreaterThan(5000);
    expect(objects.size).toBeGreaterThan(1000);
    expect(leaks(numbers, witness.truths)).toEqual([]);
    // The search itself finds a truth where there is one.
    expect(leaks([...numbers, witness.truths[5]!], witness.truths).length).toBe(1);
  });

  test('cannot ask for the streams that the clock, the network or a fault draw from', () => {
    const world = [...kept].find((one): one is World => typeof one === 'object' && one !== null && 'network' in one)!;
    for (const path of ['clock/noise', 'network/near/ntp/near/out', 'network/near/ntp/near/back', 'sampling']) {
      const hidden = randomStream('1', path);
      const given = world.random(path);
      expect([given.uniform(), given.uniform()]).not.toEqual([hidden.uniform(), hidden.uniform()]);
    }
  });

  test('holds a view of the world that it cannot change', () => {
    const world = [...kept].find((one): one is World => typeof one === 'object' && one !== null && 'network' in one)!;
    for (const part of [world, world.clock, world.network]) expect(Object.isFrozen(part)).toBe(true);
  });
});

describe('the classes above', () => {
  test('are all plugins', () => {
    for (const type of [SpyFilter, SpyCombiner, SpyPredictor, SpyCorrector, SpyTimekeeper, SpyPoller]) {
      expect([...kept].some(one => one instanceof type)).toBe(true);
    }
  });
});
