import type { ClockReading, RoundRecord } from '../contracts/index.js';

/** RFC 5905's reach register: eight bits, one for each question, the latest last. */
const MASK = 0xff;

/** When something happened, in the run's time and on the local clock. */
interface Moment {
  readonly t: number;
  readonly at: ClockReading;
}

/** The state of NTP as one pipeline sees it, from its rounds. */
export class NtpState {
  private readonly registers = new Map<string, number>();
  /** When an answer last arrived; undefined before the first. */
  lastMeasured: Moment | undefined;
  /** When a measurement was last taken and believed, and the instant that it speaks of. */
  lastApplied: Moment | undefined;

  note({ t, measurements, verdicts, taken, declined }: RoundRecord): void {
    const answered = new Set(measurements.map(({ source }) => source));
    for (const source of new Set(verdicts.map(verdict => verdict.source))) {
      const register = (this.registers.get(source) ?? 0) << 1;
      this.registers.set(source, (register & MASK) | (answered.has(source) ? 1 : 0));
    }
    const heard = measurements.at(-1);
    if (heard !== undefined) this.lastMeasured = { t, at: heard.exchange.arrived };
    const last = taken.at(-1);
    if (last !== undefined && declined === undefined) this.lastApplied = { t, at: last.at };
  }

  /** Every server's register in octal, as `ntpq` and `chronyc` show it: 377 after eight answers in a row. */
  get reach(): string {
    return [...this.registers].map(([source, bits]) => `${source}:${bits.toString(8)}`).join(' ');
  }
}
