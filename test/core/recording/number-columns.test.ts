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

  test('read back as the same doubles, however many', () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(number, number), { maxLength: 3000 }), rows => {
        const text = `t,e\n${rows.map(([t, e]) => `${t},${e}\n`).join('')}`;
        const [t, e] = read(text, 't', 'e');
        expect(t).toEqual(rows.map(([value]) => (value === 0 ? 0 : value)));
        expect(e).toEqual(rows.map(([, value]) => (value === 0 ? 0 : value)));
      }),
      { numRuns: 20 },
    );
  });

  test('that are missing, no numbers, or on a row of another length are refused with their line', () => {
    expect(() => read('a,b\n1,2\n', 'z')).toThrow("x.csv:1: expected a column 'z', found: a, b");
    expect(() => read('a,b\n1,2\n1,two\n', 'b')).toThrow("x.csv:3: expected a number in column 'b', found 'two'");
    expect(() => read('a,b\n1,2\n1\n', 'b')).toThrow("x.csv:3: expected 2 fields, found 1 in '1'");
    expect(() => read('a,b\n1,2,3\n', 'b')).toThrow('x.csv:2: expected 2 fields, found 3');
    expect(() => read('', 'a')).toThrow('x.csv: expected a header line');
  });
});
