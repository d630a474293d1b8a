import { z } from 'zod';
import type { Format, OneWayRecording } from '../../core/contracts/index.js';
import { plugin } from '../../core/plugin/registry.js';
import { CsvTable, headerOf } from '../../core/recording/csv-table.js';
import { Chronology } from '../../core/recording/fields.js';

const Options = z.strictObject({});

/** Packets one way: `t_s` and `oneway_apparent_latency_s`, the receiver's stamp minus the sender's. */
@plugin({
  kind: 'format',
  name: 'one-way',
  summary: 'CSV of one-way packets: t_s, oneway_apparent_latency_s',
  options: Options,
})
export class OneWayFormat implements Format {
  recognises(head: readonly string[]): boolean {
    const header = headerOf(head);
    return header.includes('oneway_apparent_latency_s');
  }

  read(lines: Iterable<string>, file: string): OneWayRecording {
    const table = new CsvTable(lines, file);
    const time = table.column('t_s');
    const apparent = table.column('oneway_apparent_latency_s');
    const order = new Chronology(0, 'a time');
    const t: number[] = [];
    const latency: number[] = [];
    for (const row of table.rows()) {
      const at = row.number(time);
      order.follow(at, row.place);
      t.push(at);
      latency.push(row.number(apparent));
    }
    return { t: Float64Array.from(t), latency: Float64Array.from(latency) };
  }
}
