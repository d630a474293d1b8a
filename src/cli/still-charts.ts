import type { EChartsCoreOption } from 'echarts/core';
import {
  bestOf,
  type ChartView,
  cdfChart,
  coverageChart,
  distributionChart,
  pitChart,
  stabilityChart,
} from '../report/charts.js';
import type { ReportRun } from '../report/data.js';
import { init } from '../report/echarts.js';
import { type ErrorView, errorChart, errorChartHeight } from '../report/error-chart.js';
import { escapeText } from '../report/look.js';
import { DARK, LIGHT } from '../report/theme.js';

/** In the order in which they are written. */
export const CHARTS: readonly string[] = [
  'error',
  'error-panels',
  'distribution',
  'cdf',
  'adev',
  'tdev',
  'mtie',
  'calibration',
  'pit',
];

export interface StillOptions {
  readonly dark: boolean;
  readonly utc: boolean;
  /** Names of those that are wanted; one that the run has nothing for is left out. */
  readonly charts: readonly string[];
}

/** A chart as a file: its name, and the text of an SVG. */
export interface Still {
  readonly name: string;
  readonly svg: string;
}

const WIDTH = 1200;
const SMALL = { width: 720, height: 420 } as const;

/** The report's charts as pictures, drawn here and not in a browser. */
export function stillCharts(run: ReportRun, { dark, utc, charts }: StillOptions): readonly Still[] {
  const theme = dark ? DARK : LIGHT;
  const shown = run.courses.map(({ name }) => name);
  const view: ChartView = { theme, shown, focus: bestOf(run), still: true };
  const error = (layout: ErrorView['layout']): string => {
    const own: ErrorView = { ...view, width: WIDTH, scale: 'symlog', layout, utc };
    return render(
      `${run.summary.scenario}: error of every pipeline over time`,
      errorChart(run, own),
      WIDTH,
      errorChartHeight(run, own),
    );
  };
  const small = (option: EChartsCoreOption): string => {
    const { text } = option['title'] as { readonly text: string };
    return render(text, option, SMALL.width, SMALL.height);
  };
  const stable = run.courses.some(({ stability }) => stability.length > 0);
  const calibrated = run.summary.pipelines.some(({ behaviour }) => behaviour?.calibration != null);
  const drawn = shown.length > 0;
  const draw: Readonly<Record<string, false | (() => string)>> = {
    error: drawn && (() => error('overlay')),
    'error-panels': drawn && (() => error('panels')),
    distribution: drawn && (() => small(distributionChart(run, view))),
    cdf: drawn && (() => small(cdfChart(run, view))),
    adev: stable && (() => small(stabilityChart(run, 'oadev', view))),
    tdev: stable && (() => small(stabilityChart(run, 'tdev', view))),
    mtie: stable && (() => small(stabilityChart(run, 'mtie', view))),
    calibration: calibrated && (() => small(coverageChart(run, view))),
    pit: calibrated && (() => small(pitChart(run, view))),
  };
  return CHARTS.filter(name => charts.includes(name)).flatMap(name => {
    const make = draw[name];
    return make ? [{ name, svg: make() }] : [];
  });
}

function render(title: string, option: EChartsCoreOption, width: number, height: number): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  chart.setOption(option);
  const svg = chart.renderToSVGString();
  chart.dispose();
  // For those who hear a picture.
  return svg.replace(
    /^<svg[^>]*>/,
    open => `${open.replace('<svg', '<svg role="img"')}<title>${escapeText(title)}</title>`,
  );
}
