import type { ClockReading, Network, RecordedEvent, RecordedTruth, Recording, World } from '../contracts/index.js';
import { InputError } from '../errors.js';
import type { Playback } from '../plugin/tokens.js';
import { type CounterOfTruth, LocalScheduler } from './local-scheduler.js';
import { randomStream } from './random.js';
import type { KnownClock, TrueReading } from './simulated-clock.js';
import { VirtualScheduler } from './virtual-scheduler.js';

/** When an event became known on the local clock: its arrival, or when it was given up. */
export function settledAt({ event }: RecordedEvent): ClockReading {
  return event.type === 'exchange' ? event.exchange.arrived : event.failure.settled;
}

function sentAt({ event }: RecordedEvent): ClockReading {
  return event.type === 'exchange' ? event.exchange.sent : event.failure.sent;
}

/**
 * A world played back from a recording. Where the local clock's truth is known its scheduler counts true time and the
 * clock can be read at any instant; otherwise it counts the local counter and knows the readings of the events only.
 */
export class ReplayedWorld implements Playback {
  readonly truth: VirtualScheduler;
  readonly view: World;
  readonly known: RecordedClock | undefined;
  readonly servers: readonly string[];
  /** When the recording ends, in the scheduler's time. */
  readonly end: number;

  private readonly clock: RecordedClock | LastReadingClock;
  private readonly listeners: {
    group: string | undefined;
    next: (event: RecordedEvent, outstanding: number) => void;
  }[] = [];

  constructor(
    private readonly recording: Recording,
    truth: RecordedTruth | undefined,
    seed: string,
  ) {
    const { events } = recording;
    if (events.length === 0) throw new InputError(recording.format, 'the recording holds no measurement');
    const byTruth = truth !== undefined && events.every(event => event.trueTime !== undefined);
    this.known = byTruth ? new RecordedClock(truth) : undefined;
    const times = byTruth ? events.map(event => event.trueTime!) : events.map(event => settledAt(event).counter);
    const start = Math.min(byTruth ? truth.t[0]! : times[0]!, times[0]!, 0);
    this.truth = new VirtualScheduler(start);
    this.clock = this.known ?? new LastReadingClock(settledAt(events[0]!), this.truth);
    this.end = Math.max(byTruth ? truth.t[truth.t.length - 1]! : start, ...lastOf(times));
    this.servers = [...new Set(events.map(({ event }) => sourceOf(event)))];
    const { clock } = this;
    const counter: CounterOfTruth = clock;
    this.view = Object.freeze({
      kind: 'replayed' as const,
      clock: Object.freeze({ read: () => clock.readAt(this.truth.time) }),
      network: noNetwork,
      scheduler: new LocalScheduler(this.truth, counter),
      random: (path: string) => randomStream(seed, path),
      epoch: recording.epoch,
    });
    const outstanding = openQuestions(events);
    // A clock that was stepped back gives times out of order: the order of the file holds.
    let due = start;
    const play = (index: number): void => {
      const event = events[index];
      if (event === undefined) return;
      due = Math.max(due, times[index]!);
      this.truth.at(due, () => {
        if (this.clock instanceof LastReadingClock) this.clock.reading = settledAt(event);
        for (const { group, next } of this.listeners) {
          if (group === undefined || group === event.group) next(event, outstanding[index]!);
        }
        play(index + 1);
      });
    };
    play(0);
  }

  listen(group: string | undefined, next: (event: RecordedEvent, outstanding: number) => void): void {
    const known = new Set(this.recording.events.map(event => event.group));
    this.listeners.push({ group: group !== undefined && known.has(group) ? group : undefined, next });
  }
}

function lastOf(times: readonly number[]): number[] {
  return times.length === 0 ? [] : [times.reduce((a, b) => Math.max(a, b))];
}

function sourceOf(event: RecordedEvent['event']): string {
  return event.type === 'exchange' ? event.exchange.source : event.failure.source;
}

/** After each event: how many questions of its group were asked before it and answered after it. */
function openQuestions(events: readonly RecordedEvent[]): number[] {
  const open = new Array<number>(events.length).fill(0);
  events.forEach((event, index) => {
    if (event.outstanding !== undefined) {
      open[index] = event.outstanding;
      return;
    }
    const now = settledAt(event).counter;
    // Questions are answered within seconds: those that follow at once decide.
    for (let i = index + 1; i < Math.min(events.length, index + 64); i++) {
      const later = events[i]!;
      if (later.group === event.group && sentAt(later).counter < now) open[index]! += 1;
    }
  });
  return open;
}

const noNetwork: Network = {
  resolve: () => {
    throw new InputError('a replayed world', 'has no network: use the source `replay`');
  },
  open: () => {
    throw new InputError('a replayed world', 'has no network: use the source `replay`');
  },
};

/** The recorded clock, between the points at which its error is known. */
export class RecordedClock implements KnownClock, CounterOfTruth {
  private position = 0;

  constructor(private readonly truth: RecordedTruth) {}

  sampleAt(t: number): TrueReading {
    const counterError = this.interpolate(this.truth.counter, t);
    const wallError = this.interpolate(this.truth.wall, t);
    return { reading: { wall: t + wallError, counter: t + counterError }, counterError, wallError };
  }

  readAt(t: number): ClockReading {
    return this.sampleAt(t).reading;
  }

  counterAt(t: number): number {
    return t + this.interpolate(this.truth.counter, t);
  }

  frequencyAt(_t: number): number {
    const { t, counter } = this.truth;
    const i = Math.min(this.position, t.length - 2);
    return i < 0 ? 0 : (counter[i + 1]! - counter[i]!) / (t[i + 1]! - t[i]!);
  }

  private interpolate(values: Float64Array, at: number): number {
    const { t } = this.truth;
    const last = t.length - 1;
    if (at <= t[0]!) return values[0]!;
    if (at >= t[last]!) return values[last]!;
    let i = Math.min(this.position, last - 1);
    if (t[i]! > at) i = 0;
    while (t[i + 1]! <= at) i++;
    this.position = i;
    return values[i]! + ((values[i + 1]! - values[i]!) * (at - t[i]!)) / (t[i + 1]! - t[i]!);
  }
}

/** Where only the events' own readings are known: the scheduler counts the counter, and the wall keeps its distance. */
class LastReadingClock implements CounterOfTruth {
  constructor(
    public reading: ClockReading,
    private readonly truth: VirtualScheduler,
  ) {}

  readAt(_t: number): ClockReading {
    const counter = this.truth.time;
    return { counter, wall: counter + (this.reading.wall - this.reading.counter) };
  }

  counterAt(t: number): number {
    return t;
  }

  frequencyAt(_t: number): number {
    return 0;
  }
}
