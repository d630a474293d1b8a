import { z } from 'zod';
import type { Format, RecordedEvent, Recording } from '../../core/contracts/index.js';
import { plugin } from '../../core/plugin/registry.js';
import { type Column, CsvTable, headerOf } from '../../core/recording/csv-table.js';
import { TRACE } from '../../core/recording/exchanges.js';
import { Chronology, LARGEST_STEP_BACK } from '../../core/recording/fields.js';

const Options = z.strictObject({});

/** chronyd rounds its stamps to 2⁻²³ s, 119 ns, before it fuzzes what lies below. */
const PRECISION = 2 ** -23;

/**
 * Exchanges with all four time stamps: `server`, `T1` and `T4` on the local clock (one clock: both axes), `T2` and `T3`
 * on the server's. `t_true_s` is the true time of arrival: it orders and scores. All other columns are left alone: they
 * hold truth, or what another program made of it.
 */
@plugin({
  kind: 'format',
  name: 'peer',
  summary: 'CSV of exchanges: server, T1, T2, T3, T4 (and t_true_s to score by)',
  options: Options,
})
export class PeerFormat implements Format {
  recognises(head: readonly string[]): boolean {
    const header = headerOf(head);
    return header.includes('T1') && header.includes('T2');
  }

  read(lines: Iterable<string>, file: string): Recording {
    const table = new CsvTable(lines, file);
    const server = table.column('server');
    const [t1, t2, t3, t4] = ['T1', 'T2', 'T3', 'T4'].map(name => table.column(name)) as [
      Column,
      Column,
      Column,
      Column,
    ];
    const trueColumn = table.optional('t_true_s');
    const trueOrder = new Chronology(0, 'a true time');
    const order = new Chronology(LARGEST_STEP_BACK, 'an arrival');
    const events: RecordedEvent[] = [];
    for (const row of table.rows()) {
      const sent = row.number(t1);
      const arrived = row.number(t4);
      const trueTime = row.optionalNumber(trueColumn);
      order.follow(arrived, row.place);
      if (trueTime !== undefined) trueOrder.follow(trueTime, row.place);
      const error = trueTime === undefined ? undefined : arrived - trueTime;
      events.push({
        group: TRACE,
        event: {
          type: 'exchange',
          exchange: {
            source: row.name(server),
            sent: { wall: sent, counter: sent },
            arrived: { wall: arrived, counter: arrived },
            receive: row.number(t2),
            transmit: row.number(t3),
            leap: 0,
            stratum: 1,
            precision: PRECISION,
            rootDelay: 0,
            rootDispersion: 0,
            referenceId: 0,
          },
        },
        ...(trueTime !== undefined && { trueTime }),
        ...(error !== undefined && { truth: { wall: error, counter: error } }),
      });
    }
    return { epoch: 0, events, oneClock: true, notes: [] };
  }
}
