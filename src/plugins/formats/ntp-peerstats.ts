import { z } from 'zod';
import type { Format, RecordedEvent, Recording } from '../../core/contracts/index.js';
import { plugin } from '../../core/plugin/registry.js';
import { logLines, since } from '../../core/recording/daemon-log.js';
import { exchangeOf, TRACE } from '../../core/recording/exchanges.js';
import { Chronology, LARGEST_STEP_BACK } from '../../core/recording/fields.js';

const Options = z.strictObject({});

const ROW = /^\d{5} \d+\.\d+ \S+ [0-9a-f]{1,4} -?\d+\.\d+ -?\d+\.\d+ \d+\.\d+( \d+\.\d+)?\s*$/i;
const FIELDS = 7;

const FILTERED =
  'The local clock is the system clock as ntpd had corrected it by then; offsets are those of its clock filter.';

/**
 * ntpd's and ntpsec's peerstats: day and second, server, status, offset, delay, dispersion, and in all but the oldest
 * versions jitter. The offset is that of ntpd's clock filter (of the last eight answers the one with the least delay),
 * not of one exchange: where rawstats was kept, replay that.
 */
@plugin({
  kind: 'format',
  name: 'ntp-peerstats',
  summary: "ntpd's or ntpsec's peerstats: filtered offset, delay and dispersion",
  options: Options,
})
export class NtpPeerstatsFormat implements Format {
  recognises([first = '']: readonly string[]): boolean {
    return ROW.test(first);
  }

  read(lines: Iterable<string>, file: string): Recording {
    const events: RecordedEvent[] = [];
    const order = new Chronology(LARGEST_STEP_BACK, 'a time');
    let epoch: number | undefined;
    for (const line of logLines(lines, file, FIELDS)) {
      const at = line.modifiedJulian(0);
      epoch ??= at.seconds;
      const arrived = since(epoch, at);
      order.follow(arrived, line.place);
      const jitter = line.fields.length > FIELDS ? line.number(7, 'the jitter') : 0;
      const exchange = exchangeOf({
        source: line.text(2),
        arrived,
        offset: line.number(4, 'the offset'),
        delay: Math.max(0, line.number(5, 'the delay')),
        rootDispersion: Math.max(0, line.number(6, 'the dispersion')),
        ...(jitter > 0 && { precision: jitter }),
      });
      events.push({ group: TRACE, event: { type: 'exchange', exchange } });
    }
    return { epoch: epoch ?? 0, events, oneClock: true, notes: [FILTERED] };
  }
}
