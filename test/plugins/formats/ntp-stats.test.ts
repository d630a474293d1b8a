import { describe, expect, test } from 'vitest';
import '../../../src/plugins/formats/ntp-peerstats.js';
import '../../../src/plugins/formats/ntp-rawstats.js';
import { exchangesOf, failuresOf, fixture, measurementsOf, readAs, recognises } from '../../support/formats.js';

const rawstats = fixture('ntpsec-rawstats');
const peerstats = fixture('ntpsec-peerstats');
const fieldsOf = (text: string) =>
  text
    .trim()
    .split('\n')
    .map(line => line.split(' '));

/** Nanoseconds since 1900, exactly. */
function nanoseconds(stamp: string): bigint {
  const [seconds = '', decimals = ''] = stamp.split('.');
  return BigInt(seconds) * 1_000_000_000n + BigInt(decimals.padEnd(9, '0'));
}

describe('rawstats that a real ntpd (ntpsec) wrote', () => {
  test('is recognised, and nobody else’s log is', () => {
    expect(recognises('ntp-rawstats', rawstats)).toBe(true);
    expect(recognises('ntp-rawstats', peerstats)).toBe(false);
    expect(recognises('ntp-rawstats', fixture('chrony-measurements.log'))).toBe(false);
    expect(recognises('ntp-rawstats', '')).toBe(false);
  });

  test('gives every offset and delay to the nanosecond', () => {
    const found = measurementsOf(readAs('ntp-rawstats', rawstats));
    const expected = fieldsOf(rawstats);
    expect(found.length).toBe(expected.length);
    found.forEach(({ offset, delay, source }, i) => {
      const [t1, t2, t3, t4] = expected[i]!.slice(4, 8).map(nanoseconds) as [bigint, bigint, bigint, bigint];
      expect(source).toBe(expected[i]![2]);
      expect(Math.abs(offset - Number(t2 - t1 + (t3 - t4)) / 2e9)).toBeLessThan(1e-10);
      expect(Math.abs(delay - Number(t4 - t1 - (t3 - t2)) / 1e9)).toBeLessThan(1e-10);
    });
  });

  test('takes stratum, precision and the Unix second that it starts in', () => {
    const recording = readAs('ntp-rawstats', rawstats);
    const [first] = exchangesOf(recording);
    expect(recording.epoch).toBe(Date.UTC(2026, 10, 21, 22, 24, 10) / 1000);
    expect(first).toMatchObject({ stratum: 2, leap: 0, precision: 2 ** -25 });
    expect(first!.sent.wall).toBeCloseTo(0.229069699, 9);
  });
});

describe('rawstats of other versions and at its edges', () => {
  const stamps = '4004288650.229069699 4004288650.229126616 4004288650.229385387 4004288650.229396268';
  const head = '61365 80650.229 10.77.0.2 10.77.0.1';

  test('an old ntpd’s line ends after the four time stamps', () => {
    expect(recognises('ntp-rawstats', `${head} ${stamps}`)).toBe(true);
    expect(exchangesOf(readAs('ntp-rawstats', `${head} ${stamps}`))[0]).toMatchObject({ stratum: 1, rootDelay: 0 });
  });

  test('time stamps of the era after 2036 are told by the day', () => {
    // 2036-02-08, MJD 64731; era 1 began at 06:28:16 UTC the day before.
    const line = '64731 100.5 10.0.0.1 10.0.0.2 63204.250000000 63204.300000000 63204.300000001 63204.350000000';
    const recording = readAs('ntp-rawstats', line);
    expect(recording.epoch).toBe(Date.UTC(2036, 1, 8, 0, 1, 40) / 1000);
    expect(measurementsOf(recording)[0]!.delay).toBeCloseTo(0.1, 8);
  });

  test('an exchange across the turn of the era holds together', () => {
    const line = '64730 23296.0 10.0.0.1 10.0.0.2 4294967295.900000000 4294967295.950000000 0.050000000 0.100000000';
    const [measurement] = measurementsOf(readAs('ntp-rawstats', line));
    expect(measurement!.delay).toBeCloseTo(0.1, 9);
    expect(measurement!.offset).toBeCloseTo(0, 9);
  });

  test('servers that are not synchronised are failures; lines without four stamps are left out and counted', () => {
    const unset = '0.000000000 4004288650.229126616 4004288650.229385387 4004288650.229396268';
    const text = [
      `${head} ${stamps} 3 4 4 2 0 -25 0.000000 0.000000 INIT 0 0 0`,
      `${head} ${stamps} 0 4 4 16 0 -25 0.000000 0.000000 STEP 0 0 0`,
      `${head} ${unset} 0 4 5 2 0 -25 0.000000 0.000000 GPS 0 0 0`,
    ].join('\n');
    const recording = readAs('ntp-rawstats', text);
    expect(failuresOf(recording).map(({ reason }) => reason)).toEqual(['unsynchronised (leap 3)', 'stratum 16']);
    expect(exchangesOf(recording)).toEqual([]);
    expect(recording.notes).toContain('Left out, without all four time stamps: 1.');
  });

  test.each([
    [`${head} ${stamps.replace('4004288650.229126616', 'nan')}`, 'trace:1: expected T2 as an NTP time stamp'],
    [
      `${head} ${stamps}\n61365 80651.229 10.77`,
      "trace:2: expected at least 8 fields, found 3 in '61365 80651.229 10.77'",
    ],
    [`x1365 80650.229 a b ${stamps}`, "trace:1: expected a whole number for the Modified Julian Day, found 'x1365'"],
    [`61365 abc a b ${stamps}`, "trace:1: expected a number for the seconds past midnight, found 'abc'"],
    [
      `${head} ${stamps}\n${head} ${stamps.replaceAll('40042886', '40042786')}`,
      'trace:2: expected an arrival of 0.229396268 s or later, found -9999.770603732 s: the time runs backwards',
    ],
  ])('a damaged line %# is named', (text, message) => {
    expect(() => readAs('ntp-rawstats', text)).toThrow(message);
  });
});

describe('peerstats that a real ntpd (ntpsec) wrote', () => {
  test('is recognised, and rawstats and loopstats are not taken for it', () => {
    expect(recognises('ntp-peerstats', peerstats)).toBe(true);
    expect(recognises('ntp-peerstats', rawstats)).toBe(false);
    expect(recognises('ntp-peerstats', '61365 79329.335 0.000010089 0.000000 0.000000119 0.000000 0')).toBe(false);
  });

  test('gives every offset and delay as logged', () => {
    const found = measurementsOf(readAs('ntp-peerstats', peerstats));
    const expected = fieldsOf(peerstats);
    expect(found.length).toBe(expected.length);
    found.forEach((measurement, i) => {
      expect(measurement.offset).toBeCloseTo(Number(expected[i]![4]), 11);
      expect(measurement.delay).toBeCloseTo(Number(expected[i]![5]), 11);
      expect(measurement.rootDistance).toBeGreaterThan(Number(expected[i]![6]));
    });
  });

  test('its first line says the same as rawstats’ first: signs and units agree', () => {
    const [raw] = measurementsOf(readAs('ntp-rawstats', rawstats));
    const [peer] = measurementsOf(readAs('ntp-peerstats', peerstats));
    // ntpd adds its reading of the clock's granularity to the delay.
    expect(peer!.offset).toBeCloseTo(raw!.offset, 7);
    expect(peer!.delay).toBeCloseTo(raw!.delay, 6);
    expect(raw!.offset).toBeGreaterThan(0);
  });

  test('the oldest versions have no jitter', () => {
    const line = '48773 10847.650 127.127.4.1 9714 -0.001605000 0.00000 0.00142';
    expect(recognises('ntp-peerstats', line)).toBe(true);
    expect(measurementsOf(readAs('ntp-peerstats', line))[0]).toMatchObject({ source: '127.127.4.1', delay: 0 });
  });

  test('a damaged line is named', () => {
    expect(() => readAs('ntp-peerstats', '61365 80650.229 10.77.0.2 b014 NaN 0.1 7.9 0.0')).toThrow(
      "trace:1: expected a number for the offset, found 'NaN'",
    );
  });
});
