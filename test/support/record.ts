import type {
  EventRecord,
  ExchangeRecord,
  RoundRecord,
  RunInfo,
  RunSummary,
  Sample,
  Sink,
} from '../../src/core/contracts/index.js';

/** A sink that keeps everything. */
export class Record implements Sink {
  info: RunInfo | undefined;
  summary: RunSummary | undefined;
  readonly exchanges: ExchangeRecord[] = [];
  readonly rounds: RoundRecord[] = [];
  readonly samples: Sample[] = [];
  readonly scores: Sample[] = [];
  readonly events: EventRecord[] = [];
  readonly interval?: number;

  constructor(interval?: number) {
    if (interval !== undefined) this.interval = interval;
  }

  start(info: RunInfo): void {
    this.info = info;
  }

  exchange(record: ExchangeRecord): void {
    this.exchanges.push(record);
  }

  round(record: RoundRecord): void {
    this.rounds.push(record);
  }

  sample(sample: Sample): void {
    this.samples.push(sample);
  }

  scored(sample: Sample): void {
    this.scores.push(sample);
  }

  event(record: EventRecord): void {
    this.events.push(record);
  }

  finish(summary: RunSummary): void {
    this.summary = summary;
  }

  /** Local counter at which questions to a server were sent. */
  sentTo(server: string): readonly number[] {
    return this.exchanges
      .map(({ event }) => (event.type === 'exchange' ? event.exchange : event.failure))
      .filter(({ source }) => source === server)
      .map(({ sent }) => sent.counter);
  }

  /** How each question to a server ended. */
  endsOf(server: string): readonly string[] {
    return this.exchanges
      .filter(({ event }) => (event.type === 'exchange' ? event.exchange : event.failure).source === server)
      .map(({ event }) => (event.type === 'exchange' ? 'exchange' : event.failure.reason));
  }
}
