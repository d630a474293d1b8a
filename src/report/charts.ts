import type { EChartsCoreOption } from 'echarts/core';
import type { Course, ReportRun, StabilityPoint } from './data.js';
import { formatShare, formatTick } from './format.js';
import { axisLook, escapeText, textStyle, tooltipLook } from './look.js';
import { fromSymlog, symlogTicks, toSymlog } from './scale.js';
import { colourOf, type Theme } from './theme.js';

export interface ChartView {
  readonly theme: Theme;
  readonly shown: readonly string[];
  readonly focus: string | undefined;
  /** A picture by itself: with a title and a legend. */
  readonly still?: boolean;
}

const GRID = { left: 76, right: 20, top: 18, bottom: 44 };
const STILL_TOP = 64;

type Coloured<T> = T & { readonly colour: string };

function coursesOf(run: ReportRun, { shown, theme }: ChartView): readonly Coloured<Course>[] {
  return run.courses
    .filter(({ name }) => shown.includes(name))
    .map(course => ({
      ...course,
      colour: colourOf(
        theme,
        run.summary.pipelines.findIndex(({ name }) => name === course.name),
      ),
    }));
}

function frame(title: string, names: readonly string[], { theme, still }: ChartView): EChartsCoreOption {
  return {
    animation: false,
    backgroundColor: still ? theme.paper : 'transparent',
    textStyle: textStyle(theme),
    grid: { ...GRID, top: still ? STILL_TOP : GRID.top, outerBoundsMode: 'none' },
    tooltip: { confine: true, ...tooltipLook(theme) },
    ...(still && {
      title: { text: title, left: 16, top: 8, textStyle: { color: theme.ink, fontSize: 15, fontWeight: 600 } },
      legend: {
        data: [...names],
        top: 36,
        left: 16,
        itemWidth: 16,
        itemHeight: 3,
        itemGap: 22,
        icon: 'rect',
        textStyle: { color: theme.ink, fontSize: 12 },
      },
    }),
  };
}

function named(name: string, theme: Theme, gap = 28): object {
  return { ...axisLook(theme), name, nameLocation: 'middle', nameGap: gap };
}

/** A line of the tooltip for each series, nearest point first along the axis. */
function lines(head: (x: number) => string, cell: (value: readonly number[]) => string): (params: unknown) => string {
  return params => {
    const items = (Array.isArray(params) ? params : [params]) as readonly {
      readonly seriesName: string;
      readonly value: readonly number[];
      readonly marker: string;
    }[];
    const [first] = items;
    if (first === undefined) return '';
    const rows = items.map(({ seriesName, value, marker }) => `${marker}${escapeText(seriesName)}: ${cell(value)}`);
    return `<b>${head(first.value[0]!)}</b><br>${rows.join('<br>')}`;
  };
}

function lineSeries({ name, colour }: Coloured<{ readonly name: string }>, { focus }: ChartView): object {
  return {
    name,
    type: 'line',
    showSymbol: false,
    color: colour,
    itemStyle: { color: colour },
    lineStyle: { width: name === focus ? 2.2 : 1.4 },
    z: name === focus ? 4 : 3,
    emphasis: { disabled: true },
  };
}

/** How often which error occurred, with its sign, on the scale of the big picture. */
export function distributionChart(run: ReportRun, view: ChartView): EChartsCoreOption {
  const { theme } = view;
  const courses = coursesOf(run, view).filter(({ distribution }) => distribution.shares.length > 0);
  const ends = courses.flatMap(({ distribution: { from, width, shares } }) => [from, from + width * shares.length]);
  const [low, high] = [Math.min(-0.5, ...ends), Math.max(0.5, ...ends)];
  const ticks = symlogTicks(
    fromSymlog(low, run.linear),
    fromSymlog(high, run.linear),
    run.linear,
    (high - low) / 8,
  ).map(tick => toSymlog(tick, run.linear));
  const label = (place: number): string => formatTick(fromSymlog(place, run.linear));
  return {
    ...frame(
      `${run.summary.scenario}: error distribution`,
      courses.map(({ name }) => name),
      view,
    ),
    xAxis: {
      type: 'value',
      min: low,
      max: high,
      ...named('error (told − reference)', theme),
      splitLine: { show: false },
      axisTick: { customValues: ticks },
      axisLabel: { color: theme.muted, fontSize: 12, customValues: ticks, formatter: label, hideOverlap: true },
    },
    yAxis: {
      type: 'value',
      ...named('share of the samples', theme, 54),
      axisLabel: { color: theme.muted, fontSize: 12, formatter: (share: number) => formatShare(share) },
    },
    tooltip: {
      trigger: 'axis',
      confine: true,
      ...tooltipLook(theme),
      formatter: lines(
        place => `about ${label(place)}`,
        ([, share]) => formatShare(share),
      ),
    },
    series: courses.map(course => {
      const { from, width, shares } = course.distribution;
      const points = shares.map((share, i) => [from + (i + 0.5) * width, share]);
      return {
        ...lineSeries(course, view),
        step: 'middle',
        data: [[from - width / 2, 0], ...points, [from + (shares.length + 0.5) * width, 0]],
        areaStyle: { color: course.colour, opacity: course.name === view.focus ? 0.22 : 0.06 },
      };
    }),
  };
}

/** The share of the samples whose error does not exceed a size. */
export function cdfChart(run: ReportRun, view: ChartView): EChartsCoreOption {
  const { theme } = view;
  const courses = coursesOf(run, view).filter(({ quantiles }) => quantiles.length > 0);
  return {
    ...frame(
      `${run.summary.scenario}: how often |error| stays below`,
      courses.map(({ name }) => name),
      view,
    ),
    xAxis: { type: 'log', ...named('|error|', theme), ...logLabels(theme, formatTick) },
    yAxis: {
      type: 'value',
      min: 0,
      max: 1,
      ...named('share of the samples below', theme, 54),
      axisLabel: { color: theme.muted, fontSize: 12, formatter: (share: number) => formatShare(share) },
    },
    tooltip: {
      trigger: 'axis',
      confine: true,
      ...tooltipLook(theme),
      formatter: lines(
        size => `|error| ≤ ${formatTick(size)}`,
        ([, share]) => formatShare(share),
      ),
    },
    series: courses.map(course => ({
      ...lineSeries(course, view),
      data: course.quantiles.filter(({ size }) => size > 0).map(({ p, size }) => [size, p]),
    })),
  };
}

export const STABILITY = {
  oadev: { title: 'Allan deviation (overlapping)', unit: 'ADEV', format: (value: number) => value.toExponential(0) },
  tdev: { title: 'Time deviation', unit: 'TDEV', format: formatTick },
  mtie: { title: 'Maximum time interval error', unit: 'MTIE', format: formatTick },
} as const;

/** One deviation of every pipeline's error against the averaging time, both logarithmic. */
export function stabilityChart(
  run: ReportRun,
  estimator: StabilityPoint['estimator'],
  view: ChartView,
): EChartsCoreOption {
  const { theme } = view;
  const { title, unit, format } = STABILITY[estimator];
  const courses = coursesOf(run, view).filter(({ stability }) => stability.length > 0);
  return {
    ...frame(
      `${run.summary.scenario}: ${title}`,
      courses.map(({ name }) => name),
      view,
    ),
    xAxis: { type: 'log', ...named('τ', theme), ...logLabels(theme, formatTau) },
    yAxis: { type: 'log', ...named(unit, theme, 58), ...logLabels(theme, format) },
    tooltip: {
      trigger: 'axis',
      confine: true,
      ...tooltipLook(theme),
      formatter: lines(
        tau => `τ = ${formatTau(tau)}`,
        ([, deviation]) => (estimator === 'oadev' ? deviation!.toExponential(2) : formatTick(deviation!)),
      ),
    },
    series: courses.map(course => ({
      ...lineSeries(course, view),
      showSymbol: true,
      symbolSize: 4,
      data: course.stability
        .filter(point => point.estimator === estimator && point.deviation > 0)
        .map(({ tau, deviation }) => [tau, deviation]),
    })),
  };
}

function logLabels(theme: Theme, formatter: (value: number) => string): object {
  return {
    minorSplitLine: { show: false },
    axisLabel: { color: theme.muted, fontSize: 12, hideOverlap: true, formatter },
  };
}

function formatTau(tau: number): string {
  return tau < 1000 ? formatTick(tau) : `${Number((tau / 1000).toPrecision(3))} ks`;
}

interface Calibrated {
  readonly name: string;
  readonly levels: readonly { readonly level: number; readonly coverage: number }[];
  readonly pit: readonly number[];
}

function calibratedOf(run: ReportRun, { theme, shown }: ChartView): readonly Coloured<Calibrated>[] {
  return run.summary.pipelines.flatMap(({ name, behaviour }, place) =>
    behaviour?.calibration && shown.includes(name)
      ? [{ name, colour: colourOf(theme, place), ...behaviour.calibration }]
      : [],
  );
}

/** How often intervals held, against how often they should: on the diagonal they are right, below it too narrow. */
export function coverageChart(run: ReportRun, view: ChartView): EChartsCoreOption {
  const { theme } = view;
  const calibrated = calibratedOf(run, view);
  const share = { min: 0.4, max: 1, axisLabel: { color: theme.muted, fontSize: 12, formatter: formatShare } };
  return {
    ...frame(
      `${run.summary.scenario}: calibration`,
      calibrated.map(({ name }) => name),
      view,
    ),
    xAxis: { type: 'value', ...named('level of the interval', theme), ...share },
    yAxis: { type: 'value', ...named('it held', theme, 54), ...share, min: 0 },
    tooltip: {
      trigger: 'axis',
      confine: true,
      ...tooltipLook(theme),
      formatter: lines(
        level => `${formatShare(level)} intervals held`,
        ([, coverage]) => formatShare(coverage),
      ),
    },
    series: [
      {
        name: 'right',
        type: 'line',
        silent: true,
        showSymbol: false,
        tooltip: { show: false },
        color: theme.muted,
        lineStyle: { type: 'dashed', width: 1 },
        data: [
          [0.4, 0.4],
          [1, 1],
        ],
      },
      ...calibrated.map(one => ({
        ...lineSeries(one, view),
        showSymbol: true,
        symbolSize: 5,
        data: one.levels.map(({ level, coverage }) => [level, coverage]),
      })),
    ],
  };
}

/** Where the truth lay in what was told (probability integral transform): flat, at 10 %, where intervals are right. */
export function pitChart(run: ReportRun, view: ChartView): EChartsCoreOption {
  const { theme } = view;
  const all = calibratedOf(run, view);
  const calibrated = all.filter(({ name }) => name === view.focus || !all.some(one => one.name === view.focus));
  const tenths = Array.from({ length: 10 }, (_, i) => `${10 * i}–${10 * (i + 1)} %`);
  return {
    ...frame(
      `${run.summary.scenario}: where the truth lay`,
      calibrated.map(({ name }) => name),
      view,
    ),
    xAxis: { type: 'category', data: tenths, ...named('of the distribution told', theme) },
    yAxis: {
      type: 'value',
      ...named('share of the samples', theme, 54),
      axisLabel: { color: theme.muted, fontSize: 12, formatter: (share: number) => formatShare(share) },
    },
    tooltip: {
      trigger: 'axis',
      confine: true,
      ...tooltipLook(theme),
      valueFormatter: (value: unknown) => formatShare(Number(value)),
    },
    series: calibrated.map(({ name, colour, pit }, index) => ({
      name,
      type: 'bar',
      color: colour,
      itemStyle: { color: colour, opacity: 0.8, borderRadius: [2, 2, 0, 0] },
      data: [...pit],
      ...(index === 0 && {
        markLine: {
          silent: true,
          symbol: 'none',
          label: { show: false },
          data: [{ yAxis: 0.1 }],
          lineStyle: { color: theme.muted, type: 'dashed' },
        },
      }),
    })),
  };
}

/** The pipeline with the least RMS error: whose bounds are shown unless another is chosen. */
export function bestOf({ summary, courses }: ReportRun): string | undefined {
  const drawn = summary.pipelines.filter(
    ({ name, error }) => error !== null && name !== 'bare-clock' && courses.some(course => course.name === name),
  );
  return drawn.sort((a, b) => a.error!.rms - b.error!.rms)[0]?.name ?? courses[0]?.name;
}
