/** Colours of charts; those of pages stand in their style sheets. */
export interface Theme {
  readonly dark: boolean;
  readonly ink: string;
  readonly muted: string;
  readonly grid: string;
  readonly paper: string;
  readonly tooltip: string;
  /** Of pipelines, in their order; told apart also by people who confuse red and green. */
  readonly series: readonly string[];
  readonly bare: string;
  readonly fault: string;
  readonly font: string;
}

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif";

export const LIGHT: Theme = {
  dark: false,
  ink: '#1b2330',
  muted: '#566175',
  grid: '#e3e7ee',
  paper: '#ffffff',
  tooltip: '#ffffff',
  series: [
    '#0b6bcb',
    '#c2410c',
    '#0f766e',
    '#7c3aed',
    '#b45309',
    '#be185d',
    '#4d7c0f',
    '#0369a1',
    '#6d28d9',
    '#9f1239',
  ],
  bare: '#7b8494',
  fault: '#b42318',
  font: FONT,
};

export const DARK: Theme = {
  dark: true,
  ink: '#e6eaf2',
  muted: '#9aa6ba',
  grid: '#2a3343',
  paper: '#121822',
  tooltip: '#1c2431',
  series: [
    '#5cabff',
    '#ff9057',
    '#3fd0bd',
    '#b79bff',
    '#f2c14e',
    '#ff7eb6',
    '#a3d65c',
    '#67c8f5',
    '#d0a9ff',
    '#ff8fa0',
  ],
  bare: '#8b95a7',
  fault: '#ff7a6b',
  font: FONT,
};

/** The colour of a pipeline by its place in the summary, in which the bare clock comes first. */
export function colourOf(theme: Theme, place: number): string {
  return place === 0 ? theme.bare : theme.series[(place - 1) % theme.series.length]!;
}
