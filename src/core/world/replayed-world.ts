import type { ClockReading, Network, RecordedEvent, RecordedTruth, Recording, World } from '../contracts/index.js';
import { InputError } from '../errors.js';
import type { Playback } from '../plugin/tokens.js';
import { type CounterOfTruth, LocalScheduler } from './local-scheduler.js';
import { randomStream } from './random.js';
import type { KnownClock, TrueReading } from './simulated-clock.js';
import { VirtualScheduler } from './virtual-scheduler.js';

/** Events that lie closer than this may stand in any order, seconds: stamps are older than their handling. */
const DISORDER = 2;

/** When an event became known on the local clock: its arrival, or when it was given up. */
function settledAt({ event }: RecordedEvent): ClockReading {
  return event.type === 'exchange' ? event.exchange.arrived : event.failure.settled;
}

function sentAt({ event }: RecordedEvent): ClockReading {
  return event.type === 'exchange' ? event.exchange.sent : event.failure.sent;
}

function sourceOf({ event }: RecordedEvent): string {
  return event.type === 'exchange' ? event.exchange.source : event.failure.source;
}

/**
 * A world played back from a recording. Its scheduler counts true time where the recording has that, and the progress
 * of the local counter otherwise; which of the two it is, nothing in `view` can tell: the clock there is the local one,
 * as the recorded readings have it.
 */
export class ReplayedWorld {
  readonly truth: VirtualScheduler;
  readonly view: World;
  readonly playback: Playback;
  /** The local clock against truth at any instant, where a record of that was given. */
  readonly known: RecordedClock | undefined;
  readonly servers: readonly string[];
  /** The groups in the recording, in order of appearance. */
  readonly groups: readonly string[];
  /** When the recording starts and ends, in the scheduler's time. */
  readonly start: number;
  readonly end: number;

  private readonly events: readonly RecordedEvent[];
  private readonly due: Float64Array;
  private readonly open: readonly Readonly<Record<string, number>>[];
  private readonly clock: PlayedClock;
  private readonly listeners: { group: string | undefined; next: (event: RecordedEvent['event']) => void }[] = [];
  private playing = -1;

  /** `place` names the recording in messages. Throws an `InputError` where it holds nothing, or `truth` does not fit. */
  constructor(recording: Recording, truth: RecordedTruth | undefined, seed: string, place: string) {
    const { events } = recording;
    if (events.length === 0) throw new InputError(place, 'the recording holds no measurement');
    this.events = events;
    this.known = truth && new RecordedClock(truth);
    this.due = this.timeline(place);
    this.start = Math.floor(this.due[0]! - roundTripOf(events[0]!));
    this.end = Math.max(this.due.at(-1)!, truth?.t.at(-1) ?? this.start);
    if (truth !== undefined && (truth.t[0]! > this.due.at(-1)! || truth.t.at(-1)! < this.due[0]!)) {
      const [from, to] = [truth.t[0]!, truth.t.at(-1)!].map(t => t.toFixed(0));
      const found = `${this.due[0]!.toFixed(0)} to ${this.due.at(-1)!.toFixed(0)} s`;
      throw new InputError(place, `expected measurements while the truth is known, ${from} to ${to} s, found ${found}`);
    }
    this.servers = [...new Set(events.map(sourceOf))];
    this.groups = [...new Set(events.map(({ group }) => group))];
    this.open = openQuestions(events, this.due);
    this.truth = new VirtualScheduler(this.start);
    this.clock = new PlayedClock(events.map(settledAt), this.due);
    const { clock } = this;
    this.view = Object.freeze({
      kind: 'replayed' as const,
      clock: Object.freeze({ read: () => clock.readAt(this.truth.time), oneClock: recording.oneClock === true }),
      network: noNetwork,
      scheduler: new LocalScheduler(this.truth, clock),
      random: (path: string) => randomStream(seed, path),
      epoch: recording.epoch,
    });
    this.playback = Object.freeze({
      servers: this.servers,
      listen: (group: string, next: (event: RecordedEvent['event']) => void) => {
        this.listeners.push({ group: this.groupOf(group), next });
      },
      outstanding: (group: string) => this.outstanding(this.groupOf(group)),
    });
    this.scheduleNext();
  }

  /** The event that is being played. */
  get current(): RecordedEvent | undefined {
    return this.events[this.playing];
  }

  /** clock − true at the event that is being played, seconds; undefined where the recording cannot tell. */
  get truthOfCurrent(): { readonly wall: number; readonly counter: number } | undefined {
    const { current } = this;
    if (current === undefined || current.truth !== undefined || this.known === undefined) return current?.truth;
    const { counter, wall } = settledAt(current);
    const t = this.due[this.playing]!;
    return { wall: wall - t, counter: counter - t };
  }

  /** What the local clock read at a time of the scheduler, now or before the next event. */
  readAt(t: number): ClockReading {
    return this.clock.readAt(t);
  }

  /** A source of a name that the recording does not have hears all of it. */
  private groupOf(name: string): string | undefined {
    return this.groups.includes(name) ? name : undefined;
  }

  private outstanding(group: string | undefined): number {
    const open = this.open[this.playing] ?? {};
    if (group !== undefined) return open[group] ?? 0;
    return Object.values(open).reduce((sum, count) => sum + count, 0);
  }

  /**
   * When each event happens in the scheduler's time, never before the one that stands before it in the recording. On a
   * local clock that was set back nobody knows how much time passed: none, for the time line. (Answers that came at once
   * may stand in the other order: that is no step.)
   */
  private timeline(place: string): Float64Array {
    const { events, known } = this;
    const due = new Float64Array(events.length);
    const recorded = events.every(({ trueTime }) => trueTime !== undefined);
    let last = Number.NEGATIVE_INFINITY;
    let before = Number.NEGATIVE_INFINITY;
    let setBack = 0;
    events.forEach((event, index) => {
      const { counter } = settledAt(event);
      if (counter < before - DISORDER) setBack += before - counter;
      before = counter;
      const time = recorded ? event.trueTime! : known !== undefined ? known.timeOf(counter) : counter + setBack;
      if (!Number.isFinite(time)) throw new InputError(place, `event ${index + 1} has no finite time: ${time}`);
      last = Math.max(last, time);
      due[index] = last;
    });
    return due;
  }

  private scheduleNext(): void {
    const index = this.playing + 1;
    const event = this.events[index];
    if (event === undefined) return;
    this.truth.at(this.due[index]!, () => {
      this.playing = index;
      this.clock.reached(index);
      for (const { group, next } of this.listeners) {
        if (group === undefined || group === event.group) next(event.event);
      }
      this.scheduleNext();
    });
  }
}

/** Seconds on the counter from question to end, as far as the recording makes sense of it. */
function roundTripOf(event: RecordedEvent): number {
  return Math.max(0, settledAt(event).counter - sentAt(event).counter);
}

/**
 * After each event: how many questions of each group had been asked and not ended. Where the recording does not say,
 * those that were sent before it and end after it.
 */
function openQuestions(
  events: readonly RecordedEvent[],
  due: Float64Array,
): readonly Readonly<Record<string, number>>[] {
  if (events.every(({ open }) => open !== undefined)) return events.map(({ open }) => open!);
  const lastOf = new Map<string, number>();
  const sent = events.map((event, index) => {
    // A server is not asked again before it has answered, or been given up.
    const key = `${event.group} ${sourceOf(event)}`;
    const asked = Math.max(due[index]! - roundTripOf(event), lastOf.get(key) ?? Number.NEGATIVE_INFINITY);
    lastOf.set(key, due[index]!);
    return asked;
  });
  const bySending = sent.map((_, index) => index).sort((a, b) => sent[a]! - sent[b]!);
  const asked = new Uint8Array(events.length);
  const counts: Record<string, number> = {};
  let next = 0;
  return events.map((event, index) => {
    for (; next < bySending.length && sent[bySending[next]!]! < due[index]!; next++) {
      const question = bySending[next]!;
      if (question <= index) continue;
      asked[question] = 1;
      counts[events[question]!.group] = (counts[events[question]!.group] ?? 0) + 1;
    }
    if (asked[index] === 1) counts[event.group]! -= 1;
    return event.open ?? { ...counts };
  });
}

const noNetwork: Network = {
  resolve: () => {
    throw new InputError('a replayed world', 'has no network: use the source `replay`');
  },
  open: () => {
    throw new InputError('a replayed world', 'has no network: use the source `replay`');
  },
};

/** The recorded clock's error, between the points at which it is known. For scoring only. */
export class RecordedClock implements KnownClock {
  readonly from: number;
  readonly to: number;
  private position = 0;

  constructor(private readonly truth: RecordedTruth) {
    this.from = truth.t[0]!;
    this.to = truth.t.at(-1)!;
  }

  sampleAt(t: number): TrueReading {
    const counterError = this.interpolate(this.truth.counter, t);
    const wallError = this.interpolate(this.truth.wall, t);
    return { reading: { wall: t + wallError, counter: t + counterError }, counterError, wallError };
  }

  /** The true time at which the counter read this: t + error(t) = counter, by fixed-point iteration. */
  timeOf(counter: number): number {
    let t = counter;
    for (let i = 0; i < 8; i++) t = counter - this.interpolate(this.truth.counter, t);
    return t;
  }

  private interpolate(values: Float64Array, at: number): number {
    const { t } = this.truth;
    const last = t.length - 1;
    if (at <= t[0]!) return values[0]!;
    if (at >= t[last]!) return values[last]!;
    const i = this.locate(at);
    return values[i]! + ((values[i + 1]! - values[i]!) * (at - t[i]!)) / (t[i + 1]! - t[i]!);
  }

  /** The last point at or before `at`: near the one that was found before, or by bisection. */
  private locate(at: number): number {
    const { t } = this.truth;
    let low = this.position;
    if (t[low]! > at || (low + 8 < t.length && t[low + 8]! <= at)) {
      low = 0;
      let high = t.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (t[middle]! <= at) low = middle;
        else high = middle;
      }
    }
    while (t[low + 1]! <= at) low++;
    this.position = low;
    return low;
  }
}

/**
 * The local clock as the events' own readings have it: exact at an event, a straight line between two of them, and at
 * the nominal rate where the clock was set back in between, before the first and after the last. The distance between
 * wall and counter is that of the last event.
 */
class PlayedClock implements CounterOfTruth {
  private index = -1;
  private readonly listeners: (() => void)[] = [];

  constructor(
    private readonly readings: readonly ClockReading[],
    private readonly due: Float64Array,
  ) {}

  /** Event `index` happens now. */
  reached(index: number): void {
    this.index = index;
    for (const listener of this.listeners) listener();
  }

  /** The rate to the next event is another one. */
  onRateStep(listener: () => void): void {
    this.listeners.push(listener);
  }

  readAt(t: number): ClockReading {
    const here = this.readings[Math.max(0, this.index)]!;
    if (t === this.due[this.index]) return here;
    const counter = this.counterAt(t);
    return { counter, wall: counter + (here.wall - here.counter) };
  }

  counterAt(t: number): number {
    const index = Math.max(0, this.index);
    return this.readings[index]!.counter + (t - this.due[index]!) * (1 + this.frequencyAt(t));
  }

  frequencyAt(_t: number): number {
    const { index } = this;
    const here = this.readings[index];
    const next = this.readings[index + 1];
    if (here === undefined || next === undefined) return 0;
    const elapsed = this.due[index + 1]! - this.due[index]!;
    const counted = next.counter - here.counter;
    return elapsed > 0 && counted > 0 ? counted / elapsed - 1 : 0;
  }
}
