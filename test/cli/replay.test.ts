import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { execute } from '../../src/cli/run.js';
import { openScenario } from '../../src/cli/scenario-files.js';
import type { RunSummary } from '../../src/core/contracts/index.js';
import { fixture } from '../support/formats.js';
import {
  expectSame,
  filesOf,
  put,
  replayed,
  replayPrinting,
  runInto,
  temporaryFolder,
  withoutFirstColumn,
} from '../support/replay.js';

const folder = temporaryFolder();

/**
 * Everything that makes a replay hard: two sources with their own polling, so that their questions overlap; losses, an
 * outage and a time-out as long as the polling; rounds with a quorum; a wall clock that is stepped; a clock 5 % fast.
 */
const HARD = `
name: hard
seed: 7
duration: 20 min
warmup: 2 min
world:
  clock: { use: oscillator, timeError: 300 ms, frequencyError: 5 %, whiteFm: 1e-8, wander: 1e-8 }
  servers:
    - { name: a, delay: 8 ms, jitter: { use: exponential, mean: 2 ms }, loss: 0.1 }
    - { name: b, delay: 15 ms, jitter: { use: exponential, mean: 5 ms }, loss: 0.1 }
    - { name: c, delay: 300 ms, jitter: { use: exponential, mean: 80 ms } }
    - { name: d, delay: 20 ms, jitter: { use: normal, deviation: 1 ms } }
  faults:
    - { use: clock-step, at: 5 min, by: -2 s }
    - { use: outage, at: 10 min, for: 2 min }
    - { use: falseticker, at: 15 min, servers: [b], by: 80 ms }
sources:
  slow: { use: ntp, servers: [a, b, c], poller: { use: fixed, interval: 16 s } }
  fast: { use: ntp, servers: [c, d], poller: { use: fixed, interval: 1 s }, timeout: 1 s }
pipelines:
  - { name: both, filters: [delay-excess, popcorn], combiner: { use: median, quorum: 3 } }
  - { name: slow, source: slow, filters: [{ use: warm-up, measurements: 2 }, delay-gate], combiner: best, timekeeper: hold }
  - { name: fast, source: fast, axis: wall, predictor: linear-regression, corrector: none }
  - { name: none, source: [slow, fast], combiner: inverse-variance, timekeeper: ntp-anchored }
`;

describe('a run, replayed from its own measurements', () => {
  const run = join(folder, 'hard');
  const first = runInto(run, HARD);

  test('is hard: rounds of several servers, failures of several kinds, steps', async () => {
    const { exchanges } = await first;
    expect(exchanges.failed).toBeGreaterThan(100);
    expect(exchanges.answered).toBeGreaterThan(1000);
    const rows = readFileSync(join(run, 'measurements.csv'), 'utf8').split('\n');
    expect(rows.some(row => row.includes('fast:1 slow:1'))).toBe(true);
    expect(filesOf(run, 'estimates-both.csv')['estimates-both.csv']!.includes('no quorum')).toBe(true);
  });

  test('gives the same estimates and the same measurements, byte for byte', async () => {
    await first;
    const again = join(folder, 'hard-again');
    const summary = await replayed(run, { out: again });
    expectSame(filesOf(again, 'estimates-'), filesOf(run, 'estimates-'));
    expectSame(filesOf(again, 'measurements'), filesOf(run, 'measurements'));
    expect(summary).toMatchObject({ scenario: 'hard', seed: '7', warmup: 120, world: 'replayed' });
    expect(summary.pipelines.map(({ name }) => name)).toEqual(['bare-clock', 'both', 'slow', 'fast', 'none']);
    expect(summary.pipelines.every(({ reference }) => reference === 'truth')).toBe(true);
  });

  test('a replay is replayed to the same again, and its scenario runs', async () => {
    await first;
    const [twice, thrice] = [join(folder, 'twice'), join(folder, 'thrice')];
    await replayed(run, { out: twice });
    await replayed(twice, { out: thrice });
    expectSame(filesOf(thrice, 'estimates-'), filesOf(run, 'estimates-'));
    const summary = await runInto(join(folder, 'four'), readFileSync(join(twice, 'scenario.yaml'), 'utf8'));
    expect(summary).toEqual(await replayed(run));
  });

  test('without the truth, as a live run has it, all but the run’s time is the same', async () => {
    await first;
    const bare = readFileSync(join(run, 'measurements.csv'), 'utf8').replace(/^([^#].*),[^,]*,[^,]*,[^,]*$/gm, '$1,,,');
    const live = put(folder, 'live.csv.gz', gzipSync(bare));
    const again = join(folder, 'live-again');
    const summary = await replayed(live, { out: again, pipeline: [join(run, 'scenario.yaml')] });
    expectSame(filesOf(again, 'estimates-'), filesOf(run, 'estimates-'), withoutFirstColumn);
    expect(summary.pipelines.every(({ reference }) => reference === 'ntp')).toBe(true);
  });

  test('shifting its true times by a constant changes nothing but the run’s time', async () => {
    await first;
    const shifted = readFileSync(join(run, 'measurements.csv'), 'utf8')
      .split('\n')
      .map(line => {
        const fields = line.split(',');
        if (line.startsWith('#') || fields.length < 20 || fields[0] === 'group') return line;
        fields[fields.length - 3] = String(Number(fields.at(-3)) + 12345);
        return fields.join(',');
      });
    const again = join(folder, 'shifted-again');
    const trace = put(folder, 'shifted.csv', shifted.join('\n'));
    const summary = await replayed(trace, {
      out: again,
      pipeline: [join(run, 'scenario.yaml')],
      warmup: '120 s',
      seed: '7',
    });
    expectSame(filesOf(again, 'estimates-'), filesOf(run, 'estimates-'), withoutFirstColumn);
    // Ages and the instant of convergence are counted in the run's time, which was shifted.
    const scores = (pipelines: typeof summary.pipelines) => pipelines.map(({ behaviour: _, ...scored }) => scored);
    expect(scores(summary.pipelines)).toEqual(scores((await replayed(run)).pipelines));
  });

  test('other pipelines may be tried on it; one that listens to what was not recorded is refused', async () => {
    await first;
    const summary = await replayed(run, { pipeline: ['regression', 'kalman-wall'] });
    expect(summary.pipelines.map(({ name }) => name)).toEqual(['bare-clock', 'regression', 'kalman-wall']);
    const stranger = put(folder, 'stranger.yaml', 'name: stranger\nsource: fats\n');
    await expect(replayed(run, { pipeline: [stranger] })).rejects.toThrow(
      "--pipeline stranger: listens to a source 'fats' that was not recorded (the recording has 'fast', 'slow')",
    );
  });
});

/** Exchanges of a clock that is 20 ppm fast, every 64 s, over 10 ms each way; its truth beside it, all `shift` s later. */
function peerFolder(name: string, shift = 0): string {
  const into = join(folder, name);
  mkdirSync(into, { recursive: true });
  const error = (t: number): number => 0.05 + 20e-6 * t;
  const rows = ['server,t_true_s,T1,T2,T3,T4,gt_delay_up_s'];
  for (let i = 0; i < 100; i++) {
    const [sent, arrived] = [64 * i + 0.4, 64 * i + 0.42 + 0.001 * (i % 3)];
    const read = (t: number): number => t + error(t);
    rows.push(`1,${arrived + shift},${read(sent)},${sent + 0.01},${sent + 0.01},${read(arrived)},0.01`);
  }
  writeFileSync(join(into, 'measurements.csv.gz'), gzipSync(`${rows.join('\n')}\n`));
  const truth = ['t_true_s,free_running_error_s,freq_error'];
  for (let t = 0; t <= 6400; t++) truth.push(`${t + shift},${error(t) - shift},2e-5`);
  writeFileSync(join(into, 'truth.csv'), `${truth.join('\n')}\n`);
  writeFileSync(join(into, 'scenario.json'), JSON.stringify({ warmup_s: 1200, parameters: {} }));
  return into;
}

describe('a folder with measurements, truth and a description', () => {
  test('is scored against the truth each second after its warm-up', async () => {
    const summary = await replayed(peerFolder('peer'));
    expect(summary.warmup).toBe(1200);
    for (const { reference, samples } of summary.pipelines) expect([reference, samples]).toEqual(['truth', 5201]);
    const bare = summary.pipelines[0]!;
    // 50 ms and 20 ppm, on average over 1200 to 6400 s.
    expect(bare.error!.bias).toBeCloseTo(0.05 + 20e-6 * 3800, 9);
    const kalman = summary.pipelines.find(({ name }) => name === 'kalman-drift')!;
    expect(kalman.error!.max).toBeLessThan(1e-3);
    expect(kalman.winRate).toBe(1);
  });

  test('a longer warm-up in the parameters goes before it, --warmup before both', async () => {
    const slow = peerFolder('slow-start');
    put(slow, 'scenario.json', JSON.stringify({ warmup_s: 1200, parameters: { warmup_alt: 3600 } }));
    expect((await replayed(slow)).warmup).toBe(3600);
    expect((await replayed(slow, { warmup: '10 min' })).warmup).toBe(600);
  });

  test('shifting all true times by a constant leaves the estimates as they are, and moves every error', async () => {
    const outs = ['here', 'there'].map(name => join(folder, `out-${name}`));
    const here = await replayed(peerFolder('here'), { out: outs[0]! });
    const there = await replayed(peerFolder('there', 256), { out: outs[1]! });
    expectSame(filesOf(outs[1]!, 'estimates-'), filesOf(outs[0]!, 'estimates-'), withoutFirstColumn);
    const biasOf = ({ pipelines }: RunSummary): number =>
      pipelines.find(({ name }) => name === 'kalman-drift')!.error!.bias;
    expect(biasOf(there)).toBeCloseTo(biasOf(here) - 256, 9);
  });

  test('truth is taken from the file that is given, and needs no true times in the measurements', async () => {
    const peer = peerFolder('given');
    const series = ['t_s,ntp_offset_s,ntp_uncertainty_s,ntp_delay_s,server'];
    for (let i = 0; i < 100; i++) series.push(`${64 * i + 1},${-0.05 - 20e-6 * (64 * i + 1)},,0.02,s`);
    const trace = put(folder, 'series.csv', series.join('\n'));
    expect((await replayed(trace)).pipelines[0]!.reference).toBe('ntp');
    const { pipelines } = await replayed(trace, { truth: join(peer, 'truth.csv'), warmup: '20 min' });
    expect(pipelines[0]).toMatchObject({ reference: 'truth', samples: 5201 });
    expect(pipelines.find(({ name }) => name === 'kalman-drift')!.error!.max).toBeLessThan(1e-3);
  });

  test('nothing is scored where the truth is not known any more', async () => {
    const short = peerFolder('short');
    const truth = readFileSync(join(short, 'truth.csv'), 'utf8').split('\n').slice(0, 2002).join('\n');
    put(short, 'truth.csv', truth);
    expect((await replayed(short)).pipelines[0]!.samples).toBe(801);
  });
});

describe('scores against NTP', () => {
  // Offsets that grow by 1 ms a measurement: what was held is always 1 ms behind.
  const rows = Array.from(
    { length: 50 },
    (_, i) => `${64 * (i + 1)},${0.001 * i},,0.0001,s,${0.001 * i + 0.0005},0.001,x`,
  );
  const trace = put(
    folder,
    'growing.csv',
    ['t_s,ntp_offset_s,ntp_uncertainty_s,ntp_delay_s,server,other_offset_s,other_uncertainty_s,source', ...rows].join(
      '\n',
    ),
  );

  test('are taken at each measurement, before the pipeline has seen it', async () => {
    const { pipelines, warmup } = await replayed(trace, { pipeline: ['offset-only'] });
    const held = pipelines.find(({ name }) => name === 'offset-only')!;
    expect(warmup).toBe(180);
    expect(held).toMatchObject({ reference: 'ntp', samples: 47 });
    expect(held.error!.mae).toBeCloseTo(0.001, 9);
    expect(held.error!.max).toBeCloseTo(0.001, 9);
    expect(held.error!.bias).toBeCloseTo(-0.001, 9);
  });

  test('rank the answers that another program gave at the time beside the pipelines', async () => {
    const { pipelines } = await replayed(trace, { pipeline: ['offset-only'] });
    const other = pipelines.find(({ name }) => name === 'other')!;
    expect(other.error!.mae).toBeCloseTo(0.0005, 9);
    expect(other.bounds.coverage).toBe(1);
    expect(other.bounds.meanWidth).toBeCloseTo(2 * 1.959964 * 0.001, 8);
    expect(other.samples).toBe(47);
  });

  test('leave files, which the next run in that folder takes away: also those of another program’s answers', async () => {
    const out = join(folder, 'ranked');
    await replayed(trace, { pipeline: ['offset-only'], out });
    const scores = () =>
      readdirSync(out)
        .filter(name => name.startsWith('scored-'))
        .sort();
    expect(scores()).toEqual(['scored-bare-clock.csv', 'scored-offset-only.csv', 'scored-other.csv']);
    put(out, 'scored-mine.csv', 'mine');
    await replayed(put(folder, 'series3.csv', 't_s,ntp_offset_s\n5,0.1\n70,0.1\n'), {
      pipeline: ['kalman-drift'],
      out,
    });
    expect(scores()).toEqual(['scored-bare-clock.csv', 'scored-kalman-drift.csv', 'scored-mine.csv']);
  });
});

describe('the logs of daemons', () => {
  test.each([
    ['chrony-measurements.log', 'chrony-measurements', 'the one that chronyd keeps'],
    ['ntpsec-rawstats', 'ntp-rawstats', 'as ntpd had corrected it'],
    ['ntpsec-peerstats', 'ntp-peerstats', 'offsets are those of its clock filter'],
  ])('%s prints a table that says how it was read', async (name, format, note) => {
    const printed = await replayPrinting(put(folder, name, fixture(name)));
    expect(printed.replace(/\s+/g, ' ')).toContain(`read as ${format}.`);
    expect(printed.replace(/\s+/g, ' ')).toContain(note);
    for (const pipeline of ['bare-clock', 'offset-only', 'regression', 'kalman-anchored']) {
      expect(printed).toMatch(new RegExp(`│ ${pipeline}( \\*)? +│ +[\\d.]+ [mµn]s`));
    }
    expect(printed).toContain('Error = told − the NTP measurements');
  });
});

describe('one-way packets', () => {
  const rows = Array.from(
    { length: 600 },
    (_, i) => `${i},${(4e-4 + 2e-6 * i + (i % 7 === 0 ? 0 : 3e-5 * (i % 5))).toFixed(9)}`,
  );
  const trace = put(folder, 'one-way.csv', ['t_s,oneway_apparent_latency_s', ...rows].join('\n'));

  test('give the relative drift, and say what they cannot give', async () => {
    const printed = await replayPrinting(trace);
    expect(printed).toContain('Relative drift, receiver against sender: +2.000 ppm');
    expect(printed).toContain('Not to be known');
    const { oneWay } = JSON.parse(await replayPrinting(trace, { json: true }));
    expect(oneWay.line.drift).toBeCloseTo(2e-6, 12);
    expect(oneWay.packets).toBe(600);
  });

  test('are given to no pipeline', async () => {
    await expect(replayed(trace, { pipeline: ['kalman-drift'] })).rejects.toThrow(
      'holds one-way packets, which no pipeline can take',
    );
    const scenario = `name: x\nworld: { kind: replayed, trace: ${trace} }\npipelines: [{ name: p }]\n`;
    await expect(runInto(join(folder, 'none'), scenario)).rejects.toThrow('no pipeline can take');
  });
});

describe('a scenario with a replayed world', () => {
  test('finds its trace relative to itself and keeps where that is', async () => {
    const peer = peerFolder('beside');
    const file = put(peer, 'mine.yaml', 'name: mine\nworld: { kind: replayed, trace: . }\npipelines: [{ name: p }]\n');
    const out = join(folder, 'mine-out');
    await execute(await openScenario(file), { out, json: true });
    const kept = readFileSync(join(out, 'scenario.yaml'), 'utf8');
    const summary = await runInto(join(folder, 'mine-again'), kept);
    expect(summary.pipelines[1]).toMatchObject({ name: 'p', reference: 'truth' });
    expect(summary.pipelines[1]!.error!.rms).toBeLessThan(0.001);
  });
});

describe('a trace that cannot be replayed', () => {
  const peer = gzipSync('server,T1,T2,T3,T4\n1,0,1,1,2\n');
  const own = '# escapement-measurements 1, epoch 0\ngroup,source';
  const known = 'chrony-measurements, escapement, ntp-peerstats, ntp-rawstats, offset-series, one-way, peer';

  test.each([
    ['empty.csv', '', 'is empty'],
    ['blank.csv', '\n\n', `is in no format that is known (${known}): it begins nothing`],
    ['prose.txt', 'Dear diary,\n', `is in no format that is known (${known}): it begins 'Dear diary,'`],
    ['picture.png', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0, 1), 'is not text: it holds zero bytes'],
    ['cut.csv.gz', peer.subarray(0, 20), 'cannot be unzipped: unexpected end of file'],
    ['header.csv', 'server,T1,T2,T3,T4\n', 'the recording holds no measurement'],
    ['torn.csv', 'server,T1,T2,T3,T4\n1,0,1,1,2\n1,64,6', ":3: expected 5 fields, found 3 in '1,64,6'"],
    ['column.csv', 'server,T1,T2,T3,T5\n1,0,1,1,2\n', ":1: expected a column 'T4', found: server, T1, T2, T3, T5"],
    ['nan.csv', 'server,T1,T2,T3,T4\n1,0,NaN,1,2\n', ":2: expected a number for column 'T2', found 'NaN'"],
    ['back.csv', 't_s,ntp_offset_s\n5,0.1\n4,0.1\n', ':3: expected a time of 5 s or later, found 4 s'],
    ['version.csv', own.replace('measurements 1', 'measurements 9'), ":1: expected '# escapement-measurements 1,"],
    ['few.csv', 't_s,oneway_apparent_latency_s\n1,2\n', 'expected at least three packets'],
  ])('%s', async (name, content, message) => {
    const path = put(folder, name, content);
    await expect(replayed(path)).rejects.toThrow(message);
    await expect(replayed(path)).rejects.toThrow(path);
    await expect(replayed(path)).rejects.toMatchObject({ name: 'InputError' });
  });

  test('a file that ends in the middle of a line is said to', async () => {
    const path = put(folder, 'cut.csv', 'server,T1,T2,T3,T4\n1,0,1,1,2\n1,64,6');
    await expect(replayed(path)).rejects.toThrow('ends in the middle of line 3: take that line out to replay the rest');
    const whole = put(folder, 'whole.csv', 'server,T1,T2,T3,T4\n1,64,6\n');
    await expect(replayed(whole)).rejects.not.toThrow('ends in the middle');
  });

  test.each([
    ['missing.csv', {}, 'cannot be read: no such file or folder'],
    ['.', {}, 'expected measurements.csv or measurements.csv.gz in this folder, found neither'],
    ['good.csv', { format: 'chrony' }, "--format: unknown format 'chrony'"],
    ['good.csv', { format: 'offset-series' }, "good.csv:1: expected a column 't_s', found: server"],
    ['good.csv', { truth: 'nowhere.csv' }, 'nowhere.csv: cannot be read: no such file or folder'],
    ['good.csv', { warmup: 'soon' }, "--warmup: expected a time such as 64 s, 200 ms or 3 h, found 'soon'"],
    ['good.csv', { warmup: '-1 s' }, '--warmup: expected 0 or more, found -1 s'],
    ['good.csv', { warmup: '2 h' }, "--warmup: expected less than the recording's 64 s, found 2 h"],
    [
      'good.csv',
      { pipeline: ['kalman-drft'] },
      "--pipeline: unknown pipeline 'kalman-drft' (did you mean 'kalman-drift'?)",
    ],
  ])('%s with %j', async (name, options, message) => {
    const empty = join(folder, 'empty');
    mkdirSync(empty, { recursive: true });
    put(folder, 'good.csv', 'server,T1,T2,T3,T4\n1,0,1,1,2\n1,64,65,65,66\n');
    const path = name === '.' ? empty : join(folder, name);
    await expect(replayed(path, options)).rejects.toThrow(message);
  });

  test.each([
    ['t_true_s,error_s\n0,1\n', ":1: expected a column 'free_running_error_s', found: t_true_s, error_s"],
    [
      't_true_s,free_running_error_s\n0,1\n1,NaN\n',
      ":3: expected a number for column 'free_running_error_s', found 'NaN'",
    ],
    ['t_true_s,free_running_error_s\n1,1\n0,1\n', ':3: expected a true time of 1 s or later, found 0 s'],
    ['t_true_s,free_running_error_s\n', 'holds no truth'],
    [
      't_true_s,free_running_error_s\n9000,1\n9001,1\n',
      'expected measurements while the truth is known, 9000 to 9001 s',
    ],
  ])('truth %#', async (content, message) => {
    const truth = put(folder, 'bad-truth.csv', content);
    const trace = put(folder, 'series2.csv', 't_s,ntp_offset_s\n5,0.1\n9,0.1\n');
    await expect(replayed(trace, { truth })).rejects.toThrow(message);
  });

  test('a file with a byte order mark and line ends of another system is read', async () => {
    const path = put(folder, 'windows.csv', '\ufefft_s,ntp_offset_s\r\n5,0.1\r\n70,0.1\r\n140,0.1\r\n');
    expect((await replayed(path, { warmup: '0' })).exchanges.answered).toBe(3);
  });
});
