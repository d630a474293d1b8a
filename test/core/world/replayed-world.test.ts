import { describe, expect, test } from 'vitest';
import type {
  ClockReading,
  RecordedEvent,
  RecordedTruth,
  Recording,
  SourceEvent,
} from '../../../src/core/contracts/index.js';
import { ReplayedWorld } from '../../../src/core/world/replayed-world.js';

interface Given {
  readonly source?: string;
  readonly group?: string;
  /** On the counter, seconds. */
  readonly sent: number;
  readonly arrived: number;
  /** Wall − counter. */
  readonly wall?: number;
  readonly trueTime?: number;
  readonly open?: Readonly<Record<string, number>>;
}

function event({ source = 'a', group = 'trace', sent, arrived, wall = 0, trueTime, open }: Given): RecordedEvent {
  const reading = (counter: number): ClockReading => ({ wall: counter + wall, counter });
  const server = {
    receive: sent,
    transmit: sent,
    leap: 0,
    stratum: 1,
    precision: 1e-6,
    rootDelay: 0,
    rootDispersion: 0,
  };
  return {
    group,
    event: {
      type: 'exchange',
      exchange: { source, sent: reading(sent), arrived: reading(arrived), ...server, referenceId: 0 },
    },
    ...(trueTime !== undefined && { trueTime }),
    ...(open && { open }),
  };
}

function recordingOf(...given: readonly Given[]): Recording {
  return { epoch: 0, events: given.map(event), notes: [] };
}

function truthOf(points: readonly (readonly [number, number])[]): RecordedTruth {
  const error = Float64Array.from(points, ([, value]) => value);
  return { t: Float64Array.from(points, ([t]) => t), wall: error, counter: error };
}

const world = (recording: Recording, truth?: RecordedTruth) => new ReplayedWorld(recording, truth, '1', 'test');

/** Plays it all, and what the view shows at every event. */
async function played(replayed: ReplayedWorld, group = 'trace') {
  const seen: { t: number; reading: ClockReading; counter: number; open: number; event: SourceEvent }[] = [];
  replayed.playback.listen(group, heard => {
    seen.push({
      t: replayed.truth.time,
      reading: replayed.view.clock.read(),
      counter: replayed.view.scheduler.time,
      open: replayed.playback.outstanding(group),
      event: heard,
    });
  });
  await replayed.truth.run(replayed.end);
  return seen;
}

describe('the clock of a replayed world', () => {
  const given: readonly Given[] = [
    { sent: 10.9, arrived: 11, wall: 3 },
    { sent: 26.9, arrived: 27, wall: 3 },
    { sent: 58.9, arrived: 59, wall: -2 },
  ];

  test('reads at every event what was recorded, on both axes, with and without truth', async () => {
    const readings = given.map(({ arrived, wall = 0 }) => ({ wall: arrived + wall, counter: arrived }));
    const byCounter = await played(world(recordingOf(...given)));
    expect(byCounter.map(({ reading }) => reading)).toEqual(readings);
    expect(byCounter.map(({ counter }) => counter)).toEqual([11, 27, 59]);
    expect(byCounter.map(({ t }) => t)).toEqual([11, 27, 59]);
    const byTruth = await played(world(recordingOf(...given.map((one, i) => ({ ...one, trueTime: [1, 16, 47][i]! })))));
    expect(byTruth.map(({ reading }) => reading)).toEqual(readings);
    expect(byTruth.map(({ t }) => t)).toEqual([1, 16, 47]);
  });

  test('runs between events as the recording has it; timers wait for it and not for true time', async () => {
    // The local clock is 10 % fast.
    const fast = recordingOf(
      { sent: 10.9, arrived: 11, trueTime: 10 },
      { sent: 21.9, arrived: 22, trueTime: 20 },
      { sent: 32.9, arrived: 33, trueTime: 30 },
    );
    const replayed = world(fast);
    const fired: number[] = [];
    replayed.playback.listen('trace', () => {
      replayed.view.scheduler.at(replayed.view.scheduler.time + 5.5, () => fired.push(replayed.truth.time));
    });
    await replayed.truth.run(replayed.end);
    expect(fired.map(t => Math.round(t * 1e5) / 1e5)).toEqual([15, 25]);
  });

  test('that was set back goes on in the order of the recording, and no time stands still for it', async () => {
    const seen = await played(
      world(
        recordingOf(
          { sent: 63.9, arrived: 64 },
          { sent: 127.9, arrived: 128 },
          { sent: -308.1, arrived: -308 },
          { sent: -244.1, arrived: -244 },
        ),
      ),
    );
    expect(seen.map(({ reading }) => reading.counter)).toEqual([64, 128, -308, -244]);
    expect(seen.map(({ t }) => t)).toEqual([64, 128, 128, 192]);
  });

  test('answers that stand in the other order are no step', async () => {
    const seen = await played(
      world(recordingOf({ sent: 1, arrived: 1.2 }, { source: 'b', sent: 1, arrived: 1.1 }, { sent: 2, arrived: 2.2 })),
    );
    expect(seen.map(({ t }) => t)).toEqual([1.2, 1.2, 2.2]);
    expect(seen.map(({ reading }) => reading.counter)).toEqual([1.2, 1.1, 2.2]);
  });

  test('starts in the second in which the first question was sent, wherever that is', () => {
    for (const [sent, start] of [
      [50_000.7, 50_000],
      [0.2, 0],
      [-0.3, -1],
    ] as const) {
      expect(world(recordingOf({ sent, arrived: sent + 0.1 })).start).toBe(start);
    }
  });
});

describe('truth from a file', () => {
  const recording = recordingOf(
    { sent: 100.4, arrived: 100.5, trueTime: 0.5 },
    { sent: 102.4, arrived: 102.5, trueTime: 2.5 },
  );
  const truth = truthOf([
    [0, 100],
    [1, 100],
    [2, 100.5],
    [3, 99.5],
  ]);

  test('is interpolated, forwards and backwards, and ends where it ends', () => {
    const { known } = world(recording, truth);
    for (const [t, error] of [
      [0.5, 100],
      [1.5, 100.25],
      [2, 100.5],
      [2.5, 100],
      [1.5, 100.25],
      [3, 99.5],
      [9, 99.5],
      [-1, 100],
      [0.25, 100],
    ] as const) {
      expect(known!.sampleAt(t).counterError).toBeCloseTo(error, 12);
      expect(known!.sampleAt(t).reading.counter).toBeCloseTo(t + error, 12);
    }
    expect([known!.from, known!.to]).toEqual([0, 3]);
  });

  test('tells when measurements were made that only have local time', () => {
    const steady = truthOf([
      [0, 100],
      [1000, 100.1],
    ]);
    const replayed = world(recordingOf({ sent: 599.9, arrived: 600.05 }), steady);
    expect(replayed.start).toBe(499);
    expect(replayed.end).toBe(1000);
    let t = Number.NaN;
    replayed.playback.listen('trace', () => {
      t = replayed.truth.time;
      expect(replayed.truthOfCurrent!.counter).toBeCloseTo(100.05, 9);
    });
    return replayed.truth.run(1000).then(() => expect(t).toBeCloseTo(500, 6));
  });

  test('that lies beside the recording is refused', () => {
    expect(() => world(recordingOf({ sent: 1, arrived: 2, trueTime: 5000 }), truth)).toThrow(
      'test: expected measurements while the truth is known, 0 to 3 s, found 5000 to 5000 s',
    );
  });

  test('the view is the same wherever the true times are shifted to', async () => {
    const shifted = (by: number) =>
      world(
        recordingOf(
          { sent: 100.4, arrived: 100.5, trueTime: 0.5 + by },
          { sent: 102.4, arrived: 102.5, trueTime: 2.5 + by },
        ),
      );
    const view = async (by: number) =>
      (await played(shifted(by))).map(({ reading, counter, open, event: heard }) => ({
        reading,
        counter,
        open,
        heard,
      }));
    expect(await view(1000)).toEqual(await view(0));
    expect(await view(-0.25)).toEqual(await view(0));
  });
});

describe('rounds', () => {
  const openOf = async (given: readonly Given[], group = 'trace') =>
    (await played(world(recordingOf(...given)), group)).map(({ open }) => open);

  test('are told from which questions were open, where the recording does not say', async () => {
    const open = await openOf([
      { source: 'b', sent: 0.1, arrived: 0.2 },
      { source: 'a', sent: 0, arrived: 0.3 },
      { source: 'c', sent: 0.25, arrived: 0.4 },
      { source: 'a', sent: 64, arrived: 64.1 },
      { source: 'b', sent: 64.1, arrived: 64.2 },
    ]);
    expect(open).toEqual([1, 1, 0, 0, 0]);
  });

  test('never hold a question that was sent before its server had answered the last', async () => {
    // As chronyd's log has it: whole seconds, so that many lines share one.
    const at = (source: string): Given => ({ source, sent: 4.99, arrived: 5 });
    expect(await openOf([at('a'), at('b'), at('a'), at('a'), at('b')])).toEqual([1, 0, 0, 0, 0]);
  });

  test('of each group by itself, or of all together for a source that hears all', async () => {
    const given: readonly Given[] = [
      { source: 'x', group: 'one', sent: 0, arrived: 0.5 },
      { source: 'y', group: 'two', sent: 0.1, arrived: 0.6 },
      { source: 'z', group: 'two', sent: 0.2, arrived: 0.7 },
    ];
    expect(await openOf(given, 'one')).toEqual([0]);
    expect(await openOf(given, 'two')).toEqual([1, 0]);
    expect(await openOf(given, 'everything')).toEqual([2, 1, 0]);
  });

  test('are as recorded where the recording says so', async () => {
    const open = await openOf([
      { source: 'a', sent: 0, arrived: 0.1, open: { trace: 1 } },
      { source: 'b', sent: 10, arrived: 10.1, open: {} },
    ]);
    expect(open).toEqual([1, 0]);
  });
});

test('a recording without events is refused', () => {
  expect(() => world(recordingOf())).toThrow('test: the recording holds no measurement');
});

test('a year of four servers plays in seconds', async () => {
  const count = 500_000;
  const given = Array.from({ length: count }, (_, i) => ({
    source: `s${i % 4}`,
    sent: 64 * Math.floor(i / 4) + 0.01 * (i % 4),
    arrived: 64 * Math.floor(i / 4) + 0.05 + 0.01 * (i % 4),
  }));
  const recording: Recording = { epoch: 0, events: given.map(event), notes: [] };
  const started = performance.now();
  const replayed = world(recording);
  let rounds = 0;
  replayed.playback.listen('trace', () => {
    if (replayed.playback.outstanding('trace') === 0) rounds += 1;
  });
  await replayed.truth.run(replayed.end);
  expect(rounds).toBe(count / 4);
  expect(performance.now() - started).toBeLessThan(20_000);
});
