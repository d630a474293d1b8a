import type { Answer } from '../contracts/index.js';
import type { TimeRecord } from './record.js';
import { ageOf } from './trust.js';

/** What a run tells, without what only the process that writes it knows. */
export type ToldRecord = Omit<TimeRecord, 'suspended' | 'writer'>;

export const UNKNOWN_RECORD: ToldRecord = {
  ...{ known: false, counter: 0n, time: 0n, drift: 0, uncertainty: 0, level: 0, uncertaintyRate: 0 },
  ...{ maxError: 0, maxErrorRate: 0, age: 0, validFor: 0n, by: '', pipeline: '' },
};

/** Shares of a record's life at which the growth of its bounds is looked at: a bend parts from its chord at once. */
const LOOKS = [0.002, 0.1, 0.25, 0.5, 1];

/**
 * The line through what is told now and what would be told at the end of the record's life, if nothing were heard
 * meanwhile: whatever timekeeper tells it. The bounds grow as fast as they do fastest on the way, and the maximum error
 * covers what the line leaves out of a bend.
 */
export function recordOf(
  now: Answer,
  ahead: (seconds: number) => Answer,
  {
    epoch,
    origin,
    validFor,
  }: {
    readonly epoch: number;
    /** CLOCK_MONOTONIC_RAW, nanoseconds, where the run's counter reads 0. */
    readonly origin: bigint;
    /** Seconds. */
    readonly validFor: number;
  },
): ToldRecord {
  const { told, reading, pipeline } = now;
  const looks = LOOKS.map(share => ({ after: share * validFor, answer: ahead(share * validFor) }));
  // An estimate that is too old by then hands over to another teller: the record ends before that.
  const same = looks.filter(({ answer }) => answer.told.by === told.by && answer.told.maxError !== undefined);
  const life =
    same.length === looks.length
      ? looks
      : looks.slice(
          0,
          looks.findIndex(look => !same.includes(look)),
        );
  const last = life.at(-1);
  const elapsed = (answer: Answer): number => answer.reading.counter - reading.counter;
  const drift = last === undefined ? 0 : (last.answer.told.time - told.time) / elapsed(last.answer) - 1;
  const maxError = told.maxError!;
  let uncertaintyRate = 0;
  let maxErrorRate = 0;
  for (const { answer } of life) {
    const gone = elapsed(answer);
    const bend = Math.abs(answer.told.time - told.time - gone * (1 + drift));
    uncertaintyRate = Math.max(uncertaintyRate, (answer.told.uncertainty! - told.uncertainty!) / gone);
    maxErrorRate = Math.max(maxErrorRate, (answer.told.maxError! - maxError + bend) / gone);
  }
  return {
    known: true,
    counter: origin + BigInt(Math.round(reading.counter * 1e9)),
    time: unixNanoseconds(told.time, epoch),
    drift,
    uncertainty: told.uncertainty!,
    level: told.level,
    uncertaintyRate,
    maxError,
    maxErrorRate,
    age: ageOf(now)!,
    validFor: BigInt(Math.round((last?.after ?? 0) * 1e9)),
    by: told.by,
    pipeline,
  };
}

/** Unix nanoseconds of an instant `time` seconds after `epoch` (Unix seconds, a whole number). */
export function unixNanoseconds(time: number, epoch: number): bigint {
  const whole = Math.floor(time);
  return BigInt(whole + epoch) * 1_000_000_000n + BigInt(Math.round((time - whole) * 1e9));
}
