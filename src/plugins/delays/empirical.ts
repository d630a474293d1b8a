import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { inject } from 'inversify';
import { z } from 'zod';
import { readColumn } from '../../core/column.js';
import type { DelayLaw, RandomStream } from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { InputFolder } from '../../core/plugin/tokens.js';
import { time } from '../../core/quantity.js';

const Options = z.strictObject({
  file: z.string().meta({ description: 'CSV, or one number a line; relative to the scenario file.' }),
  column: z
    .union([z.string(), z.int().min(1)])
    .optional()
    .meta({ description: 'Name of the column, or its number from 1, where there are several.' }),
  unit: time('What the numbers count.', { above: 0 }).prefault('1 s'),
  minimum: z
    .enum(['keep', 'subtract'])
    .default('keep')
    .meta({ description: '`subtract` makes queueing delays of whole ones: the least is taken from all.' }),
});

/** Queueing delays measured elsewhere: their own distribution, interpolated between neighbours, drawn by inversion. */
@plugin({
  kind: 'delay',
  name: 'empirical',
  summary: 'Queueing delays distributed as in a file',
  options: Options,
  example: { file: 'delays.csv' },
})
export class EmpiricalDelay implements DelayLaw {
  private readonly sorted: Float64Array;

  constructor(@inject(PluginOptions) options: z.output<typeof Options>, @inject(InputFolder) folder: string) {
    const { file, unit, minimum, column } = options;
    let text: string;
    try {
      text = readFileSync(resolve(folder, file), 'utf8');
    } catch (error) {
      const why = error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'no such file' : String(error);
      throw new InputError(file, `cannot be read: ${why}`);
    }
    const values = readColumn(text, file, column?.toString(), '`column`').map(value => value * unit);
    this.sorted = values.sort();
    const least = this.sorted[0]!;
    if (minimum === 'subtract') this.sorted = this.sorted.map(value => value - least);
    else if (least < 0) throw new InputError(file, `expected delays, from 0 on, found ${least / unit}`);
  }

  draw(random: RandomStream): number {
    const { sorted } = this;
    const place = random.uniform() * (sorted.length - 1);
    const i = Math.floor(place);
    const low = sorted[i]!;
    return i + 1 < sorted.length ? low + (place - i) * (sorted[i + 1]! - low) : low;
  }
}
