import { describe, expect, test } from 'vitest';
import '../../../src/plugins/formats/chrony-measurements.js';
import { exchangesOf, failuresOf, fixture, measurementsOf, readAs, recognises } from '../../support/formats.js';

const log = fixture('chrony-measurements.log');
const rows = log.split('\n').filter(line => /^\d{4}-/.test(line));
const read = (text: string) => readAs('chrony-measurements', text);

/** A line as chronyd writes it, with some fields changed. */
function line(changed: Readonly<Record<number, string>> = {}): string {
  const fields = [
    ...['2026-11-21', '22:24:11', '203.0.113.15', 'N', '2', '111', '111', '1111', '10', '10', '1.00'],
    ...['-4.966e-03', '2.296e-01', '1.577e-05', '1.615e-01', '7.446e-03', 'CB00717B', '4B', 'D', 'K'],
  ];
  return fields.map((field, index) => changed[index] ?? field).join(' ');
}

describe('a log that a real chronyd wrote', () => {
  test('is recognised with its banner, without it, and as a banner alone', () => {
    expect(recognises('chrony-measurements', log)).toBe(true);
    expect(recognises('chrony-measurements', rows.join('\n'))).toBe(true);
    expect(recognises('chrony-measurements', log.split('\n').slice(0, 3).join('\n'))).toBe(true);
  });

  test('gives every offset and delay as logged, banners in between passed over', () => {
    const good = rows.filter(row => / 111 111 /.test(row)).map(row => row.split(/\s+/));
    const found = measurementsOf(read(log));
    expect(found.length).toBe(good.length);
    expect(found.length).toBeGreaterThan(60);
    found.forEach((measurement, i) => {
      expect(measurement.source).toBe(good[i]![2]);
      expect(measurement.offset).toBeCloseTo(Number(good[i]![11]), 12);
      expect(measurement.delay).toBeCloseTo(Number(good[i]![12]), 12);
    });
  });

  test('packets that fail RFC 5905’s tests are failures with their reason', () => {
    const failures = failuresOf(read(log));
    expect(failures.length).toBe(rows.filter(row => / 111 101 /.test(row)).length);
    expect(new Set(failures.map(({ source, reason }) => `${source} ${reason}`))).toEqual(
      new Set(['10.77.0.3 chronyd: unsynchronised']),
    );
  });

  test('times are half way between question and answer, from the first line on', () => {
    const recording = read(log);
    expect(recording.epoch).toBe(Date.UTC(2026, 10, 21, 22, 24, 9) / 1000);
    const slow = measurementsOf(recording).find(({ delay }) => delay > 1)!;
    expect(slow.at.counter).toBeCloseTo(0, 12);
    expect(slow.exchange.arrived.counter).toBeCloseTo(1.015 / 2, 9);
  });
});

test('the fields of the manual’s example come out', () => {
  const [exchange] = exchangesOf(read(line()));
  expect(exchange).toMatchObject({
    source: '203.0.113.15',
    leap: 0,
    stratum: 2,
    rootDelay: 0.1615,
    rootDispersion: 7.446e-3,
    precision: 1.577e-5,
    referenceId: 0xcb00717b,
  });
});

test.each([
  [{ 5: '011' }, 'duplicate'],
  [{ 5: '101' }, 'bogus origin'],
  [{ 5: '110' }, 'invalid time stamps'],
  [{ 6: '011' }, 'not authentic'],
  [{ 6: '101' }, 'unsynchronised'],
  [{ 6: '110' }, 'root distance'],
  [{ 7: '1110' }, 'synchronisation loop'],
  [{ 3: '?' }, 'unsynchronised'],
])('%j is the failure "%s"', (changed, reason) => {
  expect(failuresOf(read(line(changed)))[0]?.reason).toBe(`chronyd: ${reason}`);
});

test('chronyd’s own judgement of the delay is left to the pipelines', () => {
  expect(exchangesOf(read(line({ 7: '0001' }))).length).toBe(1);
});

test('a system clock that was set back is followed, a log in the wrong order is refused', () => {
  const early = line({ 1: '22:24:10' });
  expect(exchangesOf(read(`${line()}\n${early}`)).map(({ arrived }) => Math.round(arrived.wall))).toEqual([0, -1]);
  expect(() => read(`${line()}\n${line({ 1: '21:24:11' })}`)).toThrow(
    'trace:2: expected a time of 0 s or later, found -3600 s: the time runs backwards',
  );
});

test.each([
  [line({ 11: 'nan' }), "trace:1: expected a number for the offset, found 'nan'"],
  [line({ 12: '-inf' }), "trace:1: expected a number for the peer delay, found '-inf'"],
  [line({ 0: '2026-13-21' }), "trace:1: expected a date such as 2026-01-31 23:59:59, found '2026-13-21 22:24:11'"],
  [line({ 3: 'X' }), "trace:1: expected a leap status N, +, - or ?, found 'X'"],
  [line({ 16: '127.0.0.1' }), "trace:1: expected a reference ID of 8 hexadecimal digits, found '127.0.0.1'"],
  [line({ 5: '1x1' }), "trace:1: expected results of tests such as 111, found '1x1'"],
  [
    `${line()}\n2026-11-21 22:24:12 203.0`,
    "trace:2: expected at least 17 fields, found 3 in '2026-11-21 22:24:12 203.0'",
  ],
])('a damaged line %# is named', (text, message) => {
  expect(() => read(text)).toThrow(message);
});
