import type { Theme } from './theme.js';

export function textStyle({ font, ink }: Theme): object {
  return { fontFamily: font, color: ink };
}

export function axisLook({ muted, grid }: Theme): object {
  return {
    axisLine: { show: true, onZero: false, lineStyle: { color: grid } },
    axisTick: { lineStyle: { color: muted } },
    axisLabel: { color: muted, fontSize: 12 },
    nameTextStyle: { color: muted, fontSize: 12 },
    splitLine: { lineStyle: { color: grid } },
  };
}

export function tooltipLook({ tooltip, ink, grid, font }: Theme): object {
  return {
    backgroundColor: tooltip,
    borderColor: grid,
    textStyle: { color: ink, fontSize: 12, fontFamily: font },
    extraCssText: 'box-shadow:0 4px 16px rgba(0,0,0,.18);border-radius:6px',
  };
}

/** Names come from scenario files: they are text, never markup. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
}
