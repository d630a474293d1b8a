import type { EChartsCoreOption } from 'echarts/core';
import { extremes, firstFrom } from '../../core/metrics/decimation.js';
import { formatError, formatInstant, formatPpm, formatTick } from '../../report/format.js';
import { axisLook, escapeText, textStyle, tooltipLook } from '../../report/look.js';
import type { Theme } from '../../report/theme.js';
import { timeTicks } from '../../report/time-ticks.js';
import type { AnswerPoint, OffsetPoint } from './model.js';

export interface LiveView {
  readonly theme: Theme;
  readonly width: number;
  /** Unix time. */
  readonly from: number;
  readonly to: number;
  readonly restarts: readonly number[];
}

const GRID = { left: 82, right: 16, top: 14, bottom: 30, outerBoundsMode: 'none' };

/** The offset that a pipeline tells, with its bounds, over the answers of the servers. */
export function offsetChart(
  points: readonly OffsetPoint[],
  answers: ReadonlyMap<string, readonly AnswerPoint[]>,
  view: LiveView,
): EChartsCoreOption {
  const { theme } = view;
  const [blue] = theme.series;
  const drawn = thinned(points, ({ offset }) => offset, view);
  const dots = [...answers].flatMap(([name, line]) =>
    seen(line, view)
      .slice(-2000)
      .map(point => ({ name, ...point })),
  );
  const line = lineLook(blue!);
  return {
    ...frame(view, formatTick, extentOf(drawn, dots)),
    tooltip: {
      trigger: 'item',
      confine: true,
      ...tooltipLook(theme),
      formatter: (item: unknown) => {
        const { name, value } = item as { readonly name: string; readonly value: readonly number[] };
        const head = formatInstant(value[0]!, 0, 60);
        return `<b>${head}</b><br>${escapeText(name)} ${formatError(value[1]!)}`;
      },
    },
    series: [
      ...band(
        drawn.map(({ unix, offset, uncertainty }) => [unix, offset - uncertainty, offset + uncertainty]),
        blue!,
      ),
      ...[-1, 1].map(side => ({
        ...line,
        silent: true,
        lineStyle: { width: 1, type: [4, 3], opacity: 0.8 },
        data: drawn.map(({ unix, offset, maxError }) => [unix, offset + side * maxError]),
      })),
      {
        ...line,
        name: 'offset',
        step: 'end',
        lineStyle: { width: 2 },
        data: drawn.map(({ unix, offset }) => ({ name: 'told', value: [unix, offset] })),
        ...marks(view),
      },
      {
        type: 'scatter',
        symbolSize: 6,
        z: 4,
        data: dots.map(({ name, unix, offset, used }) => ({
          name,
          value: [unix, offset],
          itemStyle: used
            ? { color: theme.ink, opacity: 0.75 }
            : { color: theme.paper, borderColor: theme.fault, borderWidth: 1.2 },
        })),
      },
    ],
  };
}

/** The drift with one standard deviation to either side. */
export function driftChart(points: readonly OffsetPoint[], view: LiveView): EChartsCoreOption {
  const { theme } = view;
  const green = theme.series[2]!;
  const drawn = thinned(points, ({ drift }) => drift, view);
  const values = drawn.map(({ drift }) => drift).sort((a, b) => a - b);
  // A drift that is hardly known yet would make all that follows a straight line.
  const [low, high] = [values[Math.floor(0.02 * values.length)] ?? 0, values[Math.floor(0.98 * values.length)] ?? 0];
  const deviations = drawn.map(({ driftDeviation }) => driftDeviation).sort((a, b) => a - b);
  const room = Math.max((high - low) * 0.3, 2 * (deviations[deviations.length >> 1] ?? 0), 1e-9);
  return {
    ...frame(view, formatPpm, [low - room, high + room]),
    tooltip: {
      trigger: 'axis',
      confine: true,
      ...tooltipLook(theme),
      formatter: (items: unknown) => {
        const drift = (items as readonly { seriesName: string; value: readonly number[] }[]).find(
          ({ seriesName }) => seriesName === 'drift',
        );
        return drift === undefined
          ? ''
          : `<b>${formatInstant(drift.value[0]!, 0, 60)}</b><br>${formatPpm(drift.value[1])} ± ${formatPpm(drift.value[2])}`;
      },
    },
    series: [
      ...band(
        drawn.map(({ unix, drift, driftDeviation }) => [unix, drift - driftDeviation, drift + driftDeviation]),
        green,
      ),
      {
        ...lineLook(green),
        name: 'drift',
        step: 'end',
        lineStyle: { width: 2 },
        data: drawn.map(({ unix, drift, driftDeviation }) => [unix, drift, driftDeviation]),
        ...marks(view),
      },
    ],
  };
}

function seen<T extends { readonly unix: number }>(line: readonly T[], { from, to }: LiveView): readonly T[] {
  return line.filter(({ unix }) => unix >= from && unix <= to);
}

/** The points that are seen (one more to the left, so that lines begin at the edge), no more than pixels show. */
function thinned(
  points: readonly OffsetPoint[],
  value: (point: OffsetPoint) => number,
  { from, width }: LiveView,
): readonly OffsetPoint[] {
  const t = Float64Array.from(points, ({ unix }) => unix);
  const first = Math.max(0, firstFrom(t, from) - 1);
  return Array.from(extremes(t, [Float64Array.from(points, value)], Math.ceil(width / 2), [], first), i => points[i]!);
}

/** Of what is drawn; answers far out (a falseticker's) are left outside where the bounds are narrower. */
function extentOf(
  drawn: readonly OffsetPoint[],
  dots: readonly { readonly offset: number; readonly used: boolean }[],
): readonly [number, number] {
  const told = drawn.flatMap(({ offset, uncertainty }) => [offset - uncertainty, offset + uncertainty]);
  const heard = dots.filter(({ used }) => used).map(({ offset }) => offset);
  const all = [...told, ...heard].sort((a, b) => a - b);
  if (all.length === 0) return [-1e-3, 1e-3];
  const low = all[Math.floor(0.02 * all.length)]!;
  const high = all[Math.min(all.length - 1, Math.floor(0.98 * all.length))]!;
  const room = Math.max(0.35 * (high - low), 1e-7);
  return [low - room, high + room];
}

function frame(
  { theme, from, to, width }: LiveView,
  formatter: (value: number) => string,
  [min, max]: readonly [number, number],
): EChartsCoreOption {
  const ticks = timeTicks(from, to, Math.max(2, Math.floor((width - 100) / 100)));
  return {
    animation: false,
    textStyle: textStyle(theme),
    grid: GRID,
    xAxis: {
      type: 'value',
      min: from,
      max: to,
      ...axisLook(theme),
      axisTick: { customValues: ticks },
      axisLabel: {
        color: theme.muted,
        fontSize: 12,
        customValues: ticks,
        hideOverlap: true,
        formatter: (value: number) => formatInstant(value, 0, to - from),
      },
    },
    yAxis: {
      type: 'value',
      min,
      max,
      ...axisLook(theme),
      axisLabel: { color: theme.muted, fontSize: 12, formatter, showMinLabel: false, showMaxLabel: false },
    },
  };
}

function lineLook(colour: string): object {
  return {
    type: 'line',
    showSymbol: false,
    color: colour,
    itemStyle: { color: colour },
    emphasis: { disabled: true },
    z: 3,
  };
}

/** What lies between two lines, as steps: between two rounds nothing is told anew. */
function band(points: readonly (readonly number[])[], colour: string): readonly object[] {
  const part = {
    type: 'line',
    step: 'end',
    showSymbol: false,
    silent: true,
    stack: 'band',
    stackStrategy: 'all',
    lineStyle: { width: 0 },
    color: colour,
    tooltip: { show: false },
    emphasis: { disabled: true },
    z: 1,
  };
  return [
    { ...part, data: points.map(([t, low]) => [t, low]) },
    { ...part, data: points.map(([t, low, high]) => [t, high! - low!]), areaStyle: { color: colour, opacity: 0.18 } },
  ];
}

function marks({ restarts, theme, from, to }: LiveView): object {
  return {
    markLine: {
      silent: true,
      symbol: 'none',
      animation: false,
      label: { formatter: 'restart', color: theme.muted, position: 'insideEndTop' },
      lineStyle: { color: theme.muted, type: 'dashed' },
      data: restarts.filter(at => at > from && at < to).map(at => ({ xAxis: at })),
    },
  };
}
