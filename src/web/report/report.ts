import type { EChartsCoreOption } from 'echarts/core';
import {
  bestOf,
  type ChartView,
  cdfChart,
  coverageChart,
  distributionChart,
  pitChart,
  STABILITY,
  stabilityChart,
} from '../../report/charts.js';
import type { ReportRun } from '../../report/data.js';
import { type EChartsType, init } from '../../report/echarts.js';
import { type ErrorView, errorChart, errorChartHeight, extentOf } from '../../report/error-chart.js';
import { formatExact } from '../../report/format.js';
import { escapeText } from '../../report/look.js';
import { colourOf, DARK, LIGHT, type Theme } from '../../report/theme.js';

interface State {
  run: number;
  shown: Set<string>;
  focus: string | undefined;
  scale: ErrorView['scale'];
  layout: ErrorView['layout'];
  utc: boolean;
  theme: 'auto' | 'light' | 'dark';
  printing: boolean;
  from: number;
  to: number;
}

/** Its explanation stands beside every chart. */
interface Small {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  option(run: ReportRun, view: ChartView): EChartsCoreOption;
  has(run: ReportRun): boolean;
}

const stable = (run: ReportRun): boolean => run.courses.some(({ stability }) => stability.length > 0);
const calibrated = (run: ReportRun): boolean =>
  run.summary.pipelines.some(({ behaviour }) => behaviour?.calibration != null);

const SMALL: readonly Small[] = [
  {
    id: 'distribution',
    title: 'Error distribution',
    about: 'How often which error occurred, after the warm-up, on the scale of the big chart.',
    option: distributionChart,
    has: () => true,
  },
  {
    id: 'cdf',
    title: 'How often the error stays below',
    about: 'Cumulative distribution of |error|: further left is better.',
    option: cdfChart,
    has: () => true,
  },
  ...(['oadev', 'tdev', 'mtie'] as const).map(
    (estimator): Small => ({
      id: estimator,
      title: STABILITY[estimator].title,
      about: `${STABILITY[estimator].unit} of the error after the warm-up, against the averaging time τ.`,
      option: (run, view) => stabilityChart(run, estimator, view),
      has: stable,
    }),
  ),
  {
    id: 'coverage',
    title: 'Do the intervals hold?',
    about: 'How often the interval at each level held: below the diagonal they are too narrow, above too wide.',
    option: coverageChart,
    has: calibrated,
  },
  {
    id: 'pit',
    title: 'Where the truth lay',
    about:
      'In which tenth of the distribution told, of the pipeline whose bounds are shown: 10 % each if it is right; high ends: too narrow.',
    option: pitChart,
    has: calibrated,
  },
];

/** Charts that stand beside each other. */
const ROWS = [
  ['distribution', 'cdf'],
  ['oadev', 'tdev', 'mtie'],
  ['coverage', 'pit'],
];

function rowOf(small: readonly Small[]): string {
  const figures = small.map(
    ({ id, title, about }) =>
      `<figure><figcaption><h2>${title}</h2><p>${about}</p></figcaption>` +
      `<div class="chart" id="${id}" role="img" aria-label="${title}, as a chart"></div></figure>`,
  );
  return figures.length === 0 ? '' : `<div class="grid">${figures.join('')}</div>`;
}

const SVG = { renderer: 'svg' } as const;
const dark = matchMedia('(prefers-color-scheme: dark)');
const charts = document.getElementById('charts')!;

async function read(): Promise<readonly ReportRun[]> {
  const text = atob(document.getElementById('data')!.textContent!.trim());
  const bytes = Uint8Array.from(text, character => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return (await new Response(stream).json()) as readonly ReportRun[];
}

const runs = await read();
const state: State = {
  run: 0,
  shown: new Set(),
  focus: undefined,
  scale: 'symlog',
  layout: 'overlay',
  utc: false,
  theme: 'auto',
  printing: false,
  from: 0,
  to: 0,
};
let mounted: { error: EChartsType; small: readonly (readonly [Small, EChartsType])[] } | undefined;

function run(): ReportRun {
  return runs[state.run]!;
}

function theme(): Theme {
  if (state.printing) return LIGHT;
  return state.theme === 'dark' || (state.theme === 'auto' && dark.matches) ? DARK : LIGHT;
}

function view(): ErrorView {
  const shown = run()
    .courses.map(({ name }) => name)
    .filter(name => state.shown.has(name));
  const { focus, scale, layout, utc, from, to } = state;
  return { theme: theme(), width: errorBox().clientWidth, shown, focus, scale, layout, utc, from, to };
}

function errorBox(): HTMLElement {
  return document.getElementById('error')!;
}

function choose(index: number): void {
  state.run = index;
  const { courses } = run();
  state.shown = new Set(courses.map(({ name }) => name));
  state.focus = bestOf(run());
  [state.from, state.to] = extentOf(run());
  for (const part of document.querySelectorAll<HTMLElement>('[data-run]')) {
    part.hidden = part.dataset['run'] !== String(index);
  }
  mount();
}

/** Makes the charts' places and controls for the run, then draws. */
function mount(): void {
  mounted?.error.dispose();
  for (const [, chart] of mounted?.small ?? []) chart.dispose();
  if (run().courses.length === 0) {
    charts.innerHTML = '<p class="note">The run holds no errors against a reference: there is nothing to draw.</p>';
    mounted = undefined;
    return;
  }
  const { courses, interval, summary } = run();
  const level = 100 * summary.pipelines[0]!.bounds.level;
  const every =
    interval === undefined
      ? 'Errors are known at measurements only.'
      : `A sample every ${interval} s; what is drawn keeps every extreme and every fault’s edge.`;
  const small = SMALL.filter(({ has }) => has(run()));
  const bounded = courses.filter(({ uncertainty }) => uncertainty.length > 0);
  charts.innerHTML = `
<figure>
<figcaption><h2>Error over time</h2>
<p>Band: the ${level} % interval; dashed: the maximum error; red: faults, underneath by kind; grey: warm-up. ${every}
Ctrl and the wheel zoom, dragging moves; in the chart also the keys + − ← → and 0.</p></figcaption>
<div class="chips" role="group" aria-label="Pipelines shown"></div>
<div class="controls">
<label>Bounds of <select id="focus">${bounded.map(({ name }) => `<option>${escapeText(name)}</option>`).join('')}</select></label>
<fieldset><legend>Scale</legend><label><input type="radio" name="scale" value="symlog" checked>logarithmic</label><label><input type="radio" name="scale" value="linear">linear</label></fieldset>
<fieldset><legend>Panels</legend><label><input type="radio" name="layout" value="overlay" checked>one</label><label><input type="radio" name="layout" value="panels">each its own</label></fieldset>
<span><button type="button" data-zoom="in" aria-label="zoom in">+</button> <button type="button" data-zoom="out" aria-label="zoom out">−</button> <button type="button" data-zoom="earlier" aria-label="earlier">←</button> <button type="button" data-zoom="later" aria-label="later">→</button> <button type="button" data-zoom="all">all</button></span>
<span class="view" id="view"></span>
</div>
<div class="chart" id="error" tabindex="0" role="group" aria-label="Error of every pipeline over time, as a chart. The table of figures says the same in numbers. Plus and minus zoom, the arrow keys move, 0 shows all."></div>
</figure>
${ROWS.map(ids => rowOf(small.filter(({ id }) => ids.includes(id)))).join('')}`;
  for (const [name, value] of [
    ['scale', state.scale],
    ['layout', state.layout],
  ]) {
    charts.querySelector<HTMLInputElement>(`input[name="${name}"][value="${value}"]`)!.checked = true;
  }
  const focus = document.querySelector<HTMLSelectElement>('#focus')!;
  if (state.focus !== undefined) focus.value = state.focus;
  chips();
  errorBox().style.height = `${errorChartHeight(run(), view())}px`;
  const error = init(errorBox(), null, SVG);
  error.on('datazoom', () => {
    const zoom = (error.getOption() as { dataZoom: readonly { startValue: number; endValue: number }[] }).dataZoom[0]!;
    state.from = zoom.startValue;
    state.to = zoom.endValue;
    later(drawError);
  });
  mounted = { error, small: small.map(one => [one, init(document.getElementById(one.id)!, null, SVG)] as const) };
  draw();
}

function chips(): void {
  charts.querySelector('.chips')!.innerHTML = run()
    .courses.map(({ name }) => {
      const place = run().summary.pipelines.findIndex(one => one.name === name);
      const pressed = state.shown.has(name);
      return (
        `<button type="button" aria-pressed="${pressed}" data-name="${escapeText(name)}" ` +
        `style="--own:${colourOf(theme(), place)}"><i></i>${escapeText(name)}</button>`
      );
    })
    .join('');
}

let waiting = 0;
/** No more often than the screen is drawn. */
function later(work: () => void): void {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(work);
}

function drawError(): void {
  if (mounted === undefined) return;
  const height = errorChartHeight(run(), view());
  if (errorBox().style.height !== `${height}px`) {
    errorBox().style.height = `${height}px`;
    mounted.error.resize();
  }
  mounted.error.setOption(errorChart(run(), view()), { replaceMerge: ['series', 'grid', 'xAxis', 'yAxis'] });
  const epoch = state.utc ? run().epoch : undefined;
  document.getElementById('view')!.textContent = `${formatExact(state.from, epoch)} to ${formatExact(state.to, epoch)}`;
}

function draw(): void {
  document.documentElement.dataset['theme'] = theme().dark ? 'dark' : 'light';
  for (const row of document.querySelectorAll<HTMLElement>('tr[data-pipeline]')) {
    const { pipelines } = runs[Number(row.dataset['of'])]!.summary;
    const place = pipelines.findIndex(({ name }) => name === row.dataset['pipeline']);
    row.querySelector<HTMLElement>('.swatch')!.style.background = colourOf(theme(), place);
  }
  for (const when of document.querySelectorAll<HTMLElement>('time[data-t]')) {
    const { t, epoch } = when.dataset;
    when.textContent = formatExact(Number(t), state.utc ? Number(epoch) : undefined);
  }
  drawError();
  const { theme: colours, shown, focus } = view();
  for (const [{ option }, chart] of mounted?.small ?? []) {
    chart.setOption(option(run(), { theme: colours, shown, focus }), { notMerge: true });
  }
}

/** Makes what is seen `factor` times as long about its middle, and moves it by a share of itself. */
function zoom(factor: number, move = 0): void {
  const [first, last] = extentOf(run());
  const span = Math.min(last - first, Math.max(1e-3, (state.to - state.from) * factor));
  const middle = (state.from + state.to) / 2 + move * (state.to - state.from);
  state.from = Math.max(first, Math.min(last - span, middle - span / 2));
  state.to = state.from + span;
  drawError();
}

const ZOOMS: Readonly<Record<string, () => void>> = {
  in: () => zoom(0.5),
  out: () => zoom(2),
  earlier: () => zoom(1, -0.25),
  later: () => zoom(1, 0.25),
  all: () => zoom(Number.POSITIVE_INFINITY),
};
const KEYS: Readonly<Record<string, string>> = {
  '+': 'in',
  '=': 'in',
  '-': 'out',
  ArrowLeft: 'earlier',
  ArrowRight: 'later',
  '0': 'all',
};

document.addEventListener('click', event => {
  const button = (event.target as Element).closest('button');
  if (button === null) return;
  const { zoom: asked, name } = button.dataset;
  if (asked !== undefined) ZOOMS[asked]!();
  if (name !== undefined) {
    if (!state.shown.delete(name)) state.shown.add(name);
    button.setAttribute('aria-pressed', String(state.shown.has(name)));
    draw();
  }
  const heading = button.closest('th');
  if (heading !== null) sort(heading);
});

document.addEventListener('keydown', event => {
  if (event.target !== document.getElementById('error') || event.ctrlKey || event.metaKey || event.altKey) return;
  const asked = KEYS[event.key];
  if (asked === undefined) return;
  event.preventDefault();
  ZOOMS[asked]!();
});

document.addEventListener('change', event => {
  const input = event.target as HTMLInputElement | HTMLSelectElement;
  if (input.id === 'run') return choose(Number(input.value));
  if (input.id === 'focus') state.focus = input.value;
  if (input.name === 'scale') state.scale = input.value as State['scale'];
  if (input.name === 'layout') state.layout = input.value as State['layout'];
  if (input.name === 'axis') state.utc = input.value === 'utc';
  if (input.name === 'theme') {
    state.theme = input.value as State['theme'];
    if (mounted !== undefined) chips();
  }
  draw();
});

/** Sorts the table of figures by a column: from the smallest on, and the other way when asked again. */
function sort(heading: HTMLTableCellElement): void {
  const table = heading.closest('table')!;
  const descending = heading.ariaSort === 'ascending';
  for (const other of table.querySelectorAll('thead th')) other.removeAttribute('aria-sort');
  heading.ariaSort = descending ? 'descending' : 'ascending';
  const [body] = table.tBodies;
  const sortedBy = (row: HTMLTableRowElement): string => row.cells[heading.cellIndex]!.dataset['value'] ?? '';
  const rows = [...body!.rows].sort((a, b) => {
    const [x, y] = [sortedBy(a), sortedBy(b)];
    // What could not be measured comes last either way.
    if (x === '' || y === '') return Number(x === '') - Number(y === '');
    const difference = Number(x) - Number(y);
    const order = Number.isNaN(difference) ? x.localeCompare(y) : difference;
    return descending ? -order : order;
  });
  body!.append(...rows);
}

dark.addEventListener('change', () => {
  if (mounted !== undefined) chips();
  draw();
});
let width = innerWidth;
addEventListener('resize', () => {
  if (innerWidth === width) return;
  width = innerWidth;
  resize();
});

function resize(): void {
  if (mounted === undefined) return;
  mounted.error.resize();
  for (const [, chart] of mounted.small) chart.resize();
  draw();
}

/** Paper is white and of its own width. */
const PAPER = '720px';
function print(printing: boolean): void {
  state.printing = printing;
  document.querySelector('main')!.style.width = printing ? PAPER : '';
  resize();
}
addEventListener('beforeprint', () => print(true));
addEventListener('afterprint', () => print(false));

choose(0);
