import { z } from 'zod';
import type { Format, RecordedEvent, Recording } from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { plugin } from '../../core/plugin/registry.js';
import { type LogLine, logLines, since } from '../../core/recording/daemon-log.js';
import { exchangeOf, TRACE } from '../../core/recording/exchanges.js';
import { Chronology, LARGEST_STEP_BACK, shown } from '../../core/recording/fields.js';

const Options = z.strictObject({});

const BANNER = /^=+$|^\s*Date \(UTC\) Time\s/;
const ROW = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+\s+[N+?-]\s+\d+ [01]{3} [01]{3} [01]{1,4}\s/;
const FIELDS = 17;

const DISCIPLINED =
  'The local clock is the one that chronyd keeps (corrected, unless its servers are noselect); times are whole seconds.';

const LEAPS: Readonly<Record<string, number>> = { N: 0, '+': 1, '-': 2, '?': 3 };

/** Why a packet was no measurement, by RFC 5905's packet tests as chronyd numbers them. */
const TESTS = ['duplicate', 'bogus origin', 'invalid time stamps', 'not authentic', 'unsynchronised', 'root distance'];

/**
 * chronyd's measurements.log, as `log measurements` or `log rawmeasurements` writes it (both write this one file; the
 * second also packets that fail RFC 5905's tests, which are failures here). chronyd's own judgement of the delay (tests
 * A to C) is not taken over, only a synchronisation loop (test D). Offsets are against the time that chronyd keeps; times are whole seconds, so that what a server said within one second counts as one round.
 */
@plugin({
  kind: 'format',
  name: 'chrony-measurements',
  summary: "chronyd's measurements.log (log measurements or rawmeasurements)",
  options: Options,
})
export class ChronyMeasurementsFormat implements Format {
  recognises(head: readonly string[]): boolean {
    const rows = head.filter(line => line !== '' && !BANNER.test(line));
    if (rows.length === 0)
      return head.some(line => /^\s*Date \(UTC\) Time\s+IP Address\s+L St 123 567 ABCD/.test(line));
    return ROW.test(rows[0]!);
  }

  read(lines: Iterable<string>, file: string): Recording {
    const events: RecordedEvent[] = [];
    const order = new Chronology(LARGEST_STEP_BACK, 'a time');
    let epoch: number | undefined;
    for (const line of logLines(lines, file, FIELDS, BANNER)) {
      const at = line.date(0);
      epoch ??= at.seconds;
      const time = since(epoch, at);
      order.follow(time, line.place);
      events.push({ group: TRACE, event: eventOf(line, time) });
    }
    return { epoch: epoch ?? 0, events, oneClock: true, notes: [DISCIPLINED] };
  }
}

/** `time` is half way between question and answer. */
function eventOf(line: LogLine, time: number): RecordedEvent['event'] {
  const source = line.text(2);
  const leap = LEAPS[line.text(3)];
  if (leap === undefined)
    throw new InputError(line.place, `expected a leap status N, +, - or ?, found ${shown(line.text(3))}`);
  const passed = [5, 6, 7].map(index => testsOf(line, index));
  const failed = [...passed[0]!, ...passed[1]!].indexOf('0');
  const loop = passed[2]!.length === 4 && passed[2]!.endsWith('0');
  const referenceId = line.text(16);
  if (!/^[0-9A-F]{8}$/i.test(referenceId)) {
    throw new InputError(line.place, `expected a reference ID of 8 hexadecimal digits, found ${shown(referenceId)}`);
  }
  const offset = line.number(11, 'the offset');
  const delay = Math.max(0, line.number(12, 'the peer delay'));
  const dispersion = line.number(13, 'the peer dispersion');
  const rootDelay = line.number(14, 'the root delay');
  const rootDispersion = line.number(15, 'the root dispersion');
  const problem =
    failed >= 0 ? TESTS[failed]! : loop ? 'synchronisation loop' : leap === 3 ? 'unsynchronised' : undefined;
  if (problem !== undefined) {
    const at = { wall: time, counter: time };
    return { type: 'failure', failure: { source, sent: at, settled: at, reason: `chronyd: ${problem}` } };
  }
  return {
    type: 'exchange',
    exchange: exchangeOf({
      source,
      arrived: time + delay / 2,
      offset,
      delay,
      leap,
      stratum: line.number(4, 'the stratum'),
      rootDelay,
      rootDispersion,
      referenceId: Number.parseInt(referenceId, 16),
      ...(dispersion > 0 && { precision: dispersion }),
    }),
  };
}

function testsOf(line: LogLine, index: number): string {
  const text = line.text(index);
  if (!/^[01]{1,4}$/.test(text))
    throw new InputError(line.place, `expected results of tests such as 111, found ${shown(text)}`);
  return text;
}
