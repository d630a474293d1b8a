import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InputError } from '../../../src/core/errors.js';
import { Chronology, countOf, numberOf, splitCsv } from '../../../src/core/recording/fields.js';

test('CSV fields come back as they were written, with commas and quotes in them', () => {
  const quote = (field: string, always: boolean): string =>
    always || /[",]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
  const line = fc.array(
    fc.tuple(
      fc.string().map(text => text.replace(/[\r\n]/g, ' ')),
      fc.boolean(),
    ),
    { minLength: 1 },
  );
  fc.assert(
    fc.property(line, fields => {
      const written = fields.map(([field, always]) => quote(field, always)).join(',');
      expect(splitCsv(written)).toEqual(fields.map(([field]) => field));
    }),
  );
});

test('every double reads back as itself', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), value => {
      expect(numberOf(String(value), 'f:1', 'x')).toEqual(value === 0 ? 0 : value);
    }),
  );
});

test.each(['', 'NaN', 'nan', 'Infinity', '-inf', '0x10', '1,5', '12abc', '1e999', '--3', '1e', '.', ' 1'])(
  '%j is not a number, and the place says so',
  text => {
    expect(() => numberOf(text, 'trace.csv:7', "column 'T1'")).toThrow(InputError);
    expect(() => numberOf(text, 'trace.csv:7', "column 'T1'")).toThrow(
      "trace.csv:7: expected a number for column 'T1', found",
    );
  },
);

test('a count is a whole number from 0 up', () => {
  expect(countOf('012', 'f:1', 'n')).toBe(12);
  for (const text of ['-1', '1.5', '', 'x', '1e3'])
    expect(() => countOf(text, 'f:1', 'n')).toThrow('expected a whole number');
});

test('times may run backwards by the tolerance and no further', () => {
  const order = new Chronology(2, 'a time');
  for (const time of [5, 3, 3, 9, 7.5]) order.follow(time, 'f:1');
  expect(() => order.follow(5.4, 'f:6')).toThrow(
    'f:6: expected a time of 7.5 s or later, found 5.4 s: the time runs backwards',
  );
});
