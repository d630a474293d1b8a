import { formatDuration, formatTime } from '../core/quantity.js';

/** A tick's time, without digits that say nothing: "10 µs", "−1.5 ms". */
export function formatTick(seconds: number): string {
  if (Math.abs(seconds) < 1e-15) return '0';
  return formatTime(seconds)
    .replace(/(\.\d*?)0+(?= )/, '$1')
    .replace(/\.(?= )/, '')
    .replace('-', '−');
}

/** An error with its sign. */
export function formatError(seconds: number): string {
  return formatTime(seconds, true).replace('-', '−');
}

export function formatShare(share: number | null | undefined): string {
  return share === null || share === undefined ? '–' : `${(100 * share).toFixed(1).replace(/\.0$/, '')} %`;
}

export function formatPpm(drift: number | null | undefined): string {
  if (drift === null || drift === undefined) return '–';
  if (drift === 0) return '0 ppm';
  const size = Math.abs(drift);
  const [factor, unit] = size >= 1e-7 ? [1e6, 'ppm'] : size >= 1e-10 ? [1e9, 'ppb'] : [1e12, 'ppt'];
  return `${Number((drift * factor).toPrecision(3))} ${unit}`.replace('-', '−');
}

/** An instant of the run: "2 h 5 min", finer where the picture shows less; or the time of day, UTC. */
export function formatInstant(t: number, epoch: number | undefined, span: number): string {
  const clock = (seconds: number, digits: number): string => {
    const stamp = new Date(1000 * seconds).toISOString();
    return span < 60 ? stamp.slice(11, 23).replace(/\.?0+$/, '') : stamp.slice(11, 11 + digits);
  };
  if (epoch !== undefined) {
    const stamp = new Date(1000 * (epoch + t)).toISOString();
    return span > 86_400 ? `${stamp.slice(5, 10)} ${clock(epoch + t, 5)}` : clock(epoch + t, span < 7200 ? 8 : 5);
  }
  if (t < 0) return `−${formatInstant(-t, undefined, span)}`;
  if (span < 120) return `${Number(t.toFixed(span < 10 ? 2 : 1))} s`;
  const days = Math.floor(t / 86_400);
  const rest = Math.round(t - 86_400 * days);
  const [h, min, s] = [Math.floor(rest / 3600), Math.floor(rest / 60) % 60, rest % 60];
  if (span <= 7200) return `${days > 0 ? `${days} d ` : ''}${h}:${two(min)}${s === 0 ? '' : `:${two(s)}`}`;
  if (days === 0) return min === 0 ? `${h} h` : `${h}:${two(min)}`;
  return rest === 0 ? `${days} d` : min === 0 ? `${days} d ${h} h` : `${days} d ${h}:${two(min)}`;
}

/** An instant to the second, for tooltips and tables. */
export function formatExact(t: number, epoch: number | undefined): string {
  if (epoch !== undefined) return `${new Date(1000 * (epoch + t)).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  return t < 120 ? `${Number(t.toFixed(2))} s` : formatDuration(t);
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}
