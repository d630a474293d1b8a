import type { ClockReading, ExchangeRecord } from '../contracts/index.js';

/** RFC 5905's reach register: eight bits, one for each question, the latest last. */
const MASK = 0xff;

/** The state of NTP as people ask for it: which servers answered of late, and when something was last measured. */
export class ReachRegisters {
  private readonly registers = new Map<string, number>();
  /** When a usable answer last came, in the run's time and on the local clock; undefined before the first. */
  lastAnswer: { readonly t: number; readonly arrived: ClockReading } | undefined;

  note({ t, event }: ExchangeRecord): void {
    const answered = event.type === 'exchange';
    const source = answered ? event.exchange.source : event.failure.source;
    this.registers.set(source, (((this.registers.get(source) ?? 0) << 1) & MASK) | (answered ? 1 : 0));
    if (answered) this.lastAnswer = { t, arrived: event.exchange.arrived };
  }

  /** In octal, as `ntpq` and `chronyc` show it: 377 after eight answers in a row. */
  get shown(): string {
    return [...this.registers].map(([source, bits]) => `${source}:${bits.toString(8)}`).join(' ');
  }
}
