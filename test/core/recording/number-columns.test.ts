import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { numberColumns } from '../../../src/core/recording/number-columns.js';

const read = (text: string, ...names: string[]): number[][] =>
  numberColumns(Buffer.from(text), names, 'x.csv').map(column => [...column]);

describe('columns of numbers', () => {
  test('are found by name, in any order; a blank field is NaN', () => {
    expect(read('# a comment\na,b,c\n1,,3\r\n4,5,-6e-7\n', 'c', 'b')).toEqual([
      [3, -6e-7],
      [Number.NaN, 5],
    ]);
  });

  test('may stand beside quoted text with commas and line ends in it, and need no last line end', () => {
    expect(read('a,by,b\n1,"x, ""y""",2\n3,"µ",4', 'a', 'b')).toEqual([
      [1, 3],
      [2, 4],
    ]);
  });

  const number = fc.double({ noNaN: true, noDefaultInfinity: true });
  const readBack = (written: readonly (readonly [number, number])[]): readonly (readonly number[])[] =>
    read(`t,e\n${written.map(([t, e]) => `${t},${e}\n`).join('')}`, 't', 'e');

  test('of up to 15 digits read back as the same doubles, however many', () => {
    const digits = (value: number): number => String(value).split('e')[0]!.replace(/\D/g, '').replace(/^0+/, '').length;
    const short = number
      .map(value => Number(value.toPrecision(15)))
      .filter(value => Number.isFinite(value) && digits(value) <= 15);
    fc.assert(
      fc.property(fc.array(fc.tuple(short, short), { maxLength: 3000 }), rows => {
        const [t, e] = readBack(rows);
        expect(t).toEqual(rows.map(([value]) => (value === 0 ? 0 : value)));
        expect(e).toEqual(rows.map(([, value]) => (value === 0 ? 0 : value)));
      }),
      { numRuns: 20 },
    );
  });

  test('of more digits read back but for their last bits', () => {
    const usual = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(number, usual), { minLength: 1, maxLength: 300 }), rows => {
        const found = readBack(rows);
        for (const [i, row] of rows.entries()) {
          for (const [column, value] of row.entries()) {
            expect(Math.abs(found[column]![i]! - value)).toBeLessThanOrEqual(4 * 2 ** -53 * Math.abs(value));
          }
        }
      }),
    );
  });

  test('are taken in every way in which numbers are written', () => {
    const written = [
      '1',
      '-0.5',
      '+3',
      '.25',
      '7.',
      '1e3',
      '1E+3',
      '-2.5e-3',
      '1e-300',
      '123456789012345678901234567890',
    ];
    expect(read(`a\n${written.join('\n')}\n`, 'a')[0]).toEqual(written.map(Number));
    for (const wrong of ['1e', '1.2.3', '1-2', '--1', '1e5e5', '0x', 'e5', '-', '.', '1 2']) {
      expect(() => read(`a\n${wrong}\n`, 'a')).toThrow('x.csv:2: expected a number');
    }
  });

  test('that are missing, no numbers, or on a row of another length are refused with their line', () => {
    expect(() => read('a,b\n1,2\n', 'z')).toThrow("x.csv:1: expected a column 'z', found: a, b");
    expect(() => read('a,b\n1,2\n1,two\n', 'b')).toThrow("x.csv:3: expected a number in column 'b', found 'two'");
    expect(() => read('a,b\n1,2\n1\n', 'b')).toThrow("x.csv:3: expected 2 fields, found 1 in '1'");
    expect(() => read('a,b\n1,2,3\n', 'b')).toThrow('x.csv:2: expected 2 fields, found 3');
    expect(() => read('', 'a')).toThrow('x.csv: expected a header line');
  });
});
