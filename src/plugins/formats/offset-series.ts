import { z } from 'zod';
import type { Format, RecordedAnswer, RecordedEvent, Recording } from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { plugin } from '../../core/plugin/registry.js';
import { type Column, type CsvRow, CsvTable, headerOf } from '../../core/recording/csv-table.js';
import { exchangeOf, TRACE } from '../../core/recording/exchanges.js';
import { Chronology } from '../../core/recording/fields.js';

const Options = z.strictObject({});

/** Different servers that are asked within this long of each other are one round, seconds. */
const ROUND = 1;

/** What a measurement is good for where neither delay nor uncertainty is known: internet NTP's millisecond. */
const UNKNOWN_PRECISION = 1e-3;

/**
 * A series of NTP offsets against the system clock: `t_s`, `ntp_offset_s`, and where they are there `ntp_delay_s`,
 * `ntp_uncertainty_s` and `server`. A row without an offset holds no measurement. The exchange is made up so that
 * offset and delay come out as recorded; where the delay is not known it is twice the uncertainty (and with neither,
 * 0 with a precision of 1 ms). An uncertainty beyond half the delay is dispersion.
 *
 * Columns NAME_offset_s (and NAME_uncertainty_s) of any other name are another program's answers: scored beside the
 * pipelines, never shown to them.
 */
@plugin({
  kind: 'format',
  name: 'offset-series',
  summary: 'CSV of NTP offsets: t_s, ntp_offset_s, ntp_delay_s or ntp_uncertainty_s, server',
  options: Options,
})
export class OffsetSeriesFormat implements Format {
  recognises(head: readonly string[]): boolean {
    const header = headerOf(head);
    return header.includes('ntp_offset_s');
  }

  read(lines: Iterable<string>, file: string): Recording {
    const table = new CsvTable(lines, file);
    const columns = {
      time: table.column('t_s'),
      offset: table.column('ntp_offset_s'),
      delay: table.optional('ntp_delay_s'),
      uncertainty: table.optional('ntp_uncertainty_s'),
      server: table.optional('server'),
    };
    const answering = table.columnsLike(/^(?!ntp_)(\w+)_offset_s$/).map(([offset, name]) => {
      const answers: RecordedAnswer[] = [];
      return { name, offset, uncertainty: table.optional(`${name}_uncertainty_s`), answers };
    });
    const order = new Chronology(0, 'a time');
    const measured: { readonly time: number; readonly event: RecordedEvent['event'] }[] = [];
    for (const row of table.rows()) {
      const at = row.number(columns.time);
      order.follow(at, row.place);
      for (const { offset, uncertainty, answers } of answering) {
        if (row.isBlank(offset)) continue;
        answers.push({ at, offset: row.number(offset), uncertainty: row.optionalNumber(uncertainty) });
      }
      if (!row.isBlank(columns.offset)) measured.push({ time: at, event: eventOf(row, at, columns) });
    }
    return {
      epoch: 0,
      events: inRounds(measured),
      oneClock: true,
      answers: Object.fromEntries(
        answering.filter(({ answers }) => answers.length > 0).map(({ name, answers }) => [name, answers]),
      ),
      notes: [],
    };
  }
}

interface Columns {
  readonly offset: Column;
  readonly delay: Column | undefined;
  readonly uncertainty: Column | undefined;
  readonly server: Column | undefined;
}

function eventOf(row: CsvRow, arrived: number, columns: Columns): RecordedEvent['event'] {
  const delay = row.optionalNumber(columns.delay);
  const uncertainty = row.optionalNumber(columns.uncertainty) ?? 0;
  if (delay !== undefined && delay < 0)
    throw new InputError(row.place, `expected a delay of 0 or more, found ${delay}`);
  if (uncertainty < 0) throw new InputError(row.place, `expected an uncertainty of 0 or more, found ${uncertainty}`);
  const roundTrip = delay ?? 2 * uncertainty;
  const server = columns.server === undefined ? '' : row.text(columns.server).trim();
  return {
    type: 'exchange',
    exchange: exchangeOf({
      source: server === '' ? 'ntp' : server,
      arrived,
      offset: row.number(columns.offset),
      delay: roundTrip,
      rootDispersion: Math.max(0, uncertainty - roundTrip / 2),
      ...(roundTrip === 0 && { precision: UNKNOWN_PRECISION }),
    }),
  };
}

/** A round ends before a server comes again, and where the next is asked later than ROUND after the first. */
function inRounds(
  measured: readonly { readonly time: number; readonly event: RecordedEvent['event'] }[],
): readonly RecordedEvent[] {
  const events: RecordedEvent[] = [];
  let round: typeof measured = [];
  const close = (): void => {
    round.forEach(({ event }, index) => {
      const left = round.length - 1 - index;
      events.push({ group: TRACE, event, open: left === 0 ? {} : { [TRACE]: left } });
    });
    round = [];
  };
  for (const one of measured) {
    const [first] = round;
    const again = round.some(({ event }) => sourceOf(event) === sourceOf(one.event));
    if (first !== undefined && (again || one.time - first.time > ROUND)) close();
    round = [...round, one];
  }
  close();
  return events;
}

function sourceOf(event: RecordedEvent['event']): string {
  return event.type === 'exchange' ? event.exchange.source : event.failure.source;
}
