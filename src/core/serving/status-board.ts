import {
  type Answer,
  DROPS,
  type Drop,
  type DropCounts,
  type EventRecord,
  type Exchange,
  type ExchangeRecord,
  type Measurement,
  measure,
  type RoundRecord,
  type RunInfo,
  type TimeService,
  timeOn,
  type Verdict,
} from '../contracts/index.js';
import { asciiOf } from '../ntp/packet.js';
import type {
  BoardState,
  EventEntry,
  HistoryDocument,
  PipelineStatus,
  SourceStatus,
  Standing,
  StatusDocument,
  TimeDocument,
} from './documents.js';
import { instantOf, isoOf } from './instants.js';
import { Ring } from './ring.js';

/** Offsets that a source's jitter looks back on: RFC 5905's clock filter has eight stages. */
const STAGES = 8;

/** How often `timeAt` looks again at most, and what is near enough, seconds. */
const LOOKS = 20;
const NANOSECOND = 1e-9;

/** Points of each line of the history that outlive the process. */
const KEPT = 500;

interface Limits {
  /** Points of each line of the history. */
  readonly history: number;
  readonly events: number;
}

/**
 * What programs and people want to know of a run: made of what sinks are told, so that every sink that serves it says
 * the same. Nothing here does any I/O.
 */
export class StatusBoard {
  private readonly epoch: number;
  private readonly start: number;
  private readonly sources = new Map<string, SourceRecord>();
  private readonly pipelines: ReadonlyMap<string, PipelineRecord>;
  private readonly events: Ring<EventEntry>;
  private readonly exchanges = { answered: 0, failed: 0 };
  private lastId = 0;
  /** Of sources that have not been heard of again yet. */
  private readonly earlier = new Map<string, HistoryDocument['sources'][string]>();

  constructor(
    private readonly info: RunInfo,
    private readonly time: TimeService,
    private readonly limits: Limits,
  ) {
    this.epoch = info.epoch;
    this.start = info.start ?? 0;
    this.pipelines = new Map(info.pipelines.map(name => [name, new PipelineRecord(limits.history)]));
    this.events = new Ring(limits.events);
  }

  /** The number of the last thing that happened: grows by one with each. */
  get id(): number {
    return this.lastId;
  }

  exchange({ event, group }: ExchangeRecord): void {
    const answered = event.type === 'exchange';
    const source = this.source(answered ? event.exchange.source : event.failure.source, group);
    this.exchanges[answered ? 'answered' : 'failed'] += 1;
    source.drop(event.dropped);
    if (event.type === 'exchange') source.heard(event.exchange);
    else source.missed(event.failure.sent.counter, event.failure.reason, event.failure.settled.counter);
  }

  round(record: RoundRecord): void {
    this.lastId += 1;
    const { pipeline, verdicts, taken, measurements, declined, estimate, reading } = record;
    const state = this.pipelines.get(pipeline);
    if (state === undefined) return;
    state.rounds += 1;
    const applied = taken.length > 0 && declined === undefined;
    if (applied) {
      state.applied += 1;
      state.appliedAt = taken.at(-1)!.at.counter;
    }
    state.hearsNothing = measurements.length === 0 && !applied;
    const used = verdicts.filter(verdict => verdict.used).length;
    for (const verdict of verdicts) {
      const source = this.sources.get(verdict.source);
      if (source === undefined) continue;
      // One lost answer changes nothing of what is thought of a server.
      const silent = !verdict.used && !measurements.some(each => each.source === verdict.source);
      if (silent && source.reach !== 0 && source.verdicts.has(pipeline)) continue;
      source.verdicts.set(pipeline, { verdict, together: used });
      if (verdict.used) source.used.set(pipeline, (source.used.get(pipeline) ?? 0) + 1);
    }
    if (pipeline === this.info.pipelines[0]) for (const measurement of measurements) this.note(measurement, verdicts);
    const { told } = record;
    if (estimate === undefined || told.uncertainty === undefined || told.maxError === undefined) return;
    state.history.push({
      unix: this.unix(told.time),
      offset: told.time - reading.wall,
      uncertainty: told.uncertainty,
      maxError: told.maxError,
      drift: estimate.drift,
      driftDeviation: Math.sqrt(estimate.p11),
    });
  }

  event({ t, part, what }: EventRecord): EventEntry {
    this.lastId += 1;
    const { told } = this.time.read();
    const entry = {
      id: this.lastId,
      time: isoOf(instantOf(told.time, this.epoch)),
      uptime: t - this.start,
      part,
      what,
    };
    this.events.push(entry);
    return entry;
  }

  /** Events after the one of this number, the oldest first, as far as they are still known. */
  eventsSince(id: number): readonly EventEntry[] {
    return this.events.toArray().filter(entry => entry.id > id);
  }

  /** What a pipeline tells now; or when it will be (was) `at`, seconds since the epoch, if nothing more is measured. */
  timeAt(at: number | undefined, pipeline?: string): TimeDocument {
    const now = this.time.read(pipeline);
    if (at === undefined) return this.timeOf(now);
    // The counter and true time part by the drift: each look is nearer by that factor.
    const { reading } = now;
    let seconds = at - now.told.time;
    for (let look = 0; look < LOOKS; look++) {
      const missing = at - this.time.ahead(seconds, pipeline, reading).told.time;
      seconds += missing;
      if (Math.abs(missing) < NANOSECOND) break;
    }
    return this.timeOf(this.time.ahead(seconds, pipeline, reading));
  }

  /** Whether the first pipeline tells the time to within this, seconds; why not, where it does not. */
  health(within: number): { readonly healthy: boolean; readonly reason: string; readonly maxError: number | null } {
    const { told } = this.time.read();
    const maxError = told.maxError ?? null;
    if (maxError === null) return { healthy: false, reason: 'nothing is known of the time yet', maxError };
    if (maxError > within) {
      return { healthy: false, reason: `the time may be wrong by ${maxError} s, the limit is ${within} s`, maxError };
    }
    return { healthy: true, reason: 'the time is known', maxError };
  }

  status(): StatusDocument {
    const { scenario, description, world, clock, reference, pipelines } = this.info;
    const { reading } = this.time.read();
    const statuses = pipelines.map(name => this.pipelineStatus(name));
    return {
      id: this.lastId,
      service: {
        name: scenario,
        description,
        world,
        clock: clock ?? null,
        reference,
        started: isoOf(instantOf(this.start, this.epoch)),
        uptime: reading.counter - this.start,
        phase: statuses[0]!.phase,
      },
      exchanges: { ...this.exchanges },
      pipelines: statuses,
      sources: [...this.sources.values()].map(source => this.sourceStatus(source, reading.counter)),
      events: this.events.toArray(),
    };
  }

  /** Points after Unix time `since` of every line. */
  history(since = Number.NEGATIVE_INFINITY): HistoryDocument {
    const after = <T extends { readonly unix: number }>(ring: Ring<T>): T[] =>
      ring.toArray().filter(({ unix }) => unix > since);
    return {
      capacity: this.limits.history,
      pipelines: Object.fromEntries([...this.pipelines].map(([name, { history }]) => [name, after(history)])),
      sources: Object.fromEntries([...this.sources].map(([name, { history }]) => [name, after(history)])),
    };
  }

  /** What is worth keeping: events and the last of the history. */
  snapshot(): BoardState {
    const lines = <T>(records: Iterable<readonly [string, { readonly history: Ring<T> }]>): Record<string, T[]> =>
      Object.fromEntries([...records].map(([name, { history }]) => [name, history.toArray().slice(-KEPT)]));
    return {
      id: this.lastId,
      events: this.events.toArray(),
      pipelines: lines(this.pipelines),
      sources: lines(this.sources),
    };
  }

  restore({ id, events, pipelines, sources }: BoardState): void {
    this.lastId = id;
    for (const event of events) this.events.push(event);
    for (const [name, points] of Object.entries(pipelines)) {
      for (const point of points) this.pipelines.get(name)?.history.push(point);
    }
    for (const [name, points] of Object.entries(sources)) this.earlier.set(name, points);
  }

  private note({ source, exchange }: Measurement, verdicts: readonly Verdict[]): void {
    const { offset, delay, at } = measure(exchange, 'wall');
    this.sources.get(source)?.history.push({
      unix: this.unix(at.wall + offset),
      offset,
      delay,
      used: verdicts.some(verdict => verdict.source === source && verdict.used),
    });
  }

  private unix(seconds: number): number {
    return this.epoch + seconds;
  }

  private timeOf({ pipeline, reading, told, estimate }: Answer): TimeDocument {
    const { maxError, uncertainty, level, by } = told;
    const known = maxError !== undefined && estimate !== undefined;
    const at = (seconds: number): string => isoOf(instantOf(seconds, this.epoch));
    const { seconds, nanoseconds } = instantOf(told.time, this.epoch);
    return {
      time: at(told.time),
      unix: { seconds, nanoseconds },
      earliest: maxError === undefined ? null : at(told.time - maxError),
      latest: maxError === undefined ? null : at(told.time + maxError),
      maxError: maxError ?? null,
      uncertainty: uncertainty ?? null,
      level,
      offset: told.time - reading.wall,
      drift: known ? estimate.drift : null,
      driftDeviation: known ? Math.sqrt(estimate.p11) : null,
      source: by,
      driftSource: known ? (estimate.driftBy ?? estimate.by) : null,
      age: this.ageOf(pipeline, reading.counter),
      axis: told.axis,
      pipeline,
      synchronised: known,
    };
  }

  /** Since the last measurement that the pipeline took, seconds. */
  private ageOf(pipeline: string, counter: number): number | null {
    const at = this.pipelines.get(pipeline)?.appliedAt;
    return at === undefined ? null : counter - at;
  }

  private pipelineStatus(name: string): PipelineStatus {
    const answer = this.time.read(name);
    const state = this.pipelines.get(name)!;
    const { estimate, reading } = answer;
    const known = answer.told.maxError !== undefined && estimate !== undefined;
    return {
      name,
      phase: !known ? 'starting' : state.hearsNothing ? 'holdover' : 'synchronised',
      now: this.timeOf(answer),
      estimateAge: estimate === undefined ? null : timeOn(estimate.axis, reading) - timeOn(estimate.axis, estimate.at),
      maxErrorRate: known ? estimate.maxErrorRate : null,
      rounds: state.rounds,
      applied: state.applied,
    };
  }

  private sourceStatus(source: SourceRecord, counter: number): SourceStatus {
    const { name, group, reach, poll, asked, answered, dropped, last, lastFailure } = source;
    const wall = last && measure(last, 'wall');
    const verdicts = Object.fromEntries(
      [...source.verdicts].map(([pipeline, { verdict, together }]) => [
        pipeline,
        {
          standing: standingOf(verdict, together, reach),
          reason: verdict.reason,
          used: source.used.get(pipeline) ?? 0,
        },
      ]),
    );
    const first = verdicts[this.info.pipelines[0]!];
    return {
      name,
      group,
      address: this.info.addresses?.[name] ?? name,
      standing: first?.standing ?? (reach === 0 ? 'unreachable' : 'unheard'),
      reason: first?.reason ?? lastFailure?.reason ?? '',
      verdicts,
      offset: wall?.offset ?? null,
      delay: wall?.delay ?? null,
      jitter: source.jitter ?? null,
      rootDistance: wall?.rootDistance ?? null,
      reach,
      poll: poll ?? null,
      stratum: last?.stratum ?? null,
      leap: last?.leap ?? null,
      referenceId: last === undefined ? null : referenceOf(last),
      asked,
      answered,
      failed: asked - answered,
      dropped: { ...dropped },
      lastAnswerAge: last === undefined ? null : counter - last.arrived.counter,
      lastFailure: lastFailure === undefined ? null : { reason: lastFailure.reason, age: counter - lastFailure.at },
    };
  }

  private source(name: string, group: string): SourceRecord {
    let source = this.sources.get(name);
    if (source === undefined) {
      source = new SourceRecord(name, group, this.limits.history);
      for (const point of this.earlier.get(name) ?? []) source.history.push(point);
      this.earlier.delete(name);
      this.sources.set(name, source);
    }
    return source;
  }
}

class PipelineRecord {
  rounds = 0;
  applied = 0;
  appliedAt: number | undefined;
  /** The last round brought no measurement at all. */
  hearsNothing = false;
  readonly history: Ring<HistoryDocument['pipelines'][string][number]>;

  constructor(capacity: number) {
    this.history = new Ring(capacity);
  }
}

class SourceRecord {
  /** RFC 5905's register: the last eight questions, the newest in bit 0. */
  reach = 0;
  asked = 0;
  answered = 0;
  readonly dropped = Object.fromEntries(DROPS.map(reason => [reason, 0])) as Record<Drop, number>;
  /** From the last question to the one before, seconds. */
  poll: number | undefined;
  last: Exchange | undefined;
  lastFailure: { readonly reason: string; readonly at: number } | undefined;
  readonly verdicts = new Map<string, { readonly verdict: Verdict; readonly together: number }>();
  readonly used = new Map<string, number>();
  readonly history: Ring<HistoryDocument['sources'][string][number]>;
  private readonly offsets: number[] = [];
  private sent: number | undefined;

  constructor(
    readonly name: string,
    readonly group: string,
    capacity: number,
  ) {
    this.history = new Ring(capacity);
  }

  heard(exchange: Exchange): void {
    this.question(exchange.sent.counter, true);
    this.last = exchange;
    // On the counter, which nobody steps.
    this.offsets.unshift(measure(exchange, 'counter').offset);
    if (this.offsets.length > STAGES) this.offsets.pop();
  }

  missed(sent: number, reason: string, at: number): void {
    this.question(sent, false);
    this.lastFailure = { reason, at };
  }

  drop(more: DropCounts | undefined): void {
    if (more !== undefined) for (const reason of DROPS) this.dropped[reason] += more[reason];
  }

  /** RFC 5905, section 10: RMS of the differences from the newest offset, seconds. */
  get jitter(): number | undefined {
    const [newest, ...others] = this.offsets;
    if (newest === undefined || others.length === 0) return undefined;
    return Math.sqrt(others.reduce((sum, offset) => sum + (newest - offset) ** 2, 0) / others.length);
  }

  private question(sent: number, answered: boolean): void {
    if (this.sent !== undefined && sent > this.sent) this.poll = sent - this.sent;
    this.sent = sent;
    this.asked += 1;
    if (answered) this.answered += 1;
    this.reach = ((this.reach << 1) & 0xff) | (answered ? 1 : 0);
  }
}

/** A verdict in one word: `together` sources were used in its round. */
function standingOf({ used, reason }: Verdict, together: number, reach: number): Standing {
  if (used) return together > 1 ? 'combined' : 'selected';
  if (reach === 0) return 'unreachable';
  return reason.startsWith('falseticker') ? 'falseticker' : 'rejected';
}

/** What a server synchronises to: four letters at stratum 1, an address (or a hash of one) below. */
function referenceOf({ referenceId, stratum }: Exchange): string {
  const letters = asciiOf(referenceId);
  if (stratum <= 1 && letters !== '') return letters;
  return [24, 16, 8, 0].map(shift => (referenceId >>> shift) & 255).join('.');
}
