// npm run docs:plots: runs every model of the simulated world and draws what it does, as SVG files in docs/plots/, one or
// more for each page. The same source gives the same bytes.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BarChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { stringify } from 'yaml';
import { parseScenario, runScenario, stability } from '../dist/bench.js';
import { parsed } from './options.js';

parsed();
use([BarChart, LineChart, ScatterChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

const folder = fileURLToPath(new URL('../docs/plots/', import.meta.url));
const COLOURS = ['#3b6fb6', '#d1495b', '#2e8b57', '#c98a1b', '#7b52ab', '#5b5b5b', '#1f9bb3', '#b5651d'];
const TEXT = '#444';
const FONT = 'sans-serif';

/** What one scenario gives: samples of a sink, exchanges and the summary. */
async function run(scenario, { interval, behaviour = false } = {}) {
  const text = stringify({
    name: 'plot',
    seed: 'plot',
    warmup: 0,
    ...scenario,
    world: { servers: [{ name: 'server', delay: '10 ms' }], ...scenario.world },
    pipelines: scenario.pipelines ?? [{ name: 'default', corrector: 'ensemble' }],
  });
  const loaded = await parseScenario(text, 'plot.yaml');
  const samples = [];
  const exchanges = [];
  const sink = {
    ...(interval && { interval, sample: sample => samples.push(sample) }),
    exchange: ({ t, group, event }) =>
      event.type === 'exchange' && exchanges.push({ t, group, exchange: event.exchange }),
  };
  const summary = await runScenario({ ...loaded, sinks: [sink], behaviour });
  return { samples, exchanges, summary, of: name => samples.filter(({ pipeline }) => pipeline === name) };
}

/** At most `most` of the points: what a plot of this width can show. */
function thin(points, most = 360) {
  const every = Math.ceil(points.length / most);
  return points.filter((_, i) => i % every === 0).map(([x, y]) => [short(x), short(y)]);
}
const short = x => Number(x.toPrecision(5));

/**
 * Small plots side by side in one file.
 * panels: { title, x, y, xLog, yLog, yRange, series: [{ name, points, kind, dashed }] }
 */
function draw(name, panels, { columns = 3, width = 300, height = 210, legend = false } = {}) {
  const rows = Math.ceil(panels.length / columns);
  const total = [Math.min(columns, panels.length) * width, rows * height + (legend ? 24 : 0)];
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: total[0], height: total[1] });
  const place = i => [(i % columns) * width, Math.floor(i / columns) * height];
  const axis = (label, log, range = {}) => ({
    type: log ? 'log' : 'value',
    name: label,
    nameLocation: 'middle',
    nameTextStyle: { color: TEXT, fontSize: 10, fontFamily: FONT },
    axisLabel: { color: TEXT, fontSize: 9, fontFamily: FONT, hideOverlap: true, ...(log && { formatter: power }) },
    axisLine: { show: true, onZero: false, lineStyle: { color: '#999' } },
    splitLine: { lineStyle: { color: '#eee' } },
    scale: true,
    ...range,
  });
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    color: COLOURS,
    title: panels.map(({ title }, i) => ({
      text: title,
      left: place(i)[0] + 50,
      top: place(i)[1] + 4,
      textStyle: { fontSize: 11, fontWeight: 'bold', color: TEXT, fontFamily: FONT },
    })),
    ...(legend && {
      legend: {
        bottom: 0,
        itemHeight: 8,
        itemGap: 24,
        textStyle: { fontSize: 10, color: TEXT, fontFamily: FONT },
        data: [...new Set(panels.flatMap(({ series }) => series.map(one => one.name)))],
      },
    }),
    grid: panels.map((_, i) => ({
      left: place(i)[0] + 52,
      top: place(i)[1] + 26,
      width: width - 66,
      height: height - 66,
    })),
    xAxis: panels.map(({ x, xLog, xRange }, i) => ({ gridIndex: i, nameGap: 20, ...axis(x, xLog, xRange) })),
    yAxis: panels.map(({ y, yLog, yRange }, i) => ({ gridIndex: i, nameGap: 38, ...axis(y, yLog, yRange) })),
    series: panels.flatMap(({ series }, i) =>
      series.map(({ name: of = '', points, kind = 'line', dashed = false, colour }) => ({
        name: of,
        type: kind,
        xAxisIndex: i,
        yAxisIndex: i,
        data: points,
        showSymbol: false,
        symbolSize: kind === 'scatter' ? 2 : 0,
        // All points in one path: a tenth of the bytes.
        ...(kind === 'scatter' && { large: true, largeThreshold: 1 }),
        silent: true,
        lineStyle: { width: 1.2, ...(dashed && { type: 'dashed', width: 1 }) },
        ...(colour !== undefined && { itemStyle: { color: COLOURS[colour] } }),
        ...(kind === 'bar' && { barWidth: '80%' }),
      })),
    ),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  writeFileSync(`${folder}${name}.svg`, `${svg}\n`);
}

function power(value) {
  const exponent = Math.round(Math.log10(value));
  return Math.abs(Math.log10(value) - exponent) < 1e-6 ? `1e${exponent}` : '';
}

/** A clock whose every error comes from one part. */
const clockOf = (...parts) => ({ use: 'oscillator', frequencyError: 0, granularity: 0, parts });
const QUIET = { duration: '1 h', sources: { ntp: { use: 'ntp', poller: { use: 'fixed', interval: '1024 s' } } } };
const HOUR = 3600;

async function phaseOf(clock, duration, interval = 1) {
  const { of } = await run({ ...QUIET, duration: `${duration} s`, world: { clock } }, { interval });
  return of('bare-clock').map(({ t, error }) => [t, error]);
}

async function oscillators() {
  const noises = ['white-pm', 'flicker-pm', 'white-fm', 'flicker-fm', 'random-walk-fm'];
  const panels = [];
  const deviations = [];
  for (const use of noises) {
    const points = await phaseOf(clockOf({ use, adev: 1e-10 }), 2 ** 16);
    panels.push({
      title: use,
      x: 'time, s',
      y: 'phase, ns',
      series: [{ points: thin(points.slice(0, 2000).map(([t, x]) => [t, x * 1e9])) }],
    });
    const rows = stability(
      Float64Array.from(points, ([, x]) => x),
      1,
      { estimators: ['mdev'] },
    );
    deviations.push({
      name: use,
      points: rows.filter(({ n }) => n > 8).map(({ tau, deviation }) => [short(tau), short(deviation)]),
    });
  }
  panels.push({
    title: 'MDEV of each, ADEV 1e-10 at 1 s',
    x: 'averaging time, s',
    y: 'MDEV',
    xLog: true,
    yLog: true,
    yRange: { min: 1e-15, max: 1e-7 },
    series: deviations.map((one, i) => ({ ...one, colour: i })),
  });
  panels.forEach((panel, i) => {
    if (i < 5) panel.series[0].colour = i;
  });
  draw('noises', panels);

  const frequency = async part => {
    const points = await phaseOf(clockOf(part), 2 * 86400, 120);
    return thin(points.slice(1).map(([t, x], i) => [t / HOUR, ((x - points[i][1]) / 120) * 1e6]));
  };
  const thermal = async (title, options) => ({
    title,
    x: 'time, h',
    y: 'frequency, ppm',
    series: [{ points: await frequency({ use: 'temperature', linear: '0.1 ppm', ...options }) }],
  });
  const curve = [];
  for (let ambient = -20; ambient <= 80; ambient += 4) {
    const options = { base: ambient, reference: 26, linear: '-0.085 ppm', cubic: 1.05e-10 };
    const [, [, x]] = await phaseOf(clockOf({ use: 'temperature', ...options }), 200, 100);
    curve.push([ambient, short((x / 100) * 1e6)]);
  }
  draw('temperature', [
    await thermal('daily, ±5 K', { ambient: [{ shape: 'daily', amplitude: 5 }] }),
    await thermal('sinusoid, ±1 K in 2 h', { ambient: [{ shape: 'sinusoid', amplitude: 1, period: '2 h' }] }),
    await thermal('step of 5 K, lag 30 min', {
      lag: '30 min',
      ambient: [{ shape: 'step', by: 5, at: '12 h', for: '12 h' }],
    }),
    await thermal('ramp of 8 K in 12 h', { ambient: [{ shape: 'ramp', by: 8, at: '12 h', over: '12 h' }] }),
    await thermal('load, 12 K when busy', { load: { heating: 12, busy: '1 h', idle: '4 h' } }),
    {
      title: 'AT cut, by temperature',
      x: 'temperature, °C',
      y: 'frequency, ppm',
      series: [{ points: curve }],
    },
  ]);

  const presets = ['laptop-crystal', 'server-crystal', 'tcxo', 'ocxo', 'rubidium', 'vm-guest', 'wsl2'];
  const adevs = [];
  const phases = [];
  for (const use of presets) {
    const points = await phaseOf({ use, frequencyError: 0 }, 86400);
    const rows = stability(
      Float64Array.from(points, ([, x]) => x),
      1,
      { estimators: ['oadev'] },
    );
    adevs.push({
      name: use,
      points: rows.filter(({ n }) => n > 8).map(({ tau, deviation }) => [short(tau), short(deviation)]),
    });
    phases.push({
      name: use,
      points: thin(
        points
          .slice(1)
          .map(([t, x]) => [short(t / 3600), Math.max(1e-13, Math.abs(x))])
          .filter((_, i) => i % 60 === 0),
        240,
      ),
    });
  }
  draw(
    'presets',
    [
      { title: 'overlapping ADEV', x: 'averaging time, s', y: 'ADEV', xLog: true, yLog: true, series: adevs },
      {
        title: 'size of the error in a day, no frequency error',
        x: 'time, h',
        xRange: { max: 24 },
        y: 'error, s',
        yLog: true,
        yRange: { min: 1e-12, max: 1, logBase: 1000 },
        series: phases,
      },
    ],
    { columns: 2, width: 450, height: 300, legend: true },
  );
}

/** A path's one-way delays, seen with a perfect clock: what the way there took beyond the base, by the exchange's truth. */
async function queueing(jitter, { interval = '1 s', duration = '30 min', ...server } = {}) {
  const { exchanges } = await run({
    duration,
    world: {
      clock: { use: 'oscillator', frequencyError: 0, granularity: 0 },
      servers: [{ name: 'server', delay: '10 ms', processing: '1 us', out: { jitter }, ...server }],
    },
    sources: { ntp: { use: 'ntp', poller: { use: 'fixed', interval } } },
  });
  return exchanges.map(({ t, exchange }) => {
    const { sent, receive } = exchange;
    return [t, (receive - sent.counter - 0.01) * 1e3];
  });
}

const LAWS = [
  { use: 'constant', by: '1 ms' },
  { use: 'normal', deviation: '1 ms' },
  { use: 'exponential', mean: '1 ms' },
  { use: 'gamma', mean: '1 ms', shape: 3 },
  { use: 'weibull', scale: '1 ms', shape: 0.7 },
  { use: 'log-normal', median: '0.7 ms', sigma: 0.8 },
  { use: 'pareto', scale: '1 ms', shape: 2.5, cap: '50 ms' },
  {
    use: 'mixture',
    of: [
      { weight: 9, law: { use: 'exponential', mean: '0.5 ms' } },
      { weight: 1, law: { use: 'gamma', mean: '5 ms', shape: 30 } },
    ],
  },
];

async function delays() {
  const bins = 32;
  const panels = [];
  for (const [i, law] of LAWS.entries()) {
    const values = (await queueing(law, { duration: '3 h' })).map(([, x]) => x);
    const top = 8;
    const counts = new Array(bins).fill(0);
    for (const value of values) if (value < top) counts[Math.floor((value / top) * bins)] += 1;
    const points = counts.map((count, k) => [((k + 0.5) * top) / bins, short((count / values.length) * (bins / top))]);
    panels.push({
      title: law.use,
      x: 'delay, ms',
      y: 'density, 1/ms',
      series: [{ points, kind: 'bar', colour: i % 8 }],
    });
  }
  draw('delay-laws', panels, { columns: 4, width: 240 });

  const state = { lasts: '10 min', law: { use: 'exponential', mean: '0.3 ms' } };
  const busy = { lasts: '4 min', law: { use: 'exponential', mean: '4 ms' } };
  const over = async (title, law) => ({
    title,
    x: 'time, min',
    y: 'delay, ms',
    series: [
      {
        kind: 'scatter',
        points: thin(
          (await queueing(law, { interval: '4 s', duration: '1 h' })).map(([t, x]) => [t / 60, x]),
          600,
        ),
      },
    ],
  });
  draw('congestion', [
    await over('markov: quiet and busy', { use: 'markov', states: [state, busy] }),
    await over('periodic, 20 min', {
      use: 'periodic',
      period: '20 min',
      peak: '10 min',
      law: { use: 'exponential', mean: '2 ms' },
    }),
    await over('queue, 90 % utilised', { use: 'queue', service: '1 ms', utilisation: '90 %' }),
  ]);

  const lost = async (title, loss) => {
    const points = (await queueing(undefined, { interval: '2 s', duration: '20 min', out: { loss } })).map(([t]) => t);
    const got = new Set(points.map(t => Math.round(t / 2)));
    const asked = [...Array(600).keys()];
    return {
      title,
      x: 'question',
      y: 'lost of the last 20',
      yRange: { min: 0, max: 20 },
      series: [
        {
          points: asked
            .map(k => [k, asked.slice(Math.max(0, k - 19), k + 1).filter(one => !got.has(one)).length])
            .filter((_, k) => k % 2 === 0),
        },
      ],
    };
  };
  draw('losses', [
    await lost('each by itself, 20 %', 0.2),
    await lost('Gilbert–Elliott, 80 % in bad spells', {
      use: 'gilbert-elliott',
      good: '3 min',
      bad: '1 min',
      lossInBad: '80 %',
    }),
    await lost('periodic: 15 of 20 pass', { use: 'periodic', period: 20, pass: 15 }),
  ]);
}

const PERFECT = { use: 'oscillator', frequencyError: 0, granularity: 0 };
const POLLED = interval => ({ ntp: { use: 'ntp', poller: { use: 'fixed', interval } } });

/** What a perfect clock measures of its servers: offset and delay of every exchange, s, and what failed. */
async function measured(world, { duration = '2 h', interval = '16 s', epoch, sources = POLLED(interval) } = {}) {
  const { exchanges } = await run({
    duration,
    ...(epoch && { epoch }),
    world: {
      clock: PERFECT,
      servers: [{ name: 'server', delay: '10 ms', jitter: { use: 'exponential', mean: '0.3 ms' } }],
      ...world,
    },
    sources,
  });
  return exchanges.map(({ t, group, exchange }) => {
    const { sent, arrived, receive, transmit } = exchange;
    const [t1, t4] = [sent.counter, arrived.counter];
    return {
      t,
      source: `${exchange.source} ${group}`,
      offset: (receive - t1 + transmit - t4) / 2,
      delay: t4 - t1 - (transmit - receive),
    };
  });
}

const plain = servers =>
  servers.map((server, i) => ({
    name: `s${i + 1}`,
    delay: '10 ms',
    jitter: { use: 'exponential', mean: '0.2 ms' },
    ...server,
  }));

async function servers() {
  const panel = async (title, world, options = {}) => {
    const all = await measured(world, options);
    const names = [...new Set(all.map(({ source }) => source))].sort();
    const { unit = 1e3, label = 'offset, ms', from = 0 } = options;
    return {
      title,
      x: 'time, min',
      y: label,
      series: names.map((name, i) => ({
        kind: 'scatter',
        colour: i % 8,
        points: thin(
          all.filter(({ source }) => source === name).map(({ t, offset }) => [t / 60 - from, offset * unit]),
          90,
        ),
      })),
    };
  };
  const leap = smear => ({
    servers: plain([{ smear }]),
    faults: [{ use: 'leap-second', at: '1 h', second: 'inserted' }],
  });
  const night = {
    epoch: '2026-12-31T12:00:00Z',
    duration: '1 d',
    interval: '64 s',
    unit: 1,
    label: 'server − uniform time, s',
  };
  draw(
    'servers',
    [
      await panel('two of five lie, each another time', {
        servers: plain([{}, {}, {}, { timeError: '20 ms' }, { timeError: '-15 ms' }]),
      }),
      await panel('a falseticker that drifts', {
        servers: plain([{}, {}, {}]),
        faults: [{ use: 'falseticker', at: '40 min', for: '40 min', servers: ['s3'], by: '10 ms', drift: '5 ppm' }],
      }),
      await panel('two of five collude for 30 min', {
        servers: plain([{}, {}, {}, {}, {}]),
        faults: [{ use: 'falseticker', at: '45 min', for: '30 min', servers: ['s4', 's5'], by: '40 ms' }],
      }),
      await panel('anycast: two sites 3 ms apart', {
        servers: plain([{ behaviour: { use: 'anycast', stay: '20 min', sites: [{}, { timeError: '3 ms' }] } }]),
      }),
      await panel(
        'two-faced: one is told 5 ms more',
        { servers: plain([{ behaviour: { use: 'two-faced', by: '5 ms', to: ['b'] } }]) },
        { sources: { a: POLLED('16 s').ntp, b: POLLED('16 s').ntp } },
      ),
      await panel(
        'rate-limited: asked too often',
        { servers: plain([{ behaviour: { use: 'rate-limited', interval: '64 s', burst: 8, leak: 4, kiss: false } }]) },
        { interval: '4 s', duration: '40 min' },
      ),
      await panel('leap second: stepped', leap(0), night),
      await panel('leap second: smeared, 12 h', leap('12 h'), night),
    ],
    { columns: 4, width: 250 },
  );
}

async function faults() {
  const clocks = [
    ['clock-step', { by: '50 ms' }],
    ['slew-episode', { for: '10 min', rate: '100 ppm' }],
    ['frequency-step', { by: '20 ppm' }],
    ['frequency-ramp', { by: '40 ppm', over: '20 min' }],
    ['frequency-cycle', { amplitude: '40 ppm', period: '10 min' }],
    ['temperature-event', { by: 10, lag: '5 min', linear: '2 ppm' }],
    ['suspend', { for: '5 min', error: '20 ms' }],
    ['vm-pause', { for: '1 s' }],
    ['counter-reset', { to: '600 s' }],
  ];
  const panels = [];
  for (const [use, options] of clocks) {
    const { of } = await run(
      { ...QUIET, world: { clock: PERFECT, faults: [{ use, at: '20 min', ...options }] } },
      { interval: 30 },
    );
    const samples = of('bare-clock');
    panels.push({
      title: use,
      x: 'time, min',
      y: use === 'suspend' || use === 'counter-reset' ? 'error, s' : 'error, ms',
      series: [
        {
          name: 'wall clock',
          points: thin(
            samples.map(({ t, error }) => [t / 60, error * (use === 'suspend' || use === 'counter-reset' ? 1 : 1e3)]),
          ),
        },
        {
          name: 'counter',
          dashed: true,
          points: thin(
            samples.map(({ t, reading }) => [
              t / 60,
              (reading.counter - t) * (use === 'suspend' || use === 'counter-reset' ? 1 : 1e3),
            ]),
          ),
        },
      ],
    });
  }
  draw('clock-faults', panels, { legend: true });

  const paths = [
    ['outage', {}],
    ['packet-loss', { probability: '50 %' }],
    ['delay-burst', { mean: '5 ms' }],
    ['one-way-spike', { delay: '40 ms', share: '20 %' }],
    ['asymmetry-step', { by: '8 ms' }],
    ['route-flip', { out: '8 ms', back: '4 ms' }],
    ['scheduling-delay', { mean: '2 ms', share: '30 %' }],
    ['malformed-packets', { share: '50 %' }],
    ['late-replies', { share: '50 %' }],
    ['server-failure', { how: 'silent' }],
    ['server-step', { by: '6 ms' }],
    ['kiss-code', { code: 'RATE' }],
  ];
  const seen = [];
  for (const [use, options] of paths) {
    const all = await measured(
      { faults: [{ use, at: '20 min', for: '20 min', ...options }] },
      { duration: '1 h', interval: '8 s' },
    );
    seen.push({
      title: use,
      x: 'time, min',
      y: 'ms',
      xRange: { min: 0, max: 60 },
      series: [
        {
          name: 'delay',
          kind: 'scatter',
          points: thin(
            all.map(({ t, delay }) => [t / 60, delay * 1e3]),
            110,
          ),
        },
        {
          name: 'offset',
          kind: 'scatter',
          points: thin(
            all.map(({ t, offset }) => [t / 60, offset * 1e3]),
            110,
          ),
        },
      ],
    });
  }
  draw('path-faults', seen, { columns: 4, width: 250, legend: true });

  const failing = [];
  for (const use of ['predictor-late', 'predictor-silent', 'predictor-diverging', 'predictor-constant-sigma']) {
    const { of } = await run(
      {
        duration: '3 h',
        world: {
          clock: { use: 'oscillator', frequencyError: '20 ppm', wander: 1e-9 },
          servers: [{ name: 'server', delay: '10 ms', jitter: { use: 'exponential', mean: '0.5 ms' } }],
          faults: [{ use, at: '1 h', for: '1 h' }],
        },
        pipelines: [{ name: 'kalman', filters: ['delay-excess'] }],
        sources: POLLED('64 s'),
      },
      { interval: 20 },
    );
    const told = of('kalman').filter(({ t }) => t > 600);
    failing.push({
      title: use,
      x: 'time, min',
      y: 'error, ms',
      series: [
        { name: 'error', points: thin(told.map(({ t, error }) => [t / 60, error * 1e3])) },
        {
          name: 'interval told',
          dashed: true,
          points: thin(told.map(({ t, told: { uncertainty } }) => [t / 60, uncertainty * 1e3])),
        },
        {
          name: 'interval told',
          dashed: true,
          colour: 1,
          points: thin(told.map(({ t, told: { uncertainty } }) => [t / 60, -uncertainty * 1e3])),
        },
      ],
    });
  }
  draw('predictor-faults', failing, { columns: 2, width: 380, legend: true });
}

async function discipline() {
  const panel = async (title, clock, options, unit = 1e3, label = 'error, ms') => {
    const { samples } = await run(
      {
        duration: '30 min',
        world: {
          clock: { use: 'oscillator', wander: 1e-9, ...clock },
          servers: [{ name: 'server', delay: '1 ms', jitter: { use: 'exponential', mean: '0.1 ms' } }],
        },
        pipelines: [{ name: 'default', corrector: 'ensemble', discipline: { use: 'adjtimex', ...options } }],
        sources: POLLED('16 s'),
      },
      { interval: 2 },
    );
    const bare = samples.filter(({ pipeline }) => pipeline === 'bare-clock');
    const wall = samples.filter(({ pipeline }) => pipeline === 'default.wall');
    return {
      title,
      x: 'time, min',
      y: label,
      series: [
        { name: 'disciplined wall clock', points: thin(wall.map(({ t, error }) => [t / 60, error * unit])) },
        { name: 'the clock alone', dashed: true, points: thin(bare.map(({ t, error }) => [t / 60, error * unit])) },
      ],
    };
  };
  draw(
    'discipline',
    [
      await panel('100 ms off: slewed at 500 ppm', { timeError: '100 ms', frequencyError: 0 }, {}),
      await panel('400 ms off: stepped', { timeError: '400 ms', frequencyError: 0 }, {}),
      await panel(
        '400 ms off, slewed at 1/12',
        { timeError: '400 ms', frequencyError: 0 },
        { steps: 0, maxSlew: 0.08333 },
      ),
      await panel('700 ppm fast: beyond freq, by the tick', { frequencyError: '700 ppm' }, {}),
    ],
    { columns: 2, width: 380, legend: true },
  );
}

async function metrics() {
  const scenario = {
    duration: '12 h',
    world: {
      clock: { use: 'oscillator', timeError: '50 ms', frequencyError: '20 ppm', wander: 1e-8 },
      servers: [{ name: 'server', delay: '10 ms', jitter: { use: 'exponential', mean: '0.5 ms' } }],
      faults: [
        { use: 'frequency-step', at: '2 h', by: '1 ppm' },
        { use: 'outage', at: '5 h', for: '3 h' },
      ],
    },
    pipelines: [
      { name: 'default', corrector: 'ensemble' },
      { name: 'kalman', filters: ['delay-excess'] },
    ],
    sources: POLLED('64 s'),
  };
  const { summary, of } = await run(scenario, { interval: 20, behaviour: true });
  const names = ['default', 'kalman'];
  const behaviour = name => summary.pipelines.find(one => one.pipeline === name || one.name === name).behaviour;
  draw(
    'metrics',
    [
      {
        title: 'error: a frequency step at 2 h, an outage from 5 h to 8 h',
        x: 'time, h',
        y: 'error, ms',
        yRange: { min: -4, max: 4 },
        series: names.map(name => ({
          name,
          points: thin(
            of(name)
              .filter(({ t }) => t > 300)
              .map(({ t, error }) => [t / HOUR, error * 1e3]),
            600,
          ),
        })),
      },
      {
        title: 'byAge: RMS error by the age of the last reference',
        x: 'age, s',
        y: 'RMS error, s',
        xLog: true,
        yLog: true,
        series: names.map(name => ({
          name,
          points: behaviour(name)
            .byAge.map(({ to, rms }) => [short(to), short(rms)])
            .filter(([x, y]) => x > 0 && y > 0),
        })),
      },
      {
        title: 'calibration: how often the interval held the truth',
        x: 'level',
        y: 'coverage',
        yRange: { min: 0.4, max: 1 },
        xRange: { min: 0.4, max: 1 },
        series: [
          ...names.map(name => ({
            name,
            points: behaviour(name).calibration.levels.map(({ level, coverage }) => [level, short(coverage)]),
          })),
          {
            name: 'right',
            dashed: true,
            colour: 5,
            points: [
              [0.4, 0.4],
              [1, 1],
            ],
          },
        ],
      },
      {
        title: 'PIT: 0.1 each if the interval is right',
        x: 'tenth of the distribution told',
        y: 'share',
        yRange: { min: 0 },
        series: names.map(name => ({
          name,
          points: behaviour(name).calibration.pit.map((share, k) => [k + 1, short(share)]),
        })),
      },
    ],
    { columns: 2, width: 450, height: 260, legend: true },
  );
}

mkdirSync(folder, { recursive: true });
for (const file of readdirSync(folder)) rmSync(`${folder}${file}`);
await oscillators();
await delays();
await servers();
await faults();
await discipline();
await metrics();
console.log(
  readdirSync(folder)
    .map(file => `docs/plots/${file}`)
    .join('\n'),
);
