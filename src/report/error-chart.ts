import type { EChartsCoreOption } from 'echarts/core';
import { extremes, firstFrom } from '../core/metrics/decimation.js';
import type { Course, FaultSpan, ReportRun } from './data.js';
import { formatError, formatExact, formatInstant, formatTick } from './format.js';
import { axisLook, escapeText, textStyle, tooltipLook } from './look.js';
import { fromSymlog, symlogTicks, toSymlog } from './scale.js';
import { colourOf, type Theme } from './theme.js';
import { timeTicks } from './time-ticks.js';

/** What of a run is looked at, and how. */
export interface ErrorView {
  readonly theme: Theme;
  /** Of the picture, pixels. */
  readonly width: number;
  /** Shown between these, seconds of the run's time; left out: all. */
  readonly from?: number;
  readonly to?: number;
  /** Names of the pipelines to show. */
  readonly shown: readonly string[];
  /** Whose bounds to show where all share a panel. */
  readonly focus: string | undefined;
  readonly scale: 'symlog' | 'linear';
  /** All over each other, or each in a panel of its own with its bounds. */
  readonly layout: 'overlay' | 'panels';
  readonly utc: boolean;
  /** For a picture that nobody can zoom. */
  readonly still?: boolean;
}

const PANEL = { overlay: 340, panels: 130 } as const;
const GAP = 16;
const TOP = { moving: 12, still: 64 } as const;
const LEFT = 108;
const RIGHT = 18;
const FAULT_ROW = 18;
const SLIDER = 44;
const AXIS = 26;

type Point = readonly [t: number, place: number, error: number];

/** The rows of the fault timeline: one for each kind of fault. */
function faultRows({ faults }: ReportRun): readonly string[] {
  return [...new Set(faults.map(({ what }) => what))];
}

export function extentOf({ courses, summary }: ReportRun): readonly [number, number] {
  const firsts = courses.flatMap(({ t }) => t[0] ?? []);
  const lasts = courses.flatMap(({ t }) => t.at(-1) ?? []);
  const start = summary.pipelines[0]!.behaviour?.course?.from;
  const from = Math.min(...firsts, start === undefined ? 0 : start - summary.warmup);
  return [from, Math.max(...lasts, from + summary.duration)];
}

export function errorChartHeight(run: ReportRun, view: ErrorView): number {
  const panels = panelsOf(run, view).length;
  const rows = faultRows(run).length;
  return (
    (view.still ? TOP.still : TOP.moving) +
    panels * (PANEL[view.layout] + GAP) +
    rows * FAULT_ROW +
    AXIS +
    (view.still ? 10 : SLIDER)
  );
}

function panelsOf({ courses }: ReportRun, { shown, layout }: ErrorView): readonly (readonly Course[])[] {
  const drawn = courses.filter(({ name }) => shown.includes(name));
  return layout === 'overlay' ? [drawn] : drawn.map(course => [course]);
}

/** The error of every pipeline over time with its bounds, and the faults drawn underneath on the same axis of time. */
export function errorChart(run: ReportRun, view: ErrorView): EChartsCoreOption {
  const { theme, utc, layout, still, width } = view;
  const [first, last] = extentOf(run);
  const from = Math.max(first, view.from ?? first);
  const to = Math.min(last, view.to ?? last);
  const epoch = utc ? run.epoch : undefined;
  const panels = panelsOf(run, view);
  const rows = faultRows(run);
  const count = panels.length + (rows.length > 0 ? 1 : 0);
  const ticks = timeTicks(from, to, Math.max(3, Math.floor((width - LEFT - RIGHT) / 110)), epoch);
  const top = still ? TOP.still : TOP.moving;
  const place = (error: number): number => (view.scale === 'linear' ? error : toSymlog(error, run.linear));

  const drawn = panels.map(courses => courses.map(course => lineOf(course, from, to, width, place)));
  const bounds = panels.map(courses => {
    const course = layout === 'panels' ? courses[0] : courses.find(({ name }) => name === view.focus);
    return course === undefined || course.uncertainty.length === 0
      ? undefined
      : { course, ...boundsOf(course, from, to, width, place) };
  });
  const xAxes = Array.from({ length: count }, (_, index) => ({
    gridIndex: index,
    type: 'value',
    min: first,
    max: last,
    ...axisLook(theme),
    splitLine: { show: index < panels.length, lineStyle: { color: theme.grid } },
    axisTick: { show: index === count - 1, customValues: ticks, lineStyle: { color: theme.muted } },
    axisLabel: {
      show: index === count - 1,
      customValues: ticks,
      color: theme.muted,
      fontSize: 12,
      hideOverlap: true,
      formatter: (value: number) => formatInstant(value, epoch, to - from),
    },
    axisPointer: { show: index < panels.length, label: { show: false }, lineStyle: { color: theme.muted } },
  }));
  const grids = panels.map((_, index) => ({
    left: LEFT,
    right: RIGHT,
    top: top + index * (PANEL[layout] + GAP),
    height: PANEL[layout],
    outerBoundsMode: 'none',
  }));
  const yAxes = drawn.map((lines, index) =>
    errorAxis(index, lines, bounds[index], run, view, layout === 'panels' ? panels[index]![0]!.name : undefined),
  );
  const faultsTop = top + panels.length * (PANEL[layout] + GAP);
  return {
    animation: false,
    backgroundColor: still ? theme.paper : 'transparent',
    textStyle: textStyle(theme),
    ...(still && stillParts(run, view)),
    grid: [
      ...grids,
      ...(rows.length > 0
        ? [{ left: LEFT, right: RIGHT, top: faultsTop, height: rows.length * FAULT_ROW, outerBoundsMode: 'none' }]
        : []),
    ],
    xAxis: xAxes,
    yAxis: [
      ...yAxes,
      ...(rows.length > 0
        ? [
            {
              gridIndex: panels.length,
              type: 'category',
              data: rows,
              inverse: true,
              ...axisLook(theme),
              axisTick: { show: false },
              axisLabel: { color: theme.muted, fontSize: 11, width: LEFT - 10, overflow: 'truncate' },
            },
          ]
        : []),
    ],
    axisPointer: { link: [{ xAxisIndex: 'all' }] },
    tooltip: {
      trigger: 'axis',
      confine: true,
      ...tooltipLook(theme),
      formatter: (params: unknown) => tooltipOf(params, theme, epoch),
    },
    ...(!still && {
      dataZoom: [
        {
          type: 'inside',
          xAxisIndex: xAxes.map((_, index) => index),
          filterMode: 'none',
          zoomOnMouseWheel: 'ctrl',
          moveOnMouseMove: true,
          moveOnMouseWheel: false,
          preventDefaultMouseMove: false,
          throttle: 16,
          startValue: from,
          endValue: to,
        },
        {
          type: 'slider',
          xAxisIndex: xAxes.map((_, index) => index),
          filterMode: 'none',
          left: LEFT,
          right: RIGHT,
          height: 22,
          bottom: 6,
          throttle: 16,
          startValue: from,
          endValue: to,
          showDataShadow: false,
          brushSelect: false,
          borderColor: theme.grid,
          backgroundColor: 'transparent',
          fillerColor: theme.dark ? 'rgba(92,171,255,0.16)' : 'rgba(11,107,203,0.10)',
          handleStyle: { color: theme.paper, borderColor: theme.muted },
          moveHandleSize: 0,
          textStyle: { color: theme.muted },
          labelFormatter: (value: number) => formatInstant(value, epoch, to - from),
        },
      ],
    }),
    series: [
      ...panels.flatMap((courses, index) => {
        const own = bounds[index];
        const colour = (name: string): string =>
          colourOf(
            theme,
            run.summary.pipelines.findIndex(one => one.name === name),
          );
        return [
          ...(own === undefined ? [] : boundSeries(own, colour(own.course.name), index)),
          ...courses.map((course, i) => ({
            name: course.name,
            type: 'line',
            xAxisIndex: index,
            yAxisIndex: index,
            data: drawn[index]![i],
            showSymbol: false,
            lineStyle:
              course.name === view.focus || layout === 'panels' ? { width: 1.6 } : { width: 0.9, opacity: 0.6 },
            itemStyle: { color: colour(course.name) },
            color: colour(course.name),
            emphasis: { disabled: true },
            z: course.name === view.focus ? 4 : 3,
            ...(i === 0 && marksOf(run, theme, first)),
          })),
        ];
      }),
      ...(rows.length > 0 ? [faultSeries(run, rows, theme, panels.length, last)] : []),
    ],
  };
}

const cached = new WeakMap<Course, { t: Float64Array; series: readonly Float64Array[] }>();

function columnsOf(course: Course): { readonly t: Float64Array; readonly series: readonly Float64Array[] } {
  let columns = cached.get(course);
  if (columns === undefined) {
    const numbers = (values: readonly (number | null)[]): Float64Array =>
      Float64Array.from(values, value => value ?? Number.NaN);
    columns = {
      t: Float64Array.from(course.t),
      series: [numbers(course.error), numbers(course.uncertainty), numbers(course.maxError)],
    };
    cached.set(course, columns);
  }
  return columns;
}

/** Indices of what is seen between two instants, and one more on either side, so that lines go on to the edge. */
function visible(t: Float64Array, from: number, to: number): readonly [number, number] {
  return [Math.max(0, firstFrom(t, from) - 1), Math.min(t.length, firstFrom(t, to) + 1)];
}

function lineOf(
  course: Course,
  from: number,
  to: number,
  width: number,
  place: (error: number) => number,
): readonly Point[] {
  const { t, series } = columnsOf(course);
  const [first, last] = visible(t, from, to);
  const kept = extremes(t, [series[0]!], Math.ceil(width / 2), [], first, last);
  return Array.from(kept, i => [t[i]!, place(series[0]![i]!), series[0]![i]!] as const);
}

interface Bounds {
  readonly interval: readonly Point[];
  readonly maxError: readonly Point[];
}

function boundsOf(course: Course, from: number, to: number, width: number, place: (error: number) => number): Bounds {
  const { t, series } = columnsOf(course);
  const [first, last] = visible(t, from, to);
  const pointsOf = (values: Float64Array): readonly Point[] =>
    Array.from(extremes(t, [values], Math.ceil(width / 3), [], first, last))
      .filter(i => !Number.isNaN(values[i]!))
      .map(i => [t[i]!, place(values[i]!), values[i]!] as const);
  return { interval: pointsOf(series[1]!), maxError: pointsOf(series[2]!) };
}

function boundSeries(
  { interval, maxError, course }: Bounds & { readonly course: Course },
  colour: string,
  index: number,
): readonly object[] {
  const line = {
    type: 'line',
    xAxisIndex: index,
    yAxisIndex: index,
    showSymbol: false,
    silent: true,
    color: colour,
    itemStyle: { color: colour },
    emphasis: { disabled: true },
    tooltip: { show: false },
  };
  const dashed = { ...line, lineStyle: { width: 1, type: [4, 3], opacity: 0.75 }, z: 2 };
  const stacked = { ...line, stack: `interval-${index}`, stackStrategy: 'all', lineStyle: { width: 0 }, z: 1 };
  return [
    { ...stacked, name: `lower ${course.name}`, data: interval.map(([t, place]) => [t, -place]) },
    {
      ...stacked,
      name: `interval ${course.name}`,
      data: interval.map(([t, place]) => [t, 2 * place]),
      areaStyle: { color: colour, opacity: 0.16 },
    },
    { ...dashed, name: `earliest ${course.name}`, data: maxError.map(([t, place]) => [t, -place]) },
    { ...dashed, name: `latest ${course.name}`, data: maxError },
  ];
}

function errorAxis(
  index: number,
  lines: readonly (readonly Point[])[],
  bounds: Bounds | undefined,
  run: ReportRun,
  { theme, scale, layout }: ErrorView,
  title: string | undefined,
): object {
  let low = 0;
  let high = 0;
  for (const [, place] of lines.flat()) {
    if (place < low) low = place;
    if (place > high) high = place;
  }
  // Bounds may be far wider than any error: on a straight scale they are cut off, on the other there is room.
  const widest = bounds === undefined ? 0 : largest(scale === 'linear' ? bounds.interval : bounds.maxError);
  const reach = scale === 'linear' ? Math.min(widest, 4 * Math.max(high, -low, 1e-12)) : widest;
  low = Math.min(low, -reach);
  high = Math.max(high, reach);
  if (high === low) [low, high] = [-1, 1].map(side => (scale === 'linear' ? side * 1e-6 : side)) as [number, number];
  const margin = 0.04 * (high - low);
  const common = {
    ...axisLook(theme),
    gridIndex: index,
    type: 'value',
    name: title ?? 'error (told − reference)',
    nameLocation: layout === 'panels' ? 'end' : 'middle',
    nameGap: layout === 'panels' ? 3 : 72,
    nameTextStyle: {
      color: layout === 'panels' ? theme.ink : theme.muted,
      fontSize: 12,
      align: layout === 'panels' ? 'left' : 'center',
      fontWeight: layout === 'panels' ? 600 : 400,
    },
    min: low - margin,
    max: high + margin,
    splitLine: { lineStyle: { color: theme.grid } },
  };
  const label = { color: theme.muted, fontSize: 12 };
  if (scale === 'linear')
    return { ...common, splitNumber: layout === 'panels' ? 3 : 6, axisLabel: { ...label, formatter: formatTick } };
  const ticks = symlogTicks(
    fromSymlog(low, run.linear),
    fromSymlog(high, run.linear),
    run.linear,
    ((high - low) / PANEL[layout]) * 17,
  ).map(tick => toSymlog(tick, run.linear));
  return {
    ...common,
    axisTick: { show: false, customValues: ticks },
    axisLabel: {
      ...label,
      customValues: ticks,
      formatter: (place: number) => formatTick(fromSymlog(place, run.linear)),
    },
  };
}

function largest(points: readonly Point[]): number {
  return points.reduce((most, [, place]) => Math.max(most, place), 0);
}

/** Zero, the warm-up, and where faults begin and end, in a panel. */
function marksOf(run: ReportRun, theme: Theme, first: number): object {
  const { faults, summary } = run;
  const scored = summary.pipelines[0]!.behaviour?.course?.from ?? first + summary.warmup;
  const spans = faults.flatMap(({ from, to }) => (to === undefined ? [] : [[{ xAxis: from }, { xAxis: to }]]));
  const colour = theme.fault;
  return {
    markLine: {
      silent: true,
      symbol: 'none',
      label: { show: false },
      animation: false,
      data: [
        { yAxis: 0, lineStyle: { color: theme.muted, type: 'solid', width: 1, opacity: 0.7 } },
        ...faults.map(({ from }) => ({
          xAxis: from,
          lineStyle: { color: colour, type: 'dashed', width: 1, opacity: 0.6 },
        })),
      ],
    },
    markArea: {
      silent: true,
      animation: false,
      data: [
        ...spans.map(([from, to]) => [{ ...from, itemStyle: { color: colour, opacity: 0.06 } }, to]),
        ...(scored > first
          ? [[{ xAxis: first, itemStyle: { color: theme.muted, opacity: 0.1 } }, { xAxis: scored }]]
          : []),
      ],
    },
  };
}

interface RenderApi {
  value(dimension: number): number;
  coord(point: readonly number[]): readonly number[];
}

interface RenderParams {
  readonly coordSys: { readonly x: number; readonly width: number };
}

/** A bar for each fault in the row of its kind; one that strikes at an instant is a diamond. */
function faultSeries(
  { faults, summary }: ReportRun,
  rows: readonly string[],
  theme: Theme,
  index: number,
  last: number,
): object {
  const worst = (fault: FaultSpan): string => {
    const found = summary.pipelines.flatMap(({ name, behaviour }) => {
      const one = behaviour?.recovery?.each.find(({ what, at }) => what === fault.what && at === fault.from);
      return one === undefined || name === 'bare-clock' ? [] : [one.max];
    });
    return found.length === 0
      ? ''
      : `, largest errors ${formatTick(Math.min(...found))} to ${formatTick(Math.max(...found))}`;
  };
  return {
    type: 'custom',
    name: 'faults',
    xAxisIndex: index,
    yAxisIndex: index,
    clip: true,
    tooltip: { show: true },
    data: faults.map(fault => ({
      value: [fault.from, rows.indexOf(fault.what), fault.to ?? fault.from, last],
      name: `${fault.what}${worst(fault)}`,
    })),
    encode: { x: [0, 2], y: 1 },
    itemStyle: { color: theme.fault },
    renderItem: ({ coordSys }: RenderParams, api: RenderApi) => {
      const [x = 0, y = 0] = api.coord([api.value(0), api.value(1)]);
      const [end = x] = api.coord([api.value(2), api.value(1)]);
      const style = { fill: theme.fault };
      if (api.value(2) === api.value(0)) {
        if (x < coordSys.x - 1 || x > coordSys.x + coordSys.width + 1) return undefined;
        return {
          type: 'polygon',
          shape: {
            points: [
              [x - 6, y],
              [x, y - 6],
              [x + 6, y],
              [x, y + 6],
            ],
          },
          style,
        };
      }
      const left = Math.max(x, coordSys.x);
      const right = Math.min(Math.max(end, x + 2), coordSys.x + coordSys.width);
      if (right < left) return undefined;
      return { type: 'rect', shape: { x: left, y: y - 5, width: right - left, height: 10, r: 2 }, style };
    },
  };
}

function tooltipOf(params: unknown, theme: Theme, epoch: number | undefined): string {
  const items = (Array.isArray(params) ? params : [params]) as readonly {
    readonly seriesName: string;
    readonly seriesType: string;
    readonly name: string;
    readonly value: readonly number[];
    readonly color: string;
  }[];
  const lines = items.filter(({ seriesType, value }) => seriesType === 'line' && value.length === 3);
  const faults = items.filter(({ seriesType }) => seriesType === 'custom');
  const at = (lines[0] ?? faults[0])?.value[0];
  if (at === undefined) return '';
  const rows = lines.map(({ seriesName, value, color }) => {
    const mark = `<span style="display:inline-block;width:10px;height:3px;margin:0 6px 3px 0;background:${color}"></span>`;
    return (
      `<tr><td>${mark}${escapeText(seriesName)}</td>` +
      `<td style="text-align:right;padding-left:16px;font-variant-numeric:tabular-nums">${formatError(value[2]!)}</td></tr>`
    );
  });
  const struck = faults.map(({ name }) => `<div style="color:${theme.fault}">${escapeText(name)}</div>`);
  return `<b>${formatExact(at, epoch)}</b><table style="border-spacing:0">${rows.join('')}</table>${struck.join('')}`;
}

function stillParts(run: ReportRun, { theme, shown, focus, layout }: ErrorView): object {
  const level = run.summary.pipelines[0]!.bounds.level;
  const bounded = layout === 'panels' || focus !== undefined;
  return {
    title: {
      text: `${run.summary.scenario}: error of every pipeline`,
      subtext: bounded
        ? `Band: ${100 * level} % interval${layout === 'overlay' ? ` of ${focus}` : ''}; dashed: its maximum error; red: faults`
        : '',
      left: LEFT,
      top: 4,
      itemGap: 4,
      textStyle: { color: theme.ink, fontSize: 15, fontWeight: 600 },
      subtextStyle: { color: theme.muted, fontSize: 12 },
    },
    ...(layout === 'overlay' && {
      legend: {
        data: [...shown],
        top: 42,
        left: LEFT,
        itemWidth: 16,
        itemHeight: 3,
        itemGap: 26,
        icon: 'rect',
        textStyle: { color: theme.ink, fontSize: 12 },
      },
    }),
  };
}
