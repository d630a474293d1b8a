import { z } from 'zod';
import type { ClockReading, Exchange, Format, RecordedEvent, Recording } from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { plugin } from '../../core/plugin/registry.js';
import { type Column, type CsvRow, CsvTable } from '../../core/recording/csv-table.js';
import { Chronology, countOf, shown } from '../../core/recording/fields.js';

const Options = z.strictObject({});

const MARK = /^# escapement-measurements (\d+), epoch (-?\d+)(, one clock)?$/;
const VERSION = '1';

/** Stamps of two answers may be handled in the other order, but never further apart than this, seconds. */
const DISORDER = 1;

/**
 * A `measurements.csv` that a run has written with --out: every question and how it ended, on both axes. Columns that
 * begin with `truth_` order and score; they never become inputs.
 */
@plugin({
  kind: 'format',
  name: 'escapement',
  summary: 'measurements.csv of a run of ours: every exchange, both axes',
  options: Options,
})
export class EscapementFormat implements Format {
  recognises([first = '']: readonly string[]): boolean {
    return first.startsWith('# escapement-measurements ');
  }

  read(lines: Iterable<string>, file: string): Recording {
    const table = new CsvTable(lines, file);
    const [, version, epoch, oneClock] = MARK.exec(table.comments[0] ?? '') ?? [];
    if (version !== VERSION || epoch === undefined) {
      const expected = `expected '# escapement-measurements ${VERSION}, epoch SECONDS'`;
      throw new InputError(`${file}:1`, `${expected}, found ${shown(table.comments[0] ?? '')}`);
    }
    const columns = columnsOf(table);
    const order = new Chronology(DISORDER, 'a settled counter');
    const trueOrder = new Chronology(0, 'a true time');
    const events: RecordedEvent[] = [];
    for (const row of table.rows()) {
      const recorded = eventOf(row, columns);
      const { event, trueTime } = recorded;
      const settled = event.type === 'exchange' ? event.exchange.arrived : event.failure.settled;
      order.follow(settled.counter, row.place);
      if (trueTime !== undefined) trueOrder.follow(trueTime, row.place);
      events.push(recorded);
    }
    return { epoch: Number(epoch), events, ...(oneClock !== undefined && { oneClock: true }), notes: [] };
  }
}

type Columns = ReturnType<typeof columnsOf>;

function columnsOf(table: CsvTable) {
  return {
    group: table.column('group'),
    source: table.column('source'),
    type: table.column('type'),
    reason: table.column('reason'),
    open: table.column('open'),
    sentWall: table.column('sent_wall_s'),
    sentCounter: table.column('sent_counter_s'),
    arrivedWall: table.column('arrived_wall_s'),
    arrivedCounter: table.column('arrived_counter_s'),
    receive: table.column('receive_s'),
    transmit: table.column('transmit_s'),
    leap: table.column('leap'),
    stratum: table.column('stratum'),
    precision: table.column('precision_s'),
    rootDelay: table.column('root_delay_s'),
    rootDispersion: table.column('root_dispersion_s'),
    referenceId: table.column('reference_id'),
    truthTime: table.optional('truth_t_s'),
    truthWall: table.optional('truth_wall_error_s'),
    truthCounter: table.optional('truth_counter_error_s'),
  };
}

function eventOf(row: CsvRow, columns: Columns): RecordedEvent {
  const source = row.name(columns.source);
  const sent = reading(row, columns.sentWall, columns.sentCounter);
  const settled = reading(row, columns.arrivedWall, columns.arrivedCounter);
  if (settled.counter < sent.counter) {
    throw new InputError(row.place, `expected an end after the start at ${sent.counter} s, found ${settled.counter} s`);
  }
  const type = row.text(columns.type);
  if (type !== 'exchange' && type !== 'failure') {
    throw new InputError(row.place, `expected the type 'exchange' or 'failure', found ${shown(type)}`);
  }
  const trueTime = row.optionalNumber(columns.truthTime);
  const wall = row.optionalNumber(columns.truthWall);
  const counter = row.optionalNumber(columns.truthCounter);
  return {
    group: row.name(columns.group),
    event:
      type === 'exchange'
        ? { type, exchange: exchangeOf(row, columns, source, sent, settled) }
        : { type, failure: { source, sent, settled, reason: row.text(columns.reason) } },
    open: openOf(row.text(columns.open), row.place),
    ...(trueTime !== undefined && { trueTime }),
    ...(wall !== undefined && counter !== undefined && { truth: { wall, counter } }),
  };
}

function reading(row: CsvRow, wall: Column, counter: Column): ClockReading {
  return { wall: row.number(wall), counter: row.number(counter) };
}

function exchangeOf(
  row: CsvRow,
  columns: Columns,
  source: string,
  sent: ClockReading,
  arrived: ClockReading,
): Exchange {
  return {
    source,
    sent,
    arrived,
    receive: row.number(columns.receive),
    transmit: row.number(columns.transmit),
    leap: row.number(columns.leap),
    stratum: row.number(columns.stratum),
    precision: row.number(columns.precision),
    rootDelay: row.number(columns.rootDelay),
    rootDispersion: row.number(columns.rootDispersion),
    referenceId: row.number(columns.referenceId),
  };
}

/** `ntp:2 other:1` */
function openOf(text: string, place: string): Readonly<Record<string, number>> {
  const open: Record<string, number> = {};
  for (const pair of text.split(' ')) {
    if (pair === '') continue;
    const colon = pair.lastIndexOf(':');
    if (colon < 1) throw new InputError(place, `expected open questions such as 'ntp:2', found ${shown(text)}`);
    open[pair.slice(0, colon)] = countOf(pair.slice(colon + 1), place, "column 'open'");
  }
  return open;
}
