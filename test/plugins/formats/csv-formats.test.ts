import { describe, expect, test } from 'vitest';
import '../../../src/plugins/formats/escapement.js';
import '../../../src/plugins/formats/offset-series.js';
import '../../../src/plugins/formats/one-way.js';
import '../../../src/plugins/formats/peer.js';
import { exchangesOf, failuresOf, measurementsOf, readAs, recognises } from '../../support/formats.js';

const ESCAPEMENT = [
  '# escapement-measurements 1, epoch 1767225600',
  'group,source,type,reason,open,sent_wall_s,sent_counter_s,arrived_wall_s,arrived_counter_s,receive_s,transmit_s,' +
    'leap,stratum,precision_s,root_delay_s,root_dispersion_s,reference_id,truth_t_s,truth_wall_error_s,' +
    'truth_counter_error_s',
  'ntp,near,exchange,,ntp:2 other:1,0.5,0.02,0.6,0.12,0.03,0.031,0,1,1e-6,0.01,0.001,1396657152,0.1,0.5,0.02',
  'ntp,"far, far",failure,"kiss ""RATE"", slow",,1.5,1.02,2.5,2.02,,,,,,,,,2,0.5,0.02',
].join('\n');

const PEER = [
  'seq,server,t_true_s,t_local_s,T1,T2,T3,T4,offset_s,delay_s,gt_t1_true_s,chrony_offset_s',
  '0,1,0.25,0.75,0.5,0.125,0.1875,0.75,9,9,777,888',
  '1,7,64.25,64.75,64.5,64.125,64.1875,64.75,9,9,777,888',
].join('\n');

const SERIES = [
  't_s,ntp_offset_s,ntp_uncertainty_s,ntp_delay_s,server,chronotick_offset_s,chronotick_uncertainty_s,source',
  '0.000,0.0625,0.03125,0.0625,a,,,',
  '0.051,0.06,0.02,,b,,,',
  '5.000,,,,,0.05,0.001,cpu',
  '10.000,0.061,0,,a,0.051,,fusion',
].join('\n');

test.each([
  ['escapement', ESCAPEMENT],
  ['peer', PEER],
  ['offset-series', SERIES],
  ['one-way', 't_s,oneway_apparent_latency_s\n0,0.1'],
])('a file of the format %s is recognised by that one alone', (name, text) => {
  const claims = ['escapement', 'peer', 'offset-series', 'one-way'].filter(format => recognises(format, text));
  expect(claims).toEqual([name]);
});

describe('measurements.csv of a run', () => {
  test('exchanges, failures, open questions and truth come back', () => {
    const recording = readAs('escapement', ESCAPEMENT);
    expect(recording.epoch).toBe(1767225600);
    expect(exchangesOf(recording)).toEqual([
      {
        source: 'near',
        sent: { wall: 0.5, counter: 0.02 },
        arrived: { wall: 0.6, counter: 0.12 },
        ...{ receive: 0.03, transmit: 0.031, leap: 0, stratum: 1, precision: 1e-6 },
        ...{ rootDelay: 0.01, rootDispersion: 0.001, referenceId: 1396657152 },
      },
    ]);
    expect(failuresOf(recording)).toEqual([
      {
        source: 'far, far',
        reason: 'kiss "RATE", slow',
        sent: { wall: 1.5, counter: 1.02 },
        settled: { wall: 2.5, counter: 2.02 },
      },
    ]);
    expect(recording.events.map(({ open }) => open)).toEqual([{ ntp: 2, other: 1 }, {}]);
    expect(recording.events[0]).toMatchObject({ group: 'ntp', trueTime: 0.1, truth: { wall: 0.5, counter: 0.02 } });
  });

  test('without truth columns there is no truth', () => {
    const cut = ESCAPEMENT.split('\n').map(line => (line.startsWith('#') ? line : line.replace(/(,[^,]*){3}$/, '')));
    const [event] = readAs('escapement', cut.join('\n')).events;
    expect(event).not.toHaveProperty('truth');
    expect(event).not.toHaveProperty('trueTime');
  });

  const edit = (from: string, to: string): string => ESCAPEMENT.replace(from, to);
  test.each([
    [
      edit('measurements 1,', 'measurements 2,'),
      "trace:1: expected '# escapement-measurements 1, epoch SECONDS', found",
    ],
    [edit('sent_wall_s', 'sent_s'), "trace:2: expected a column 'sent_wall_s', found: group, source"],
    [edit('ntp,near', 'near'), "trace:3: expected 20 fields, found 19 in 'near,exchange"],
    [edit(',exchange,', ',exchnage,'), "trace:3: expected the type 'exchange' or 'failure', found 'exchnage'"],
    [edit('0.03,0.031', '0.03,NaN'), "trace:3: expected a number for column 'transmit_s', found 'NaN'"],
    [edit('0.6,0.12', '0.6,0.01'), 'trace:3: expected an end after the start at 0.02 s, found 0.01 s'],
    [
      edit('1.5,1.02,2.5,2.02', '-9,-9,-8.5,-8.5'),
      'trace:4: expected a settled counter of 0.12 s or later, found -8.5 s',
    ],
    [edit(',2,0.5,0.02', ',0.05,0.5,0.02'), 'trace:4: expected a true time of 0.1 s or later, found 0.05 s'],
    [edit('ntp:2', 'ntp'), "trace:3: expected open questions such as 'ntp:2', found 'ntp other:1'"],
    [edit('ntp,near', 'ntp,'), "trace:3: expected a name in column 'source', found nothing"],
  ])('a damaged file %# is named', (text, message) => {
    expect(() => readAs('escapement', text)).toThrow(message);
  });
});

describe('peer', () => {
  test('only server and time stamps become inputs; true time and error order and score', () => {
    const recording = readAs('peer', PEER);
    expect(measurementsOf(recording).map(({ source, offset, delay }) => [source, offset, delay])).toEqual([
      ['1', -0.46875, 0.1875],
      ['7', -0.46875, 0.1875],
    ]);
    expect(recording.events.map(({ trueTime, truth }) => [trueTime, truth])).toEqual([
      [0.25, { wall: 0.5, counter: 0.5 }],
      [64.25, { wall: 0.5, counter: 0.5 }],
    ]);
    const changed = PEER.replaceAll(',9,9,777,888', ',1,2,3,4').replaceAll(',0.75,0.5,', ',99,0.5,');
    expect(readAs('peer', changed)).toEqual(recording);
    const withoutTruth = readAs('peer', PEER.replace('t_true_s', 'unused'));
    expect(exchangesOf(withoutTruth)).toEqual(exchangesOf(recording));
    expect(withoutTruth.events[0]).not.toHaveProperty('trueTime');
  });

  test.each([
    [PEER.replace('T4', 'T5'), "trace:1: expected a column 'T4', found: seq, server"],
    [PEER.replace('64.1875', ''), "trace:3: expected a number for column 'T3', found nothing"],
    [PEER.replace('1,7,64.25', '1,7,0.125'), 'trace:3: expected a true time of 0.25 s or later, found 0.125 s'],
    [PEER.slice(0, -30), 'trace:3: expected 12 fields, found 6'],
  ])('a damaged file %# is named', (text, message) => {
    expect(() => readAs('peer', text)).toThrow(message);
  });
});

describe('a series of offsets', () => {
  test('offset and delay are as recorded; an unknown delay is twice the uncertainty', () => {
    const found = measurementsOf(readAs('offset-series', SERIES));
    expect(found.map(({ source }) => source)).toEqual(['a', 'b', 'a']);
    const expected = [
      [0.0625, 0.0625],
      [0.06, 0.04],
      [0.061, 0],
    ] as const;
    for (const [i, [offset, delay]] of expected.entries()) {
      expect(found[i]!.offset).toBeCloseTo(offset, 14);
      expect(found[i]!.delay).toBeCloseTo(delay, 14);
    }
    expect(found.map(({ exchange }) => exchange.arrived.wall)).toEqual([0, 0.051, 10]);
  });

  test('with neither delay nor uncertainty a measurement is good for a millisecond', () => {
    expect(measurementsOf(readAs('offset-series', SERIES))[2]!.uncertainty).toBe(1e-3);
  });

  test('an uncertainty beyond half the delay widens the root distance', () => {
    const wide = SERIES.replace('0.0625,0.03125,0.0625', '0.0625,0.5,0.0625');
    const [narrow, wider] = [SERIES, wide].map(text => measurementsOf(readAs('offset-series', text))[0]!.rootDistance);
    expect(wider! - narrow!).toBeCloseTo(0.5 - 0.03125, 12);
  });

  test('different servers within a second are one round; a server that comes again begins the next', () => {
    const row = (t: number, server: string): string => `${t},0.01,,0.02,${server}`;
    const text = [
      't_s,ntp_offset_s,ntp_uncertainty_s,ntp_delay_s,server',
      ...[row(0, 'a'), row(0.1, 'b'), row(0.2, 'c'), row(0.3, 'a'), row(0.5, 'b'), row(2, 'c'), row(9, 'a')],
    ].join('\n');
    const left = readAs('offset-series', text).events.map(({ open }) => open?.['trace'] ?? 0);
    expect(left).toEqual([2, 1, 0, 1, 0, 0, 0]);
  });

  test('what another program answered stands beside the measurements, not among them', () => {
    expect(readAs('offset-series', SERIES).answers).toEqual({
      chronotick: [
        { at: 5, offset: 0.05, uncertainty: 0.001 },
        { at: 10, offset: 0.051, uncertainty: undefined },
      ],
    });
  });

  test('only time and offset are needed', () => {
    const [measurement] = measurementsOf(readAs('offset-series', 't_s,ntp_offset_s\n1,-0.5'));
    expect(measurement).toMatchObject({ source: 'ntp', offset: -0.5, delay: 0 });
  });

  test.each([
    [SERIES.replace('10.000', '4.000'), 'trace:5: expected a time of 5 s or later, found 4 s: the time runs backwards'],
    [SERIES.replace('0.0625,a', '-0.1,a'), 'trace:2: expected a delay of 0 or more, found -0.1'],
    [SERIES.replace('0.02,,b', '-0.02,,b'), 'trace:3: expected an uncertainty of 0 or more, found -0.02'],
    [SERIES.replace('0.061', 'inf'), "trace:5: expected a number for column 'ntp_offset_s', found 'inf'"],
    [SERIES.replace('t_s', 'time'), "trace:1: expected a column 't_s', found: time, ntp_offset_s"],
  ])('a damaged file %# is named', (text, message) => {
    expect(() => readAs('offset-series', text)).toThrow(message);
  });
});
