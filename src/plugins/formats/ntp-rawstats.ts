import { z } from 'zod';
import type { Format, RecordedEvent, Recording } from '../../core/contracts/index.js';
import { plugin } from '../../core/plugin/registry.js';
import { type LogLine, logLines, since, type UnixInstant } from '../../core/recording/daemon-log.js';
import { TRACE } from '../../core/recording/exchanges.js';
import { Chronology, LARGEST_STEP_BACK } from '../../core/recording/fields.js';

const Options = z.strictObject({});

const ROW = /^\d{5} \d+\.\d+ \S+ \S*[.:]\S* \d{1,10}\.\d+ \d{1,10}\.\d+ \d{1,10}\.\d+ \d{1,10}\.\d+(\s|$)/;
/** Versions of ntpd differ in what follows the four time stamps. */
const FIELDS = 8;
const MAX_STRATUM = 15;

const DISCIPLINED = 'The local clock is the system clock as ntpd had corrected it by then.';

/**
 * ntpd's and ntpsec's rawstats: day and second, server and own address, T1 to T4, and in newer versions leap, version,
 * mode, stratum, poll, precision (log2), root delay, root dispersion, reference ID. Both axes are the system clock as ntpd
 * disciplines it. Lines without all four time stamps (broadcasts, reference clocks) are left out.
 */
@plugin({
  kind: 'format',
  name: 'ntp-rawstats',
  summary: "ntpd's or ntpsec's rawstats: all four time stamps",
  options: Options,
})
export class NtpRawstatsFormat implements Format {
  recognises([first = '']: readonly string[]): boolean {
    return ROW.test(first);
  }

  read(lines: Iterable<string>, file: string): Recording {
    const events: RecordedEvent[] = [];
    const order = new Chronology(LARGEST_STEP_BACK, 'an arrival');
    let epoch: number | undefined;
    let without = 0;
    for (const line of logLines(lines, file, FIELDS)) {
      const about = line.modifiedJulian(0);
      const [t1, t2, t3, t4] = ['T1', 'T2', 'T3', 'T4'].map((what, i) => line.ntpTimestamp(4 + i, about, what));
      if (t1 === undefined || t2 === undefined || t3 === undefined || t4 === undefined) {
        without += 1;
        continue;
      }
      epoch ??= t1.seconds;
      order.follow(since(epoch, t4), line.place);
      events.push({ group: TRACE, event: eventOf(line, epoch, [t1, t2, t3, t4]) });
    }
    return {
      epoch: epoch ?? 0,
      events,
      oneClock: true,
      notes: [DISCIPLINED, ...(without === 0 ? [] : [`Left out, without all four time stamps: ${without}.`])],
    };
  }
}

function eventOf(
  line: LogLine,
  epoch: number,
  [t1, t2, t3, t4]: readonly [UnixInstant, UnixInstant, UnixInstant, UnixInstant],
): RecordedEvent['event'] {
  const source = line.text(2);
  const [sent, arrived] = [since(epoch, t1), since(epoch, t4)];
  const more = line.fields.length >= 17;
  const leap = more ? line.number(8, 'the leap indicator') : 0;
  const stratum = more ? line.number(11, 'the stratum') : 1;
  const axes = { sent: { wall: sent, counter: sent }, arrived: { wall: arrived, counter: arrived } };
  if (leap === 3 || stratum < 1 || stratum > MAX_STRATUM) {
    const reason = leap === 3 ? 'unsynchronised (leap 3)' : `stratum ${stratum}`;
    return { type: 'failure', failure: { source, sent: axes.sent, settled: axes.arrived, reason } };
  }
  return {
    type: 'exchange',
    exchange: {
      source,
      ...axes,
      receive: since(epoch, t2),
      transmit: since(epoch, t3),
      leap,
      stratum,
      precision: 2 ** (more ? line.number(13, 'the precision') : -20),
      rootDelay: more ? line.number(14, 'the root delay') : 0,
      rootDispersion: more ? line.number(15, 'the root dispersion') : 0,
      referenceId: 0,
    },
  };
}
