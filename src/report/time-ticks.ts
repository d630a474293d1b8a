const DAY = 86_400;
/** Lengths of time that people count in, seconds. */
const STEPS = [
  0.001,
  0.002,
  0.005,
  0.01,
  0.02,
  0.05,
  0.1,
  0.2,
  0.5,
  1,
  2,
  5,
  10,
  15,
  30,
  60,
  120,
  300,
  600,
  900,
  1800,
  3600,
  7200,
  10_800,
  21_600,
  43_200,
  DAY,
  2 * DAY,
  5 * DAY,
  10 * DAY,
  20 * DAY,
  50 * DAY,
  100 * DAY,
  200 * DAY,
  365 * DAY,
];

/** Where ticks go between two instants: at full seconds, minutes, hours, days of the run, or, with an epoch, of UTC. */
export function timeTicks(from: number, to: number, most: number, epoch = 0): readonly number[] {
  const step = STEPS.find(size => (to - from) / size <= most) ?? Math.ceil((to - from) / most / DAY) * DAY;
  const first = Math.ceil((from + epoch) / step - 1e-9);
  const count = Math.floor((to + epoch) / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => Number(((first + i) * step - epoch).toFixed(3)));
}
